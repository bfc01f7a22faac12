package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// readers downloads from n goroutines at once until each has succeeded or its ctx
// has ended, and returns a function that waits for them and counts the successes.
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
		_, err := c.Download(t.Context(), Request{ID: testID})
		e := failure(t, err)
		if e.Number() != 429 || e.RetryAfter != 30*time.Second || !e.Temporary() || e.Code != "0429" {
			t.Errorf("got %+v", e)
		}
		b := c.Budget(Reader)
		if !errors.As(b.Down, &e) || e.Status != 429 || time.Until(b.Until) != 30*time.Second || !b.Since.Equal(began) {
			t.Errorf("budget %+v, want down for 30 s since the beginning by a 429", b)
		}
		done := readers(t.Context(), c, 20)()
		if early.Load() != 1 || late.Load() != 20 || done != 20 {
			t.Errorf("%d requests before the deadline, %d after, %d done, want 1, 20, 20", early.Load(), late.Load(), done)
		}
		if d := time.Since(began); d != 30*time.Second {
			t.Errorf("all done after %v, want at once when the time is over", d)
		}
		if b := c.Budget(Reader); b.Down != nil {
			t.Errorf("still down: %v", b.Down)
		}
	})
}

// Without Retry-After: one probe at a time, from 1 s on, up to a minute apart.
func TestGateBackoff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times []time.Time // the gate lets one through at a time
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			times = append(times, time.Now())
			if len(times) <= 12 {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			attach(w, "x")
		}, Options{})
		defer stop()
		if _, err := c.Download(t.Context(), Request{ID: testID}); err == nil {
			t.Fatal("the first request was not refused")
		}
		if got := readers(t.Context(), c, 1)(); got != 1 {
			t.Fatal("never got through")
		}
		for i := 1; i < len(times); i++ {
			// 1, 2, 4 ... 60 s, each with a quarter more or less.
			mean := min(time.Second<<(i-1), time.Minute)
			low, high := max(time.Second, mean*3/4), min(time.Minute, mean*5/4)
			if d := times[i].Sub(times[i-1]); d < low || d > high {
				t.Errorf("pause %d was %v, want %v to %v", i, d, low, high)
			}
		}
	})
}

func TestGateUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, p, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) { attach(w, "x") },
			Options{Window: NewWindow(12, nil, nil)})
		defer stop()
		p.down.Store(true)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		wait := readers(ctx, c, 20)
		time.Sleep(5 * time.Minute)
		// Up to 20 found out together; then a probe of no cost each second or two.
		if n := p.dials.Load(); n < 150 || n > 20+300 {
			t.Errorf("%d dials in five minutes, want some together and a probe each two seconds", n)
		}
		if s := c.Stats(); s.Requests != 0 || s.Left != 12 {
			t.Errorf("stats %+v: a dial that failed was taken for a request", s)
		}
		_, err := c.Metadata(ctx, testID)
		if e := failure(t, err); !errors.Is(e, ErrUnreachable) || !e.Temporary() {
			t.Errorf("metadata: %v, want ErrUnreachable with no attempt", err)
		}
		p.down.Store(false)
		c.ForgetFailures()
		synctest.Wait()
		// The window has twelve; the other eight get the next.
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
		if _, err := c.Download(t.Context(), Request{ID: testID}); err == nil {
			t.Fatal("no error")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Download(ctx, Request{ID: testID})
		e := failure(t, err)
		if !errors.Is(err, context.DeadlineExceeded) || e.Number() != 429 || e.Msg != "slow down" || !e.Temporary() {
			t.Errorf("got %v, want the 429 and the deadline", err)
		}
		c.ForgetFailures()
		p.down.Store(true)
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

// A probe whose caller goes away hands the turn on, without another pause.
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
			default:
				attach(w, "x")
			}
		}, Options{})
		defer stop()
		if _, err := c.Download(t.Context(), Request{ID: testID}); err == nil {
			t.Fatal("no error")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
		defer cancel()
		first := make(chan error, 1)
		go func() {
			_, err := c.Download(ctx, Request{ID: testID})
			first <- err
		}()
		time.Sleep(6 * time.Second) // the probe is under way
		wait := readers(t.Context(), c, 3)
		synctest.Wait()
		if b := c.Budget(Reader); hits.Load() != 2 || b.Down == nil {
			t.Errorf("%d requests, budget %+v, want the probe alone", hits.Load(), b)
		}
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("probe: %v, want its deadline", err)
		}
		if wait() != 3 || hits.Load() != 5 || time.Since(began) != 8*time.Second {
			t.Errorf("%d requests after %v, want 5 after 8 s", hits.Load(), time.Since(began))
		}
	})
}

// 5xx and cuts are an asset's own affair.
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
		for i := range 4 {
			_, err := c.Download(t.Context(), Request{ID: testID})
			if e := failure(t, err); !e.Temporary() {
				t.Errorf("request %d: %v is not temporary", i, err)
			}
			if b := c.Budget(Reader); b.Down != nil {
				t.Fatalf("request %d closed the gate: %v", i, b.Down)
			}
		}
		if hits != 4 {
			t.Errorf("%d requests, want 4", hits)
		}
	})
}

// The gate is asked again after a long wait for the window: a request that was
// let in before a 429 is not sent after it.
func TestGateClosesWhileWindowWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var last time.Time
		hits := 0
		noted := 0
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			hits++
			last = time.Now()
			if hits == 1 {
				w.Header().Set("Retry-After", "100")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			attach(w, "x")
		}, Options{Window: NewWindow(1, []time.Time{began}, func(time.Time) error { noted++; return nil })})
		defer stop()
		wait := readers(t.Context(), c, 2)
		if wait() != 2 || hits != 3 || noted != 3 {
			t.Errorf("%d requests, %d noted, want 3 and 3", hits, noted)
		}
		// One at 61 s, refused until 161 s, and 61 s more for the last.
		if d := last.Sub(began); d != (61+100+61)*time.Second {
			t.Errorf("the last went after %v, want 222 s", d)
		}
	})
}

// Requests that are refused together are one refusal: they close the gate for the
// first pause of the backoff, not for the tenth. The longest Retry-After counts.
func TestGateRefusedTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var hits atomic.Int64
		all := make(chan struct{})
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			if n := hits.Add(1); n == 10 {
				close(all)
			}
			<-all
			w.WriteHeader(http.StatusTooManyRequests)
		}, Options{})
		defer stop()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := c.Download(t.Context(), Request{ID: testID}); err == nil {
					t.Error("no error")
				}
			})
		}
		wg.Wait()
		if d := time.Until(c.Budget(Reader).Until); d < time.Second || d > 5*time.Second/4 {
			t.Errorf("ten refusals close the gate for %v, want 1 to 1.25 s", d)
		}
	})

	g := newGate()
	g.openLocked() // a first answer has come
	early, late := g.claim(), g.claim()
	early.failed(&Error{Status: 429})
	late.failed(&Error{Status: 429, RetryAfter: time.Minute})
	if d := time.Until(g.until); d < 50*time.Second {
		t.Errorf("the second of two refusals asks for a minute, the gate is closed for %v", d)
	}
}

// An unreachable host that accepts again has been reached, whatever it answers;
// a rate limit is not over because a connection broke.
func TestProbeWithoutAnswer(t *testing.T) {
	for _, tc := range []struct {
		cause error
		open  bool
	}{
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, true},
		{&Error{Status: 429}, false},
	} {
		g := newGate()
		g.claim().failed(classify(t.Context(), t.Context(), tc.cause))
		g.until = time.Now()
		p := g.claim()
		if p == nil || g.claim() != nil {
			t.Fatal("want one probe and no second")
		}
		p.unanswered()
		if open := g.cause == nil; open != tc.open {
			t.Errorf("after %v, a probe without an answer: open %v, want %v", tc.cause, open, tc.open)
		}
		if g.claim() == nil {
			t.Errorf("after %v, a probe without an answer did not pass on the turn", tc.cause)
		}
	}
}

// TestGateFirstRequest: until the first answer, others wait, but no longer than
// a moment; then they go together.
func TestGateFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		first := g.claim()
		if first == nil || g.claim() != nil {
			t.Fatal("want exactly one request before the first answer")
		}
		start := time.Now()
		if cause := g.wait(t.Context()); cause != nil || time.Since(start) != firstAnswer {
			t.Errorf("held up for %v with %v, want %v", time.Since(start), cause, firstAnswer)
		}
		if g.claim() == nil {
			t.Error("a slow first answer holds up others for ever")
		}
		first.answered()
		for range 2 {
			if g.claim() == nil {
				t.Error("after the first answer not all may go")
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		g.claim().abandoned()
		if p := g.claim(); p == nil || !p.probe {
			t.Error("the first request was abandoned, and the next is no probe")
		}
	})
}
