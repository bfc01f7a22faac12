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
		if left := time.Until(s.Until); s.Closed == nil || left < 28*time.Second || left > 30*time.Second || !strings.Contains(s.Closed.Error(), "429") || s.Spread == 0 {
			t.Errorf("refused: %+v, %v left", s, left)
		}
		if m := c.Limits()[1]; m.Calls != "metadata" || m.Closed != nil {
			t.Errorf("metadata: %+v", m)
		}
		cancel()
		synctest.Wait()
	})
}
