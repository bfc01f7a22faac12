package remote

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestLimits checks what is shown while calls wait for their turn, and while a gate is closed.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var refuse atomic.Value
		refuse.Store("")
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			if refuse.Load() != "" && strings.HasSuffix(r.URL.Path, "/download") {
				w.Header().Set("Retry-After", refuse.Load().(string))
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			attach(w, "x")
		}, Options{RateLimit: AutoRateLimit()})
		defer stop()
		download := func() LimitState { return c.Limits()[0] }
		if s := download(); s.Calls != "download" || s.Rate != "1/s" || s.Waiting != 0 || s.Next.After(time.Now()) || s.Closed != nil {
			t.Errorf("idle: %+v", s)
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range 4 {
			go func() {
				if resp, err := c.Download(ctx, Request{ID: testID}); err == nil {
					_ = resp.Body.Close()
				}
			}()
		}
		time.Sleep(100 * time.Millisecond)
		synctest.Wait()
		if s := download(); s.Waiting < 2 || !s.Next.After(time.Now()) {
			t.Errorf("busy: %+v", s)
		}
		time.Sleep(10 * time.Second)
		refuse.Store("30")
		go func() { _, _ = c.Download(ctx, Request{ID: testID}) }()
		time.Sleep(time.Second)
		s := download()
		if left := time.Until(s.Next); s.Closed == nil || left < 28*time.Second || left > 30*time.Second || !strings.Contains(s.Closed.Error(), "429") || s.Spread == 0 {
			t.Errorf("refused: %+v, %v left", s, left)
		}
		if m := c.Limits()[1]; m.Calls != "metadata" || m.Closed != nil {
			t.Errorf("metadata: %+v", m)
		}
		cancel()
		synctest.Wait()
	})
}

// While the gate is closed, the rate limit may hold up the next call for longer. While a probe is running, the next is tried now.
func TestLimitsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/m", nil)
		call := func() *slot {
			s, err := l.acquire(t.Context(), Reader, "re_1", nil)
			if err != nil {
				t.Fatal(err)
			}
			s.write(t.Context())
			return s
		}
		call().done("re_1", &Error{Err: ErrUnreachable, temporary: true}, false)
		if s := l.state(); s.Closed == nil || time.Until(s.Next) != 61*time.Second {
			t.Errorf("unreachable, and no call is left for 61 s: %+v, next in %v", s, time.Until(s.Next))
		}
		probe := call()
		if s := l.state(); s.Closed == nil || s.Next.After(time.Now()) {
			t.Errorf("a probe is running: %+v, next in %v", s, time.Until(s.Next))
		}
		probe.done("re_1", nil, false)
		if s := l.state(); s.Closed != nil || time.Until(s.Next) != 61*time.Second {
			t.Errorf("answered: %+v, next in %v", s, time.Until(s.Next))
		}
	})
}
