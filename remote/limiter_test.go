package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Random callers that connect slowly, give up, or never write, in several processes that know each other only by the ledger,
// one of them after a kill: each rate holds exactly.
func TestLimiterNeverExceeded(t *testing.T) {
	for seed := range uint64(80) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			text := []string{"1/s", "12/m", "1/s,12/m", "3/s", "2/5s,7/m", "14/m", "5/600ms,1/s", "9/h"}[rnd.IntN(8)]
			m := new(memory)
			var w wire
			for range 3 { // processes
				l := testLimiter(t, text, m)
				var wg sync.WaitGroup
				life, kill := context.WithTimeout(t.Context(), time.Duration(rnd.IntN(int(200*time.Second))))
				for range 40 {
					class := Class(rnd.IntN(2))
					starts := time.Duration(rnd.IntN(int(100 * time.Second)))
					patient := func() bool { return starts%2 == 0 }
					patience := time.Duration(rnd.IntN(int(300 * time.Second)))
					connects := time.Duration(rnd.IntN(int(2 * time.Second)))
					fails := rnd.IntN(5) == 0
					wg.Go(func() {
						time.Sleep(starts)
						ctx, cancel := context.WithTimeout(life, patience)
						defer cancel()
						if !fails {
							_ = w.callAs(ctx, l, class, patient, connects)
							return
						}
						s, err := l.acquire(ctx, class, "re_1", patient)
						if err != nil {
							return
						}
						time.Sleep(connects)
						s.done("re_1", &Error{Err: ErrStalled}, false)
					})
				}
				wg.Wait()
				kill()
				if b := l.budget(Reader); b.Available < 0 || b.Available > 14 {
					t.Errorf("seed %d: %d of %s available", seed, b.Available, text)
				}
			}
			for _, r := range rates(t, text).Rates {
				if got := w.most(r.Per); got > r.N {
					t.Errorf("seed %d: %d calls in %v, limit %s", seed, got, r.Per, text)
				}
			}
			if len(w.times) == 0 {
				t.Errorf("seed %d: nothing was ever granted", seed)
			}
		})
	}
}

// If the clock is set back an hour between two processes, the times of the first lie in the future: the second process waits
// for an interval, not for an hour. If the clock is set forward, the times are old, and nobody can know better.
func TestLimiterClockJumps(t *testing.T) {
	for jump, want := range map[time.Duration]time.Duration{-time.Hour: 61 * time.Second, 0: 61 * time.Second, time.Hour: 0} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			noted := start.Add(-jump)
			l := testLimiter(t, "2/m", &memory{calls: map[string][]time.Time{"download": {noted, noted}}})
			var w wire
			if err := w.call(t.Context(), l, Reader, 0); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != want {
				t.Errorf("after a jump of %v a call waits %v, want %v", jump, took, want)
			}
		})
	}
}

// A rate is fully used although connecting takes a while: the next caller connects before its time, and waits there.
func TestLimiterConnectsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/s", nil)
		var w wire
		var wg sync.WaitGroup
		began := time.Now()
		const n = 21
		for range n {
			wg.Go(func() {
				if err := w.call(t.Context(), l, Reader, 200*time.Millisecond); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if got := w.most(1100 * time.Millisecond); got != 1 {
			t.Errorf("%d calls within 1.1 s", got)
		}
		// The first few calls measure how long it takes.
		if took := time.Since(began); took > (n-1)*1100*time.Millisecond+time.Second {
			t.Errorf("%d calls took %v, want 1.1 s each and no more than a second in all", n, took)
		}
	})
}

// Background calls never queue. They leave a third of the limit to readers, unless it becomes free within an interval.
func TestLimiterBackground(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "12/m", nil)
		var w wire
		began := time.Now()
		for range 100 {
			if err := w.call(t.Context(), l, Background, 0); err != nil && !errors.Is(err, ErrNoSlot) {
				t.Fatal(err)
			}
		}
		if len(w.times) != 8 {
			t.Errorf("%d background calls at once, want 8", len(w.times))
		}
		if b := l.budget(Background); b.Available != 0 || b.Next.Sub(began) != 41*time.Second {
			t.Errorf("background: %+v, next in %v, want 41 s", b, b.Next.Sub(began))
		}
		for range 4 {
			if err := w.call(t.Context(), l, Reader, 0); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("readers waited %v behind a listing", took)
		}
		// A waiting reader goes before all background calls.
		done := make(chan error, 1)
		go func() { done <- w.call(t.Context(), l, Reader, 0) }()
		synctest.Wait()
		for time.Since(began) < time.Minute {
			if err := w.call(t.Context(), l, Background, 0); !errors.Is(err, ErrNoSlot) {
				t.Fatalf("background call before a waiting reader: %v", err)
			}
			time.Sleep(500 * time.Millisecond)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A listing uses the whole limit, and a reader that comes at any moment waits for at most an interval.
func TestReaderBesideListing(t *testing.T) {
	for _, text := range []string{"1/s", "12/m", "1/s,12/m", "3/s", "2/m"} {
		synctest.Test(t, func(t *testing.T) {
			limit := rates(t, text)
			rate := limit.Rates[len(limit.Rates)-1]
			l := testLimiter(t, text, nil)
			var listing, reading wire
			rnd := rand.New(rand.NewPCG(1, 1))
			began := time.Now()
			list := func(until time.Time) {
				for time.Now().Before(until) {
					if err := listing.call(t.Context(), l, Background, 0); err != nil {
						time.Sleep(max(time.Until(l.budget(Background).Next), time.Millisecond))
					}
				}
			}
			list(began.Add(20 * rate.Per))
			if n := len(listing.times); n < 19*rate.N*rate.N/(rate.N+1) {
				t.Errorf("%s: a listing made %d calls in %v", text, n, 20*rate.Per)
			}
			for range 50 {
				list(time.Now().Add(time.Duration(rnd.Int64N(int64(2 * rate.Per)))))
				asked := time.Now()
				if err := reading.call(t.Context(), l, Reader, 0); err != nil {
					t.Fatal(err)
				}
				if took, most := time.Since(asked), max(rate.interval(), rate.window()/time.Duration(rate.N), 1100*time.Millisecond); took > most {
					t.Errorf("%s: a reader waited %v, want at most %v", text, took, most)
				}
			}
		})
	}
}

// A program that reads one asset after the other does not wait for a listing in between.
func TestReaderComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/s", nil)
		var reading, listing wire
		list := func(d time.Duration) {
			for until := time.Now().Add(d); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
				_ = listing.call(t.Context(), l, Background, 0)
			}
		}
		for range 5 {
			asked := time.Now()
			if err := reading.call(t.Context(), l, Reader, 0); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(asked); took != 0 {
				t.Errorf("a reader waited %v", took)
			}
			list(1400 * time.Millisecond)
		}
		if n := len(listing.times); n != 0 {
			t.Errorf("a listing made %d calls beside a reader", n)
		}
		if list(time.Second); len(listing.times) == 0 {
			t.Error("a listing made no call after the reader")
		}
	})
}

// Connecting to a host that can't be reached is what the gate is for, so it does not begin early.
func TestProbeConnectsInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "none", nil)
		l.lead = leadMost
		began := time.Now()
		for range 2 {
			s, err := l.acquire(t.Context(), Reader, "re_1", nil)
			if err != nil {
				t.Fatal(err)
			}
			s.done("re_1", &Error{Err: ErrUnreachable, temporary: true}, false)
		}
		if took := time.Since(began); took < backoffFirst {
			t.Errorf("the probe went after %v", took)
		}
	})
}

func TestLimiterLedgerFails(t *testing.T) {
	full := errors.New("disk full")
	for _, text := range []string{"none", "1/s"} {
		l := testLimiter(t, text, &memory{fails: full})
		for range 3 {
			if _, err := l.acquire(t.Context(), Reader, "re_1", nil); !errors.Is(err, full) {
				t.Errorf("%s: got %v, want the ledger's error", text, err)
			}
		}
		if l.times.pending != 0 {
			t.Errorf("%s: a failed acquire took a slot", text)
		}
	}
}

// A call that is written late is recorded a second time. Otherwise a restart would count from too early a time.
func TestLimiterNotesAgain(t *testing.T) {
	for delay, want := range map[time.Duration]int{noteAgain: 1, noteAgain + 1: 2} {
		synctest.Test(t, func(t *testing.T) {
			m := new(memory)
			var w wire
			if err := w.call(t.Context(), testLimiter(t, "3/m", m), Reader, delay); err != nil {
				t.Fatal(err)
			}
			if got := len(m.Calls("download")); got != want {
				t.Errorf("written %v after its note: noted %d times, want %d", delay, got, want)
			}
		})
	}
}

func TestLimiterBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ago := func(d time.Duration) time.Time { return began.Add(-d) }
		l := testLimiter(t, "3/m", &memory{calls: map[string][]time.Time{"download": {
			ago(2 * time.Hour), ago(40 * time.Second), ago(50 * time.Second), began.Add(time.Hour),
		}}})
		check := func(what string, n int, in time.Duration) {
			t.Helper()
			b := l.budget(Reader)
			if b.Available != n || n == 0 && b.Next.Sub(began) != in || b.Worth != 20*time.Second {
				t.Errorf("%s: %+v, want %d, next in %v", what, b, n, in)
			}
		}
		check("at first", 0, 11*time.Second) // a time in the future counts as now
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if s, err := l.acquire(ctx, Reader, "re_1", nil); err == nil {
				s.release()
			}
		})
		synctest.Wait()
		check("one waits", 0, 21*time.Second)
		cancel()
		wg.Wait()
		time.Sleep(22 * time.Second)
		check("later", 2, 0)
	})
	l := testLimiter(t, "none", nil)
	if b := l.budget(Background); b.Available != noLimit || b.Worth != 0 {
		t.Errorf("no limit: %+v", b)
	}
	l.gate.proven = false
	if b := l.budget(Background); b.Available != 1 {
		t.Errorf("no limit, before the first answer: %+v", b)
	}
	if b := testLimiter(t, "12/m", nil).budget(Background); b.Available != 1 {
		t.Errorf("a limit, in the background: %+v", b)
	}
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/s", nil)
		if err := new(wire).call(t.Context(), l, Reader, 0); err != nil {
			t.Fatal(err)
		}
		l.lead = 300 * time.Millisecond
		time.Sleep(onePerSecond.window() - l.lead)
		if b := l.budget(Reader); b.Available != 1 {
			t.Errorf("a call may connect: %+v", b)
		}
	})
}

// A mount that runs for months keeps no more calls than the limits look back.
func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, w := testLimiter(t, "1/s", nil), new(wire)
		for range 1000 {
			if err := w.call(t.Context(), l, Reader, 0); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(l.times.sent); n > 61 {
			t.Errorf("%d calls are kept", n)
		}
	})
}

// Of several limits the one that allows least counts.
func TestBudgetOfSeveralRates(t *testing.T) {
	for _, limit := range []string{"3/s,12/m", "12/m,3/s"} {
		synctest.Test(t, func(t *testing.T) {
			l, w := testLimiter(t, limit, nil), new(wire)
			if err := w.call(t.Context(), l, Reader, 0); err != nil {
				t.Fatal(err)
			}
			if b := l.budget(Reader); b.Available != 2 {
				t.Errorf("%s: %+v, want 2 available", limit, b)
			}
		})
	}
}

// Who gives up when the next probe is due is not held up by the gate.
func TestGivenUpWhenProbeIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "none", nil)
		l.gate.close(&slot{}, &Error{Status: 429, RetryAfter: 5 * time.Second}, 0, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for due, after := range []time.Duration{0, 5 * time.Second} {
			time.Sleep(after)
			_, err := l.acquire(ctx, Reader, "re_1", nil)
			if blamed := strings.Contains(err.Error(), "429"); !errors.Is(err, context.Canceled) || blamed != (due == 0) {
				t.Errorf("after %v: %v", after, err)
			}
		}
	})
}
