package cli

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A terminal of any width has one line for each download, and old lines are removed completely when it became narrower.
func TestLiveTerminal(t *testing.T) {
	var out strings.Builder
	width := 40
	live := &liveTerminal{out: &out, size: func() (int, int) { return width, 24 }}
	for _, step := range []struct {
		width, lines int
		text, want   string
	}{
		{40, 2, strings.Repeat("x", 40) + "\n" + strings.Repeat("y", 9) + "\n", ""},
		{40, 2, "a log line\nx\ny\n", "\x1b[2A\r\x1b[J"},
		{10, 2, strings.Repeat("x", 10) + "\ny\n", "\x1b[2A\r\x1b[J"},
		{4, 1, "好好\n", "\x1b[4A\r\x1b[J"}, // 3 and 1
		{3, 1, "z\n", "\x1b[2A\r\x1b[J"},
		{80, 0, "", "\x1b[1A\r\x1b[J"},
		{80, 0, "end\n", ""},
	} {
		width = step.width
		out.Reset()
		if _, err := fmt.Fprint(live, step.text); err != nil {
			t.Fatal(err)
		}
		if err := live.Flush(step.lines); err != nil || out.String() != step.want+step.text {
			t.Errorf("%q at width %d is drawn as %q, %v; want %q", step.text, step.width, out.String(), err, step.want+step.text)
		}
	}
}

// At any width no line is longer, and names leave room for the rest.
func TestProgressOnNarrowTerminals(t *testing.T) {
	for _, width := range []int{1, 20, 33, 80} {
		t.Run(fmt.Sprint(width), func(t *testing.T) {
			t.Parallel()
			s, w := &screen{}, &work{}
			status := downloading()
			status.Assets[0].Name = strings.Repeat("long name ", 9)
			w.status.Store(status)
			w.requests.Store(1)
			p := newProgress(s, true)
			p.size = func() (int, int) { return width, 24 }
			p.Start(w.activity())
			s.await(t, "\x1b[J") // the second drawing
			p.Close(time.Minute)
			if !strings.HasSuffix(s.String(), "\x1b[J") {
				t.Errorf("something stays on the screen:\n%q", s.String())
			}
			for _, line := range strings.FieldsFunc(s.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
				line = strings.TrimPrefix(line, "\x1b[J")
				if strings.HasPrefix(line, "\x1b[") {
					continue
				}
				if n := columns(line); n > width {
					t.Errorf("at width %d a line has %d columns: %q", width, n, line)
				}
			}
			if width >= 33 && !strings.Contains(s.String(), "25% of 4.0 MiB") {
				t.Errorf("at width %d it is not seen how far it has come:\n%s", width, s.String())
			}
		})
	}
}

// closedTerminal is a terminal that was closed. SIGHUP does not end a mount.
type closedTerminal struct{ drawn chan struct{} }

func (g *closedTerminal) Write([]byte) (int, error) {
	select {
	case g.drawn <- struct{}{}:
	default:
	}
	return 0, syscall.EIO
}

func TestProgressSurvivesItsTerminal(*testing.T) {
	for _, tty := range []bool{true, false} {
		g, w := &closedTerminal{make(chan struct{})}, &work{}
		w.status.Store(downloading())
		w.requests.Store(1)
		p := newProgress(g, tty)
		p.Start(w.activity())
		<-g.drawn
		more := downloading()
		more.Assets[1].Streams = more.Assets[0].Streams
		w.status.Store(more)
		for n := w.asked.Load(); w.asked.Load() < n+2; {
			select {
			case <-g.drawn:
			case <-time.After(time.Millisecond):
			}
		}
		p.Close(time.Minute)
	}
}
