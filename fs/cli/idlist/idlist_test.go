package idlist

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var pattern = regexp.MustCompile(anchor + "re_[0-9]+" + end)

func TestRead(t *testing.T) {
	long := strings.Repeat("x", 3*maxLine)
	text := "\ufeffre_1\r\n# comment\n\n  re_2 # two\nre_1\nmovie.mp4\n" + long + "\nre_3\nRE_4\nre_5"
	ids, bad, err := Read(strings.NewReader(text), "list", pattern)
	if want := []string{"re_1", "re_2", "re_3", "re_5"}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("Read(%.60q...) = %q, %v; want %q", text, ids, err, want)
	}
	var lines []int
	for _, b := range bad {
		lines = append(lines, b.Line)
	}
	if want := []int{6, 7, 9}; !slices.Equal(lines, want) {
		t.Errorf("bad lines are %v, want %v", lines, want)
	}
	if got, want := bad[0].Error(), `list:6: "movie.mp4" is not an asset ID; write one that matches re_[0-9]+ (see --id-pattern)`; got != want {
		t.Errorf("a bad line says %q, want %q", got, want)
	}
	if got := bad[1].Error(); len(got) > 250 {
		t.Errorf("a long bad line says %d bytes, want them cut", len(got))
	}
}

func TestAnchored(t *testing.T) {
	p, err := Anchored("a|b")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{"a": true, "b": true, "ab": false, "xa": false, "b\n": false} {
		if got := p.MatchString(id); got != want {
			t.Errorf("a|b matches %q: %t, want %t", id, got, want)
		}
	}
	if _, err := Anchored("("); err == nil || strings.Contains(err.Error(), "\n") {
		t.Errorf("Anchored of a broken pattern: %v, want an error of one line", err)
	}
}

// TestValid uses a pattern that matches anything. What can't be a file name is still not an ID.
func TestValid(t *testing.T) {
	pattern, err := Anchored("(?s).*")
	if err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]bool{
		"re_1": true, "a b": true, "...": true, "-": true, strings.Repeat("x", 255): true,
		"": false, ".": false, "..": false, "a/b": false, "/": false, "a\x00b": false, strings.Repeat("x", 256): false,
	} {
		if got := Valid(pattern, id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
	}
	ids, bad, err := Read(strings.NewReader("a/b\n..\nc\n"), "-", pattern)
	if err != nil || len(ids) != 1 || len(bad) != 2 {
		t.Errorf("read %q, %d bad lines, %v", ids, len(bad), err)
	}
}

func TestReadOfThousands(t *testing.T) {
	var text bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&text, "re_%d\n", i)
	}
	ids, bad, err := Read(&text, "-", pattern)
	if len(ids) != 20_000 || len(bad) != 0 || err != nil {
		t.Errorf("read %d IDs, %d bad lines, %v; want 20000 IDs", len(ids), len(bad), err)
	}
}

func TestReadFails(t *testing.T) {
	broken := errors.New("broken")
	ids, _, err := Read(io.MultiReader(strings.NewReader("re_1\n"), iotest.ErrReader(broken)), "-", pattern)
	if !errors.Is(err, broken) || len(ids) != 1 {
		t.Errorf("a reader that fails gives %q, %v; want re_1 and its error", ids, err)
	}
	var long *TooLongError
	if _, _, err := Read(endless{}, "zero", pattern); !errors.As(err, &long) {
		t.Errorf("an endless line gives %v, want a TooLongError", err)
	}
}

// endless is a line without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestWarningsAreBounded(t *testing.T) {
	var out bytes.Buffer
	l := newList(t, &out, strings.Repeat("bad\n", 1000))
	ids, err := l.Read()
	if len(ids) != 0 || err != nil {
		t.Errorf("Read() = %q, %v; want nothing", ids, err)
	}
	if got := strings.Count(out.String(), "\n"); got != maxWarnings+1 || !strings.Contains(out.String(), "lines=980") {
		t.Errorf("1000 bad lines are logged in %d lines, want %d with the number of those left out:\n%s", got, maxWarnings+1, out.String())
	}
}

// newList returns a list with a file of that text.
func newList(t *testing.T, log io.Writer, text string) *List {
	t.Helper()
	l := &List{Name: filepath.Join(t.TempDir(), "ids"), Pattern: pattern, Log: slog.New(slog.NewTextHandler(log, nil))}
	write(t, l.Name, text)
	return l
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FuzzRead reads any bytes as a list. Each ID must be valid and appear once, every line that is left out must be
// reported, and a list of the result must read the same.
func FuzzRead(f *testing.F) {
	for _, seed := range []string{
		"", "re_1\nre_2\n", "\ufeffre_1 # a comment\r\n\r\n#\nre_1", "re_1 re_2\nRE_1\nre_", "re_1\x00\n\xff\n\u2028re_3\n", "\n\r\n \t\v\f\u00a0re_4",
		strings.Repeat("re_1", maxLine), "re_1#" + strings.Repeat("x", 2*maxLine) + "\nre_2",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		ids, bad, err := Read(bytes.NewReader(text), "list", pattern)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, id := range ids {
			if seen[id] || !pattern.MatchString(id) {
				t.Errorf("%q reads %q", text, ids)
			}
			seen[id] = true
		}
		for _, line := range bad {
			if line.Line < 1 || line.Line > bytes.Count(text, []byte("\n"))+1 || len(line.Text) > maxLine || strings.ContainsAny(line.Error(), "\n\x1b\x00") {
				t.Errorf("%q: %q", text, line)
			}
		}
		again, bad, err := Read(strings.NewReader(strings.Join(ids, "\n")), "list", pattern)
		if err != nil || len(bad) > 0 || !slices.Equal(again, ids) {
			t.Errorf("%q reads %q, and that reads %q, %v, %v", text, ids, again, bad, err)
		}
	})
}

// FuzzPattern: a pattern that is none by itself is none either where it has to match the whole of an ID.
func FuzzPattern(f *testing.F) {
	for _, s := range []string{"re_[0-9]+", "re_1)|(?:x", "(?i)RE_.", "[", `a\`, "", "(?m)^a$", ".*", "a|b", `\Qa`, `a\E`, "(?s).", "a{1001}", `(?:a))(?:(b`} {
		f.Add(s, "re_1x")
	}
	f.Fuzz(func(t *testing.T, text, id string) {
		whole, err := Anchored(text)
		alone, err2 := regexp.Compile(text)
		if err == nil && err2 != nil {
			t.Fatalf("%q is a pattern, and alone none: %v", text, err2)
		}
		if err != nil || !Valid(whole, id) {
			return
		}
		alone.Longest()
		if strings.ContainsAny(id, "/\x00") || id == "." || id == ".." || len(id) > 255 || alone.FindString(id) != id {
			t.Errorf("%q takes %q", text, id)
		}
	})
}
