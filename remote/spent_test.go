package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"
)

// Bytes are charged to the program that they are for when they arrive, and so is what the kernel still holds.
func TestSpent(t *testing.T) {
	const size = 1 << 20
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		attach(w, "x")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(make([]byte, size))
	}, Options{})
	resp, err := c.Download(t.Context(), Request{ID: "re_1", For: "cat"})
	if err != nil {
		t.Fatal(err)
	}
	read := func(n int64) {
		t.Helper()
		if got, err := io.CopyN(io.Discard, resp.Body, n); err != nil {
			t.Fatalf("%d bytes, %v, want %d", got, err, n)
		}
	}
	read(1000)
	resp.Body.Charge("mpv")
	read(size - 1000)
	resp.Body.Close()
	if resp, err = c.Download(t.Context(), Request{ID: "re_2"}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); c.Spent()[""].Bytes == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("what came of an open body, and nobody has read, does not count")
		}
	}
	resp.Body.Close()
	want := map[string]Spent{"cat": {1, 1000}, "mpv": {0, size - 1000}}
	got := c.Spent()
	if own := got[""]; own.Requests != 1 || own.Bytes > size {
		t.Errorf("for nobody: %+v, want 1 request", own)
	}
	s := c.Stats()
	if s.Requests != 2 || s.Bytes != size+got[""].Bytes {
		t.Errorf("in all %+v, want the sum of %+v", s, got)
	}
	delete(got, "")
	if !maps.Equal(got, want) {
		t.Errorf("spent %+v, want %+v", got, want)
	}
}

// What net/http holds of open bodies is charged, too, at once and to the right programs.
func TestSpentHeld(t *testing.T) {
	sent := make(chan struct{})
	c := newTestClient(t, "http://api.test", Options{Dial: func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		t.Cleanup(func() { _ = far.Close() })
		go func() {
			_, _ = http.ReadRequest(bufio.NewReader(far))
			_, _ = io.WriteString(far, reply(200, attachment+"Content-Length: 10000\r\n", "0"))
			_, _ = far.Write(make([]byte, 1000))
			sent <- struct{}{}
		}()
		return near, nil
	}})
	want := map[string]Spent{}
	var open []*Body
	for _, program := range []string{"cat", "tac"} {
		resp, err := c.Download(t.Context(), Request{ID: "re_1", For: program})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, resp.Body, 2); err != nil {
			t.Fatal(err)
		}
		<-sent
		open = append(open, resp.Body)
		want[program] = Spent{1, 1001}
		if got := c.Spent(); !maps.Equal(got, want) {
			t.Errorf("%d open: %+v, want %+v", len(open), got, want)
		}
	}
	for _, body := range open {
		_ = body.Close()
		if got := c.Spent(); !maps.Equal(got, want) {
			t.Errorf("closed: %+v, want %+v", got, want)
		}
	}
}

// A new budget can be set.
func TestAllow(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		attach(w, "x")
		_, _ = w.Write(make([]byte, 600))
	}, Options{})
	for _, step := range []struct {
		allow int64
		want  int
	}{{-1, 600}, {700, 600}, {0, 0}, {100, 100}, {1 << 62, 600}, {0, 0}, {-1, 600}} {
		c.Allow(step.allow)
		_, body, err := fetch(t, c, Request{})
		if spent := errors.Is(err, ErrBudget); len(body) != step.want || spent != (step.want < 600) {
			t.Errorf("%d allowed: %d bytes, %v, want %d", step.allow, len(body), err, step.want)
		}
	}
}

// No budget is needed to learn of an end that came together with the last bytes.
func TestAllowAtEnd(t *testing.T) {
	c, _ := raw(t, reply(200, attachment+"Transfer-Encoding: chunked\r\n", chunks("abc")))
	resp, err := c.Download(t.Context(), Request{ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	n, first := resp.Body.Read(make([]byte, 10))
	c.Allow(0)
	if m, err := resp.Body.Read(make([]byte, 10)); n != 3 || first != nil || m != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d bytes, %v, then %d, %v", n, first, m, err)
	}
}
