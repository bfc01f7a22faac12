package remote

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// grant is one request that was written, as a server would log it.
type grant struct {
	at    time.Time
	class Class
}

type ledger struct {
	mu     sync.Mutex // guards what follows
	noted  []time.Time
	grants []grant
}

func (l *ledger) note(t time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noted = append(l.noted, t)
	return nil
}

func (l *ledger) sent(s *Slot, class Class) {
	l.mu.Lock()
	l.grants = append(l.grants, grant{time.Now(), class})
	l.mu.Unlock()
	s.Sent()
}

// most is the largest number of grants of class, or of all with class -1, in any
// span.
func (l *ledger) most(class Class, span time.Duration) int {
	most := 0
	var times []time.Time
	for _, g := range l.grants {
		if class < 0 || g.class == class {
			times = append(times, g.at)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	first := 0
	for i, t := range times {
		for t.Sub(times[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// A clock that was set back an hour between two processes makes the notes of the
// first lie in the future: the second waits a window, and not an hour. One that
// was set forward makes them old; then nobody knows better.
func TestWindowClockJumps(t *testing.T) {
	for jump, want := range map[time.Duration]time.Duration{-time.Hour: windowLength, 0: windowLength, time.Hour: 0} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			noted := start.Add(-jump)
			w := NewWindow(2, []time.Time{noted, noted}, nil)
			s, err := w.Acquire(t.Context(), Reader)
			if err != nil {
				t.Fatal(err)
			}
			s.Release()
			if took := time.Since(start); took != want {
				t.Errorf("after a jump of %v a request waits %v, want %v", jump, took, want)
			}
		})
	}
}

// Random acquirers that connect slowly, give up, or give back, over several
// processes that know of each other by the noted times alone.
func TestWindowNeverExceeded(t *testing.T) {
	for seed := range uint64(60) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 1))
			limit := 1 + rnd.IntN(14)
			var l ledger
			for range 3 { // processes
				w := NewWindow(limit, l.noted, l.note)
				var wg sync.WaitGroup
				for range 40 {
					class := Class(rnd.IntN(int(classes)))
					starts := time.Duration(rnd.IntN(int(100 * time.Second)))
					patience := time.Duration(rnd.IntN(int(300 * time.Second)))
					connects := time.Duration(rnd.IntN(int(2 * time.Second)))
					fails := rnd.IntN(5) == 0
					wg.Go(func() {
						time.Sleep(starts)
						ctx, cancel := context.WithTimeout(t.Context(), patience)
						defer cancel()
						s, err := w.Acquire(ctx, class)
						if err != nil {
							return
						}
						time.Sleep(connects)
						if fails {
							s.Release()
							return
						}
						l.sent(s, class)
					})
				}
				wg.Wait()
				if n, _ := w.Available(Reader); n < 0 || n > limit {
					t.Errorf("seed %d: %d of %d available", seed, n, limit)
				}
			}
			if got := l.most(-1, time.Minute); got > limit {
				t.Errorf("seed %d: %d requests in a minute, limit %d", seed, got, limit)
			}
			if got, most := l.most(Resolver, time.Minute), max(1, 2*limit/3); got > most {
				t.Errorf("seed %d: resolvers made %d of %d requests, may have %d", seed, got, limit, most)
			}
			if len(l.grants) == 0 {
				t.Errorf("seed %d: nothing was ever granted", seed)
			}
		})
	}
}

// "1000 unresolved assets listed, 12 a minute, then a reader: the reader's
// request goes out at once", again after a restart.
func TestReaderNeverWaitsBehindListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l ledger
		for process := range 2 {
			w := NewWindow(12, l.noted, l.note)
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 1000 {
				wg.Go(func() {
					if s, err := w.Acquire(ctx, Resolver); err == nil {
						l.sent(s, Resolver)
					}
				})
			}
			synctest.Wait()
			if n := len(l.grants); process == 0 && n != 8 {
				t.Errorf("%d resolvers went at once, want 8 of 12", n)
			}
			began := time.Now()
			for range 2 { // of the four that resolvers leave, two a process
				s, err := w.Acquire(t.Context(), Reader)
				if err != nil {
					t.Fatal(err)
				}
				l.sent(s, Reader)
			}
			if d := time.Since(began); d != 0 {
				t.Errorf("process %d: readers waited %v", process, d)
			}
			cancel()
			wg.Wait()
		}
		if got := len(l.grants); got != 12 {
			t.Errorf("%d requests at once, want 12", got)
		}
	})
}

func TestWindowOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow(1, []time.Time{time.Now()}, nil)
		var order []int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i, class := range []Class{Resolver, Resolver, Reader, Reader} {
			wg.Go(func() {
				s, err := w.Acquire(t.Context(), class)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
				s.Sent()
			})
			synctest.Wait() // it stands in the queue
		}
		began := time.Now()
		wg.Wait()
		if want := []int{2, 3, 0, 1}; !slices.Equal(order, want) {
			t.Errorf("served %v, want readers first and each class in order: %v", order, want)
		}
		if d := time.Since(began); d != 4*windowLength {
			t.Errorf("four requests of one a window took %v, want %v", d, 4*windowLength)
		}
	})
}

func TestWindowCancelledTakesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := 0
		w := NewWindow(2, nil, func(time.Time) error { notes++; return nil })
		gone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		if _, err := w.Acquire(ctx, Reader); !errors.Is(err, gone) {
			t.Errorf("got %v, want ctx's cause", err)
		}
		for range 2 {
			if _, err := w.Acquire(t.Context(), Reader); err != nil {
				t.Fatal(err)
			}
		}
		short, cancel2 := context.WithTimeout(t.Context(), time.Second)
		defer cancel2()
		if _, err := w.Acquire(short, Reader); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		if n := w.pending[Reader]; n != 2 || notes != 2 || len(w.queue[Reader]) != 0 {
			t.Errorf("%d slots taken, %d notes, %d waiting, want 2, 2, 0", n, notes, len(w.queue[Reader]))
		}
	})
}

// Two slots that are given back while many wait: no wake-up is lost.
func TestWindowReleaseWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := NewWindow(1, nil, nil)
		s, err := w.Acquire(t.Context(), Reader)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		served := 0
		for range 20 {
			wg.Go(func() {
				s, err := w.Acquire(t.Context(), Resolver)
				if err != nil {
					t.Error(err)
					return
				}
				served++ // one at a time, by the window
				s.Release()
			})
		}
		synctest.Wait()
		began := time.Now()
		s.Release()
		wg.Wait()
		if d := time.Since(began); served != 20 || d != 0 {
			t.Errorf("%d served in %v, want 20 at once", served, d)
		}
	})
}

func TestWindowNoteFails(t *testing.T) {
	full := errors.New("disk full")
	for _, limit := range []int{0, 1} {
		w := NewWindow(limit, nil, func(time.Time) error { return full })
		for range 3 {
			if _, err := w.Acquire(t.Context(), Reader); !errors.Is(err, full) {
				t.Errorf("limit %d: got %v, want the note's error", limit, err)
			}
		}
		if n, _ := w.Available(Reader); limit == 1 && n != 1 {
			t.Errorf("a failed acquire took a slot")
		}
	}
}

// A connection that takes long to make is noted a second time, since a restart
// would otherwise count it from too early on.
func TestWindowSlowConnect(t *testing.T) {
	for delay, want := range map[time.Duration]int{noteAgain: 1, noteAgain + 1: 2} {
		synctest.Test(t, func(t *testing.T) {
			var l ledger
			w := NewWindow(3, nil, l.note)
			s, err := w.Acquire(t.Context(), Reader)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(delay)
			s.Sent()
			if got := len(l.noted); got != want {
				t.Errorf("written %v after its note: noted %d times, want %d", delay, got, want)
			}
		})
	}
}

func TestWindowAvailable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		ago := func(d time.Duration) time.Time { return began.Add(-d) }
		w := NewWindow(3, []time.Time{
			ago(2 * time.Hour), ago(40 * time.Second), ago(50 * time.Second), began.Add(time.Hour),
		}, nil)
		check := func(what string, class Class, n int, in time.Duration) {
			t.Helper()
			got, next := w.Available(class)
			if got != n || n == 0 && next.Sub(began) != in || n > 0 && !next.IsZero() {
				t.Errorf("%s: class %d has %d, next in %v, want %d, %v", what, class, got, next.Sub(began), n, in)
			}
		}
		// The future one counts as now; resolvers may have two of three.
		check("at first", Reader, 0, 11*time.Second)
		check("at first", Resolver, 0, 21*time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if s, err := w.Acquire(ctx, Reader); err == nil {
				s.Release()
			}
		})
		synctest.Wait()
		check("one waits", Reader, 0, 21*time.Second)
		cancel()
		wg.Wait()
		time.Sleep(22 * time.Second)
		check("later", Reader, 2, 0)
		check("later", Resolver, 1, 0)
	})
	if n, next := NewWindow(0, nil, nil).Available(Resolver); n != math.MaxInt || !next.IsZero() {
		t.Errorf("no limit: %d, %v", n, next)
	}
}
