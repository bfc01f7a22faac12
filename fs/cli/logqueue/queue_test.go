package logqueue

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pipe keeps what is written, once it is open.
type pipe struct {
	open chan struct{} // closed: writes succeed

	mu   sync.Mutex // guards the fields below
	text bytes.Buffer
	err  error // of each write, if set
}

func newPipe(open bool) *pipe {
	p := &pipe{open: make(chan struct{})}
	if open {
		close(p.open)
	}
	return p
}

func (p *pipe) Write(line []byte) (int, error) {
	<-p.open
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.err != nil {
		return 0, p.err
	}
	return p.text.Write(line)
}

func (p *pipe) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *pipe) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// lines returns the lines written so far.
func (p *pipe) lines() []string {
	return strings.Split(strings.TrimSuffix(p.String(), "\n"), "\n")
}

// text formats without the time.
func text(out io.Writer) slog.Handler {
	return slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: withoutTime})
}

func withoutTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		return slog.Attr{}
	}
	return a
}

func TestLinesAreWrittenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(true)
		q := New(p)
		var want strings.Builder
		for i := range 1000 {
			fmt.Fprintf(q, "line %d\n", i)
			fmt.Fprintf(&want, "line %d\n", i)
		}
		synctest.Wait() // written at once, not only at the end
		if got := p.String(); got != want.String() {
			t.Errorf("written was %q, want %q", got, want.String())
		}
		fmt.Fprintln(q, "the last one")
		q.Close(time.Second)
		if got := p.lines(); got[len(got)-1] != "the last one" {
			t.Errorf("the last line was %q", got[len(got)-1])
		}
		fmt.Fprintln(q, "too late")
		if strings.Contains(p.String(), "too late") {
			t.Error("a line was written after Close")
		}
	})
}

func TestNobodyWaitsForAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(false)
		q := New(p)
		log := slog.New(q.Handler(text))
		line := strings.Repeat("x", 1000)
		const total = 5000
		var writers sync.WaitGroup
		for range 10 {
			writers.Go(func() {
				for range total / 10 {
					log.Debug("a line", "text", line)
				}
			})
		}
		writers.Wait() // nobody reads yet
		q.mu.Lock()
		queued := q.size
		q.mu.Unlock()
		if queued > maxQueued {
			t.Errorf("%d bytes are queued, want at most %d", queued, maxQueued)
		}
		close(p.open)
		synctest.Wait()
		log.Info("afterwards")
		q.Close(time.Second)
		lines := p.lines()
		last := lines[len(lines)-1]
		var lost, notes int
		for _, line := range lines { // there is a second one if the queue was full before its first line was taken
			var n int
			if _, err := fmt.Sscanf(line, `level=WARN msg="log lines were lost: nobody read them in time" lines=%d`, &n); err == nil {
				lost, notes = lost+n, notes+1
			}
		}
		if written := len(lines) - 1 - notes; written+lost != total || lost == 0 || written < maxQueued/2000 {
			t.Errorf("%d lines were written and %d lost, want %d together", written, lost, total)
		}
		if last != "level=INFO msg=afterwards" {
			t.Errorf("the last line is %q", last)
		}
	})
}

func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(false)
		q := New(p)
		fmt.Fprintln(q, "a line")
		start := time.Now()
		q.Close(time.Second)
		if took := time.Since(start); took != time.Second {
			t.Errorf("Close took %v while nobody read, want 1s", took)
		}
		close(p.open) // lets the goroutine end
	})
}

func TestSlowReaderGetsAllBeforeClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(false)
		q := New(p)
		fmt.Fprintln(q, "a line")
		time.AfterFunc(900*time.Millisecond, func() { close(p.open) })
		start := time.Now()
		q.Close(time.Second)
		if took, got := time.Since(start), p.String(); took != 900*time.Millisecond || got != "a line\n" {
			t.Errorf("after %v there was %q, want the line after 900ms", took, got)
		}
	})
}

func TestLinesThatFailAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(true)
		q := New(p)
		log := slog.New(q.Handler(text))
		p.fail(errors.New("no space left on device"))
		for i := range 7 {
			log.Info("full", "disk", i)
			synctest.Wait()
		}
		p.fail(nil)
		log.Info("room again")
		q.Close(time.Second)
		want := "level=INFO msg=\"room again\"\nlevel=WARN msg=\"log lines were lost: nobody read them in time\" lines=7\n"
		if got := p.String(); got != want {
			t.Errorf("written was %q, want %q", got, want)
		}
	})
}

func TestLineTooLongIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipe(true)
		q := New(p)
		log := slog.New(q.Handler(text))
		log.Debug("a line", "text", strings.Repeat("x", maxQueued))
		synctest.Wait()
		if got := p.String(); !strings.HasSuffix(got, "lines=1\n") {
			t.Errorf("written was %q, want a note of one lost line", got)
		}
		q.Close(time.Second)
	})
}
