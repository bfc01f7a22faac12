package logqueue

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// inLog runs f with a log in virtual time, and returns what was logged.
func inLog(t *testing.T, format func(io.Writer) slog.Handler, f func(log *slog.Logger, logged func() []string)) []string {
	t.Helper()
	p := newPipe(true)
	synctest.Test(t, func(*testing.T) {
		p = newPipe(true)
		q := New(p)
		f(slog.New(q.Handler(format)), func() []string {
			synctest.Wait()
			return p.lines()
		})
		q.Close(time.Second)
	})
	return p.lines()
}

func failure(log *slog.Logger, op, asset, errno, cause string) {
	log.Warn("operation failed", "op", op, "asset", asset, "errno", errno, "error", errors.New(cause))
}

func TestRepeatsAreCounted(t *testing.T) {
	lines := inLog(t, text, func(log *slog.Logger, logged func() []string) {
		for i := range 5000 {
			id := fmt.Sprintf("re_%d", i)
			failure(log, "stat", id, "ENOENT", "download "+id+": HTTP 404 Not Found, code 404, no such asset")
		}
		if got := len(logged()); got != shown {
			t.Errorf("5000 alike failures gave %d lines, want %d", got, shown)
		}
		failure(log, "stat", "re_1", "EDQUOT", "download re_1: HTTP 402 Payment Required")
		failure(log, "read", "re_1", "ENOENT", "download re_1: HTTP 404 Not Found, code 404, no such asset")
		if got := len(logged()); got != shown+2 {
			t.Errorf("two failures of other kinds gave %d lines", got-shown)
		}
		time.Sleep(window + time.Second)
		lines := logged()
		want := `level=WARN msg="operation failed ... 4997 more in the last minute" op=stat asset=re_4999 errno=ENOENT error="download re_4999: HTTP 404 Not Found, code 404, no such asset"`
		if got := lines[len(lines)-1]; got != want || len(lines) != shown+3 {
			t.Errorf("after a minute there were %d lines, the last\n%s\nwant\n%s", len(lines), got, want)
		}
		// While it goes on, only a count a minute.
		for range 600 {
			failure(log, "stat", "re_9", "ENOENT", "download re_9: HTTP 404 Not Found, code 404, no such asset")
			time.Sleep(time.Second)
		}
		if got := len(logged()) - len(lines); got < 9 || got > 11 {
			t.Errorf("ten minutes of alike failures gave %d lines", got)
		}
		// After a quiet time it is logged again.
		time.Sleep(3 * window)
		before := len(logged())
		failure(log, "stat", "re_10", "ENOENT", "download re_10: HTTP 404 Not Found, code 404, no such asset")
		if lines := logged(); len(lines) != before+1 || !strings.Contains(lines[before], "asset=re_10 ") {
			t.Errorf("a failure after a quiet time gave %q", lines[before:])
		}
	})
	if got := lines[len(lines)-1]; !strings.Contains(got, "asset=re_10 ") {
		t.Errorf("the last line is %q", got)
	}
}

func TestCloseTellsCounts(t *testing.T) {
	lines := inLog(t, text, func(log *slog.Logger, _ func() []string) {
		for range 10 {
			log.Warn("spool not synced", "error", errors.New("input/output error"))
		}
	})
	want := []string{
		`level=WARN msg="spool not synced" error="input/output error"`,
		`level=WARN msg="spool not synced" error="input/output error"`,
		`level=WARN msg="spool not synced" error="input/output error"`,
		`level=WARN msg="spool not synced ... 7 more in the last minute" error="input/output error"`,
	}
	if !slices.Equal(lines, want) {
		t.Errorf("logged was\n%s\nwant\n%s", strings.Join(lines, "\n"), strings.Join(want, "\n"))
	}
}

func TestJSONStaysJSON(t *testing.T) {
	lines := inLog(t, func(out io.Writer) slog.Handler { return slog.NewJSONHandler(out, nil) }, func(log *slog.Logger, _ func() []string) {
		for i := range 100 {
			failure(log, "read", "re_7", "EIO", fmt.Sprintf("\"quoted\"\nat %d", 100000+i))
		}
	})
	if len(lines) != shown+1 {
		t.Fatalf("there are %d lines, want %d:\n%s", len(lines), shown+1, strings.Join(lines, "\n"))
	}
	for _, line := range lines {
		var fields map[string]string
		if err := json.Unmarshal([]byte(line), &fields); err != nil || fields["asset"] != "re_7" || fields["errno"] != "EIO" {
			t.Errorf("not the record in JSON: %s (%v)", line, err)
		}
	}
}

// A server may word each failure differently.
func TestWordsOfTheServerDoNotFlood(t *testing.T) {
	for _, tt := range []struct {
		name string
		word func() string
	}{
		{"request number", func() string { return fmt.Sprint(rand.Uint64()) }},
		{"trace", func() string { return fmt.Sprintf("%016x-%08x", rand.Uint64(), rand.Uint32()) }},
		{"time", func() string { return time.Unix(rand.Int64N(1e9), 0).Format(time.RFC3339Nano) }},
		{"address", func() string { return fmt.Sprintf("127.0.0.1:%d->[::1]:%d", rand.IntN(60000), rand.IntN(60000)) }},
		{"letters", func() string {
			b := make([]byte, 12)
			for i := range b {
				b[i] = byte('a' + rand.IntN(26))
			}
			return string(b)
		}},
		{"small number", func() string { return fmt.Sprint(rand.IntN(10000)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			lines := inLog(t, text, func(log *slog.Logger, _ func() []string) {
				for i := range 5000 {
					failure(log, "read", fmt.Sprintf("re_%d", i), "EIO", "HTTP 500 Internal Server Error, request "+tt.word()+" failed")
				}
			})
			if most := 2*maxKinds + shown + 1; len(lines) > most {
				t.Errorf("there are %d lines, want at most %d", len(lines), most)
			}
			total := 0
			for _, line := range lines {
				more := 1
				if _, count, ok := strings.Cut(line, " ... "); ok {
					fmt.Sscanf(count, "%d", &more) //nolint:errcheck // the sum tells
				}
				total += more
			}
			if total != 5000 {
				t.Errorf("the lines tell of %d failures, want 5000", total)
			}
		})
	}
}

func TestKinds(t *testing.T) {
	type line struct{ op, asset, errno, cause string }
	base := line{"read", "re_1", "EIO", "download re_1: HTTP 500 Internal Server Error, at byte 1048576"}
	for _, tt := range []struct {
		other line
		same  bool
	}{
		{base, true},
		{line{"read", "re_22", "EIO", "download re_22: HTTP 500 Internal Server Error, at byte 7340032"}, true},
		{line{"read", "clip", "EIO", "download clip: HTTP 500 Internal Server Error, at byte 1048577"}, true},
		{line{"open", "re_1", "EIO", base.cause}, false},
		{line{"read", "re_1", "EBUSY", base.cause}, false},
		{line{"read", "re_1", "EIO", "download re_1: HTTP 502 Internal Server Error, at byte 1048576"}, false},
		{line{"read", "re_1", "EIO", "no byte from the server for 30s"}, false},
	} {
		kindOf := func(l line) string {
			r := slog.NewRecord(time.Time{}, slog.LevelWarn, "operation failed", 0)
			r.Add("op", l.op, "asset", l.asset, "errno", l.errno, "error", errors.New(l.cause))
			kind, _ := (&handler{}).kind(&r)
			return kind
		}
		if a, b := kindOf(base), kindOf(tt.other); (a == b) != tt.same {
			t.Errorf("%+v: kind %q, of %+v it is %q; alike should be %v", tt.other, b, base, a, tt.same)
		}
	}
}

func TestAnyNumber(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "",
		"HTTP 402, code 0402, no":   "HTTP 402, code 0402, no",
		"re_1: read at 12345.":      "# read at #",
		"size 4096 of 65536":        "size 4096 of #",
		"2026-11-25T18:13:00Z ends": "# ends",
		"(127.0.0.1:80) grüßt 你好":   "(#) grüßt 你好",
		"[100000, 200000)":          "[#, #)",
	} {
		if got := anyNumber(text); got != want {
			t.Errorf("anyNumber(%q) = %q, want %q", text, got, want)
		}
	}
}

// Lines without an asset that differ in numbers are different lines.
func TestLinesWithoutAssetDifferByNumbers(t *testing.T) {
	lines := inLog(t, text, func(log *slog.Logger, _ func() []string) {
		for i := range 100 {
			log.Warn("a line of the list of assets is left out", "error", fmt.Errorf("list:%d: no asset ID", i))
		}
	})
	if len(lines) != 100 {
		t.Errorf("there are %d lines, want 100", len(lines))
	}
}

func TestDebuggingShowsAll(t *testing.T) {
	lines := inLog(t, text, func(log *slog.Logger, _ func() []string) {
		for range 100 {
			log.Debug("download", "asset", "re_1")
		}
	})
	if len(lines) != 100 {
		t.Errorf("there are %d lines, want 100", len(lines))
	}
}

func TestDerivedLoggers(t *testing.T) {
	lines := inLog(t, text, func(log *slog.Logger, _ func() []string) {
		for _, mount := range []string{"a", "b"} {
			log := log.With("mount", mount).WithGroup("g")
			for range 5 {
				log.Warn("again", "n", 1)
			}
		}
	})
	if got, want := len(lines), 2*(shown+1); got != want {
		t.Errorf("there are %d lines, want %d:\n%s", got, want, strings.Join(lines, "\n"))
	}
	if got, want := lines[len(lines)-1], `level=WARN msg="again ... 2 more in the last minute" mount=b g.n=1`; got != want {
		t.Errorf("the last line is %q, want %q", got, want)
	}
}
