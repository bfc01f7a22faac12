package remote

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// redirected is a service that redirects downloads of assets to what moved returns, "" for none. Hosts whose names begin with
// dead can't be reached; others fail as their path says.
type redirected struct {
	moved func(id string) string
	api   atomic.Int64 // requests to the API
	sick  atomic.Bool  // the other hosts fail
}

func (s *redirected) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != "api.test" {
		switch how := strings.Trim(r.URL.Path, "/"); {
		case !s.sick.Load():
			attach(w, "x")
		case how == "page":
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, "<html>gone")
		default:
			status, _ := strconv.Atoi(how)
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(status)
		}
		return
	}
	s.api.Add(1)
	if to := s.moved(strings.Split(r.URL.Path, "/")[1]); to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	attach(w, "x")
}

// until downloads an asset again and again, once a second as an asset may, until that succeeds.
func until(t *testing.T, c *Client, id string) {
	for {
		resp, err := c.Download(t.Context(), Request{ID: id})
		if err == nil {
			_ = resp.Body.Close()
			return
		}
		time.Sleep(time.Second)
	}
}

// What goes wrong behind the redirect of one asset is that asset's trouble: all others are read without a pause, and once it
// is over, so is it.
func TestRedirectOneFails(t *testing.T) {
	for _, to := range []string{"http://dead.test/x", "http://store.test/page", "http://store.test/429", "http://store.test/511", "http://store.test/503", "http://store.test/401"} {
		synctest.Test(t, func(t *testing.T) {
			s := &redirected{moved: func(id string) string {
				if id == "re_9" {
					return to
				}
				return ""
			}}
			s.sick.Store(true)
			c, p, stop := bubble(t, s.ServeHTTP, Options{})
			defer stop()
			p.dead.Store(true)
			began := time.Now()
			var wg sync.WaitGroup
			wg.Go(func() { until(t, c, "re_9") })
			for round := range 30 {
				synctest.Wait()
				if b := c.Budget(Reader); b.Down != nil {
					t.Errorf("%s: after %v the gate is closed: %v", to, time.Since(began), b.Down)
				}
				until(t, c, "re_1"+strconv.Itoa(round%7))
				time.Sleep(time.Second)
			}
			if took := time.Since(began); took != 30*time.Second {
				t.Errorf("%s: 30 downloads, a second apart, took %v", to, took)
			}
			if n := s.api.Load(); n > 30+31 {
				t.Errorf("%s: %d requests, want 30 and one a second", to, n)
			}
			p.dead.Store(false)
			s.sick.Store(false)
			wg.Wait()
			if took := time.Since(began); took > 32*time.Second {
				t.Errorf("%s: the asset was read only after %v", to, took)
			}
			if got := c.downloads.limiter.learnt; got.Stretch != 0 || got.Wait != 0 {
				t.Errorf("%s: learnt %+v of the account", to, got)
			}
		})
	}
}

// A host that several assets in a row need keeps all waiting: each probe costs a request of the API. Several that one asset
// each needs keep nobody waiting.
func TestRedirectHostDown(t *testing.T) {
	for _, tc := range []struct {
		name        string
		to          func(id string) string
		least, most int64 // requests in 30 s
	}{
		// Three, and probes after 1, 1.5, 2.3, 3.4, 5.1, 7.6 s.
		{"one host", func(string) string { return "http://dead.test/x" }, 3 + 5, 3 + 7},
		{"one host each", func(id string) string { return "http://dead-" + id + ".test/x" }, 10 * 29, 10 * 31},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &redirected{moved: tc.to}
			c, p, stop := bubble(t, s.ServeHTTP, Options{})
			defer stop()
			p.dead.Store(true)
			began := time.Now()
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() { until(t, c, "re_1"+strconv.Itoa(i)) })
				time.Sleep(10 * time.Millisecond) // one after the other
			}
			time.Sleep(time.Until(began.Add(30 * time.Second)))
			if n := s.api.Load(); n < tc.least || n > tc.most {
				t.Errorf("%s: %d requests in 30 s, want %d to %d", tc.name, n, tc.least, tc.most)
			}
			p.dead.Store(false)
			wg.Wait()
			if took := time.Since(began); took > 45*time.Second {
				t.Errorf("%s: all were read only after %v", tc.name, took)
			}
		})
	}
}

// A redirect is an answer: a probe that gets one opens the gate, whatever is wrong behind it.
func TestRedirectOpensGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := false
		s := &redirected{moved: func(string) string { return "http://dead.test/x" }}
		c, p, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			if !refused {
				refused = true
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			s.ServeHTTP(w, r)
		}, Options{})
		defer stop()
		p.dead.Store(true)
		_, err := c.Download(t.Context(), Request{ID: testID}) // it waits at the gate, and is the probe
		if e := failure(t, err); !e.Elsewhere() {
			t.Errorf("got %v", err)
		}
		if b := c.Budget(Reader); b.Down != nil {
			t.Errorf("the gate is closed: %v", b.Down)
		}
	})
}
