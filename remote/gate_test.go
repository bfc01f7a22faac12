package remote

import (
	"context"
	"errors"
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

// readers downloads from n goroutines at once until each has succeeded or its ctx has ended. It returns a function that
// waits for them and counts the successes.
func readers(ctx context.Context, c *Client, n int) (wait func() int64) {
	var wg sync.WaitGroup
	var done atomic.Int64
	for range n {
		wg.Go(func() {
			for ctx.Err() == nil {
				resp, err := c.Download(ctx, Request{ID: testID})
				if err == nil {
					_ = resp.Body.Close()
					done.Add(1)
					return
				}
			}
		})
	}
	return func() int64 {
		wg.Wait()
		return done.Load()
	}
}

// "429 with Retry-After: 30 and 20 readers: at most 1 request before the
// deadline", after the one that was refused.
func TestGateRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var early, late atomic.Int64
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			if time.Since(began) < 30*time.Second {
				early.Add(1)
				w.Header().Set("Retry-After", "30")
				w.WriteHeader(http.StatusTooManyRequests)
				_, _ = io.WriteString(w, `{"code":"0429","msg":"Request has exceeded the limit.","data":null,"success":false,"failed":true}`)
				return
			}
			late.Add(1)
			attach(w, "x")
		}, Options{})
		defer stop()
		done := make(chan int64)
		go func() { done <- readers(t.Context(), c, 20)() }()
		synctest.Wait()
		b := c.Budget(Reader)
		var e *Error
		if !errors.As(b.Down, &e) || e.Status != 429 || e.Code != "0429" || time.Until(b.Until) != 30*time.Second || !b.Since.Equal(began) || b.Available != 0 {
			t.Errorf("budget %+v, want down for 30 s since the beginning by a 429", b)
		}
		if n := <-done; early.Load() != 1 || late.Load() != 20 || n != 20 {
			t.Errorf("%d requests before the deadline, %d after, %d done, want 1, 20, 20", early.Load(), late.Load(), n)
		}
		if d := time.Since(began); d != 30*time.Second {
			t.Errorf("all done after %v, want at once when the time is over", d)
		}
		if b := c.Budget(Reader); b.Down != nil {
			t.Errorf("still down: %v", b.Down)
		}
	})
}

// Without Retry-After there is one probe at a time, first after 1 s, finally 32 s apart. A Retry-After of less is as good as
// none. With any other a probe is sent after five minutes.
func TestGateBackoff(t *testing.T) {
	for _, asked := range []string{"", "0", "0.001", "-5", "Fri, 31 Dec 1999 07:08:40 GMT", "86400", "999999999999999999999999"} {
		synctest.Test(t, func(t *testing.T) {
			var times []time.Time // the gate lets one through at a time
			c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
				times = append(times, time.Now())
				if len(times) <= 12 {
					w.Header().Set("Retry-After", asked)
					w.WriteHeader(http.StatusTooManyRequests)
					return
				}
				attach(w, "x")
			}, Options{})
			defer stop()
			if got := readers(t.Context(), c, 1)(); got != 1 || len(times) != 13 {
				t.Fatalf("%d done with %d requests, want 1 with 13", got, len(times))
			}
			for i := 1; i < len(times); i++ {
				// 1, 1.5, 2.25 ... 32 s, each up to a tenth longer.
				low := time.Second
				for range i - 1 {
					low = min(low+low/2, 32*time.Second)
				}
				high := low + low/10
				if strings.Trim(asked, "0123456789") == "" && len(asked) > 1 {
					low, high = 5*time.Minute, 5*time.Minute
				}
				if d := times[i].Sub(times[i-1]); d < low || d > high {
					t.Errorf("Retry-After %q: pause %d was %v, want %v to %v", asked, i, d, low, high)
				}
			}
		})
	}
}

func TestGateUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) { attach(w, "x") },
			Options{RateLimit: RateLimit{Rates: []Rate{twelveMore}}})
		defer stop()
		p.Down.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		wait := readers(ctx, c, 20)
		time.Sleep(5 * time.Minute)
		// Up to 20 found out together; then a free probe each second or two.
		if n := p.Dials.Load(); n < 150 || n > 20+300 {
			t.Errorf("%d dials in five minutes, want some together and a probe each two seconds", n)
		}
		if s := c.Stats(); s.Requests != 0 || s.Left != 0 {
			t.Errorf("stats %+v: a dial that failed was taken for a request", s)
		}
		p.Down.Store(false)
		c.ForgetFailures()
		synctest.Wait()
		// The window has twelve; the other eight get the next one.
		if s := c.Stats(); s.Requests != 12 {
			t.Errorf("%d requests at once after SIGHUP, want 12", s.Requests)
		}
		if got := wait(); got != 20 {
			t.Errorf("%d of 20 readers done", got)
		}
	})
}

// A wait at the closed gate ends with ctx, and says why the gate was closed.
func TestGateWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "600")
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, `{"code":429,"msg":"slow down","success":false}`)
		}, Options{})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Download(ctx, Request{ID: testID})
		e := failure(t, err)
		if !errors.Is(err, context.DeadlineExceeded) || e.Number() != 429 || e.Msg != "slow down" || !retries(e) {
			t.Errorf("got %v, want the 429 and the deadline", err)
		}
		c.ForgetFailures()
		p.Down.Store(true)
		if _, err := c.Download(t.Context(), Request{ID: testID}); !errors.Is(err, ErrUnreachable) {
			t.Errorf("got %v, want ErrUnreachable", err)
		}
		why := errors.New("a signal")
		ctx, cancelCause := context.WithCancelCause(t.Context())
		cancelCause(why)
		_, err = c.Download(ctx, Request{ID: testID})
		if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.Canceled) || !errors.Is(err, why) {
			t.Errorf("got %v, want what closed the gate, ctx's error and its cause", err)
		}
	})
}

// A probe whose caller goes away lets the next one go, without another pause.
func TestGateCancelledProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var hits atomic.Int64
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			switch hits.Add(1) {
			case 1:
				w.Header().Set("Retry-After", "5")
				w.WriteHeader(http.StatusTooManyRequests)
			case 2:
				<-r.Context().Done() // until the client goes away
			case 3:
				time.Sleep(time.Second)
				if n := hits.Load(); n != 3 {
					t.Errorf("%d requests, want the next probe alone", n)
				}
				attach(w, "x")
			default:
				attach(w, "x")
			}
		}, Options{})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		first := make(chan error, 1)
		go func() {
			_, err := c.Download(ctx, Request{ID: testID})
			first <- err
		}()
		time.Sleep(6 * time.Second) // the probe is running
		wait := readers(t.Context(), c, 3)
		synctest.Wait()
		if b := c.Budget(Reader); hits.Load() != 2 || b.Down == nil || time.Until(b.Next) != backoffFirst {
			t.Errorf("%d requests, budget %+v, want the probe alone", hits.Load(), b)
		}
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("probe: %v, want its deadline", err)
		}
		if wait() != 3 || hits.Load() != 5 || time.Since(began) != 9*time.Second {
			t.Errorf("%d requests after %v, want 5 after 9 s", hits.Load(), time.Since(began))
		}
	})
}

// 5xx and cuts of one asset concern only that asset, and so does the Retry-After of a 503.
func TestGateStaysOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hits := 0
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			hits++
			if hits%2 == 0 {
				panic(http.ErrAbortHandler)
			}
			w.Header().Set("Retry-After", "100")
			w.WriteHeader(http.StatusServiceUnavailable)
		}, Options{})
		defer stop()
		for i := range 8 {
			_, err := c.Download(t.Context(), Request{ID: testID})
			if e := failure(t, err); !retries(e) {
				t.Errorf("request %d: %v is not temporary", i, err)
			}
			if b := c.Budget(Reader); b.Down != nil {
				t.Fatalf("request %d closed the gate: %v", i, b.Down)
			}
		}
		if hits != 8 {
			t.Errorf("%d requests, want 8", hits)
		}
	})
}

// Trouble that several assets meet is the host's: a second 503 with Retry-After, a third one without. The first good answer
// opens the gate.
func TestGateSeveralAssets(t *testing.T) {
	for _, asked := range []string{"30", ""} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			var early, late atomic.Int64
			c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
				if time.Since(began) < 30*time.Second {
					early.Add(1)
					w.Header().Set("Retry-After", asked)
					w.WriteHeader(http.StatusServiceUnavailable)
					return
				}
				late.Add(1)
				attach(w, "x")
			}, Options{})
			defer stop()
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					for {
						resp, err := c.Download(t.Context(), Request{ID: "re_1" + strconv.Itoa(i)})
						if err == nil {
							_ = resp.Body.Close()
							return
						}
						time.Sleep(time.Second) // as an asset does
					}
				})
				time.Sleep(10 * time.Millisecond) // one after the other
			}
			wg.Wait()
			most := int64(2)
			if asked == "" {
				most = 3 + 7 // and probes after 1, 1.5, 2.3, 3.4, 5.1, 7.6, 11 s
			}
			if early.Load() > most || late.Load() != 10 {
				t.Errorf("Retry-After %q: %d requests while the server was in trouble, want at most %d; %d later", asked, early.Load(), most, late.Load())
			}
		})
	}
}

// Whoever gives up at the gate hears which call closed it.
func TestGateNamesCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, Options{})
		defer stop()
		for call, ask := range map[string]func(context.Context) error{
			"download": func(ctx context.Context) error { _, err := c.Download(ctx, Request{ID: testID}); return err },
			"metadata": func(ctx context.Context) error { _, err := c.Metadata(ctx, Reader, testID); return err },
		} {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
			err := ask(ctx)
			cancel()
			if want := "gave up waiting after " + call + " re_1: HTTP 429"; err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}
