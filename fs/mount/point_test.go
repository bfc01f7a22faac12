package mount

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// Who mounts on a directory while another process still removes it waits for that moment, and makes it anew.
func TestPrepareWhileItIsRemoved(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	path := filepath.Join(t.TempDir(), "mnt")
	for round := range 100 {
		ending, err := Prepare(path, log)
		if err != nil {
			t.Fatal(err)
		}
		removed := make(chan struct{})
		go func() {
			defer close(removed)
			ending.Remove()
		}()
		p, err := Prepare(path, log)
		<-removed
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("round %d: it is prepared, and %v", round, err)
		}
		p.Remove()
		os.Remove(path) // if p has found it there
	}
}

// A directory that another process keeps is refused after a moment.
func TestPrepareClaimed(t *testing.T) {
	log := slog.New(slog.DiscardHandler)
	path := t.TempDir()
	p, err := Prepare(path, log)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Mounted()
	if _, err := Prepare(path, log); !errors.Is(err, errClaimed) {
		t.Errorf("a claimed directory: %v, want %v", err, errClaimed)
	}
}

// Two directories are nested also by way of links, and before they exist.
func TestNested(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "a"), 0o700), os.Symlink("a", link)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{
		{"a", "a", true},
		{"a", "b", false},
		{"a", "ab", false},
		{"a", "..a", false},
		{"a", "a/b/c", true},
		{"link", "a/b", true},
		{"link/new/x", "a/new", true},
		{"link/new", "new", false},
	} {
		a, b := filepath.Join(dir, tc.a), filepath.Join(dir, tc.b)
		if Nested(a, b) != tc.want || Nested(b, a) != tc.want {
			t.Errorf("%s and %s: not %v", tc.a, tc.b, tc.want)
		}
	}
}

// A path is quoted for a shell only if it must be.
func TestQuoted(t *testing.T) {
	for path, want := range map[string]string{"/mnt/a-b_c.1@x+%": "/mnt/a-b_c.1@x+%", "/a b": "'/a b'", "/it's": `'/it'\''s'`, "/$x": "'/$x'"} {
		if got := Quoted(path); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Only a directory that Prepare made is removed, nobody else can have one that is prepared, and anybody one that was removed.
func TestPrepareRemove(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "new"), dir} {
		for range 2 {
			p, err := Prepare(path, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := prepare(path, nil); !errors.Is(err, errClaimed) {
				t.Errorf("prepared twice: %v", err)
			}
			p.Remove()
			if _, err := os.Stat(path); (err == nil) != (path == dir) {
				t.Errorf("%s after Remove: %v", path, err)
			}
		}
	}
}

// A message names some of those who use a mount, and counts the others.
func TestInWords(t *testing.T) {
	for want, who := range map[string][]string{
		"":                      nil,
		" (a)":                  {"a"},
		" (a, b, c)":            {"a", "b", "c"},
		" (a, b, c and 2 more)": {"a", "b", "c", "d", "e"},
	} {
		if got := inWords(who); got != want {
			t.Errorf("%q in words is %q, want %q", who, got, want)
		}
	}
}
