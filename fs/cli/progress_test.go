package cli

import (
	"bytes"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assetfs/fs/service"
)

// screen keeps what is written, and wakes whoever waits for a text.
type screen struct {
	mu     sync.Mutex
	text   bytes.Buffer
	wanted string
	shown  chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text.Write(p)
	if s.shown != nil && strings.Contains(s.text.String(), s.wanted) {
		close(s.shown)
		s.shown = nil
	}
	return len(p), nil
}

// await returns when text has been written.
func (s *screen) await(t *testing.T, text string) {
	t.Helper()
	s.mu.Lock()
	if strings.Contains(s.text.String(), text) {
		s.mu.Unlock()
		return
	}
	shown := make(chan struct{})
	s.wanted, s.shown = text, shown
	s.mu.Unlock()
	select {
	case <-shown:
	case <-t.Context().Done():
		t.Fatalf("%q was not shown", text)
	}
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// work is a mount whose status the test sets.
type work struct {
	requests atomic.Int64
	asked    atomic.Int64
	status   atomic.Pointer[service.Status]
}

func (w *work) activity() activity {
	return activity{Requests: w.requests.Load, Status: func() service.Status {
		w.asked.Add(1)
		return *w.status.Load()
	}}
}

func downloading() *service.Status {
	return &service.Status{
		Requests: 1, RequestsLeft: 11, Downloaded: 1 << 20, Cost: 0.0001,
		Assets: []service.AssetStatus{
			{ID: "re_1", Name: "evil\x1b[31m.mp4", Size: 4 << 20, Spooled: 1 << 20, Streams: []service.StreamStatus{{Speed: 1 << 20, ETA: 3}}},
			{ID: "re_2", Name: "idle.mp4", Size: 10},
			{ID: "re_3", Size: -1, Spooled: 7, Streams: []service.StreamStatus{{Paused: true}}},
		},
	}
}

func TestProgressShowsDownloads(t *testing.T) {
	s, w := &screen{}, &work{}
	w.status.Store(downloading())
	w.requests.Store(1)
	p := newProgress(s, false)
	p.Start(w.activity())
	s.await(t, "so far")
	if _, err := p.Write([]byte("a log line\n")); err != nil {
		t.Fatal(err)
	}
	s.await(t, "a log line\n")
	w.status.Store(&service.Status{Requests: 1})
	p.Close(time.Minute)
	if _, err := p.Write([]byte("afterwards\n")); err != nil {
		t.Fatal(err)
	}
	got := s.String()
	for _, want := range []string{
		`evil\u001b[31m.mp4`, "25% of 4.0 MiB, 1.0 MiB/s, 3s left", "re_3", "7 B, paused",
		"1.0 MiB in 1 requests, $0.0001 so far, 11 more may start now", "######",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the lines lack %q:\n%q", want, got)
		}
	}
	if strings.Contains(got, "idle.mp4") || strings.Contains(got, "\x1b[31m") {
		t.Errorf("the lines hold what they must not:\n%q", got)
	}
	if !strings.HasSuffix(got, "afterwards\n") {
		t.Errorf("something was drawn after Close:\n%q", got)
	}
}

func TestIdleProgressAsksForNoStatus(t *testing.T) {
	s, w := &screen{}, &work{}
	p := newProgress(s, false)
	looked := make(chan struct{}, 2)
	a := w.activity()
	a.Requests = func() int64 {
		looked <- struct{}{}
		return 0
	}
	p.Start(a)
	<-looked
	<-looked
	p.Close(time.Minute)
	if got := w.asked.Load(); got != 0 || s.String() != "" {
		t.Errorf("an idle mount was asked %d times and %q written; want nothing", got, s.String())
	}
}

func TestProgressWithoutStart(t *testing.T) {
	s := &screen{}
	p := newProgress(s, false)
	if _, err := p.Write([]byte("line\n")); err != nil {
		t.Fatal(err)
	}
	p.Close(time.Minute)
	if got := s.String(); got != "line\n" {
		t.Errorf("written was %q, want the line", got)
	}
}

func TestShorten(t *testing.T) {
	for name, want := range map[string]string{
		"short": "short", "exactly-ten": "exactl…ten", "Grüße – 你好.txt": "Grüße …txt",
		"第一集.mp4": "第一集.mp4", "第一集と第二集": "第一集…集", "a第一集と第二集": "a第一集…集",
	} {
		if got := shorten(name, 10); got != want {
			t.Errorf("shorten(%q, 10) = %q, want %q", name, got, want)
		}
	}
}

// stopped is a terminal after Ctrl-S.
type stopped struct{ wanted, going chan struct{} }

func (s *stopped) Write(p []byte) (int, error) {
	select {
	case s.wanted <- struct{}{}:
	default:
	}
	<-s.going
	return len(p), nil
}

func TestCloseDoesNotWaitForAStoppedTerminal(*testing.T) {
	s, w := &stopped{make(chan struct{}, 1), make(chan struct{})}, &work{}
	defer close(s.going)
	w.status.Store(downloading())
	w.requests.Store(1)
	p := newProgress(s, false)
	p.Start(w.activity())
	<-s.wanted
	p.Close(time.Millisecond) // hangs if it waits
}
