package asset

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetryCounts(t *testing.T) {
	const after = 30 * time.Second
	for name, c := range map[string]struct {
		err  *apiError
		want int           // requests within the minute
		took time.Duration // at least
	}{
		"permanent":                    {&apiError{status: 402}, 1, 0},
		"three in all":                 {&apiError{status: 400, tries: 3}, 3, 0},
		"Retry-After holds":            {&apiError{status: 503, temp: true, after: after}, 2, after},
		"Retry-After, and three alone": {&apiError{status: 503, tries: 3, after: after}, 2, after},
	} {
		t.Run(name, func(t *testing.T) {
			failures := make([]error, 100)
			for i := range failures {
				failures[i] = c.err
			}
			test(t, &fakeServer{size: mib, failures: failures}, func(r *rig) {
				start := time.Now()
				for range 3 { // what was learnt holds for all
					_, err := r.Contact(context.Background(), Contact{RetryFor: 35 * time.Second})
					if !errors.Is(err, c.err) {
						t.Fatalf("error is %v", err)
					}
					if c.took > 0 {
						break
					}
				}
				if took := time.Since(start); took < c.took || len(r.server.requests) != c.want {
					t.Errorf("%d requests, took %v; want %d, at least %v", len(r.server.requests), took, c.want, c.took)
				}
				r.server.failures = nil
				time.Sleep(max(rememberFor, after))
				r.contact()
			})
		})
	}
}

// TestQueueIsNotRetrying lets a read fail once, and then wait for its turn longer than it may retry.
func TestQueueIsNotRetrying(t *testing.T) {
	test(t, &fakeServer{size: mib, ranged: true, perMin: 2, failures: []error{errServer}}, func(r *rig) {
		r.server.times = append(r.server.times, time.Now())
		if _, err := r.Contact(context.Background(), Contact{RetryFor: 5 * time.Second}); err != nil {
			t.Error(err)
		}
		r.spent(2, 0)
	})
}

// TestSlowFailuresAreRetrying: while a request is made, no other may start, but that is no queue. The first
// one counts, too, and none is made when the time is over.
func TestSlowFailuresAreRetrying(t *testing.T) {
	const answer = 10 * time.Second
	for name, c := range map[string]struct {
		retryFor time.Duration
		unsent   bool
		requests int
	}{
		"no answer":             {35 * time.Second, false, 4},
		"no connection":         {35 * time.Second, true, 4},
		"less than one attempt": {5 * time.Second, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			failures := make([]error, 100)
			for i := range failures {
				failures[i] = errServer
			}
			test(t, &fakeServer{size: mib, latency: answer, oneByOne: true, unsent: c.unsent, failures: failures}, func(r *rig) {
				for range 2 { // what is left of the first must not count for the second
					start := time.Now()
					_, err := r.Contact(context.Background(), Contact{RetryFor: c.retryFor})
					want := max(c.retryFor, answer)
					if took := time.Since(start); !errors.Is(err, errServer) || took < want || took > want+2*time.Second {
						t.Errorf("%v after %v, want %v after about %v", err, took, errServer, want)
					}
					time.Sleep(time.Minute)
				}
				if n := len(r.server.requests); n != 2*c.requests {
					t.Errorf("%d requests, want %d", n, 2*c.requests)
				}
			})
		})
	}
}

// TestCrowdedGivesWay reads two assets of a server that serves one download at a
// time.
func TestCrowdedGivesWay(t *testing.T) {
	for name, c := range map[string]struct {
		ranged bool
		read   int64 // of the first asset
		gives  bool
	}{
		"Range":                {true, mib, true},
		"no Range, below half": {false, mib, false},
		"no Range, above half": {false, 28 * mib, true},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: 64 * mib, ranged: c.ranged, etag: true, single: true}, func(r *rig) {
				r.store.engine.RetryFor = 10 * time.Second
				second := r.store.Asset("re_2")
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, c.read)
				time.Sleep(linger)
				_, err := second.Contact(context.Background(), Contact{})
				if gave := err == nil; gave != c.gives {
					t.Errorf("gave way %v, error %v", gave, err)
				}
				if !c.gives {
					return
				}
				r.spent(3, 64*mib)
				time.Sleep(2 * linger)
				if c.ranged {
					r.cat(rd, c.read, c.read+8*mib) // and the first goes on
				}
			})
		})
	}
}

// TestVainlyGivesWay: a server that refuses an asset whatever gives way costs few of the others their streams.
func TestVainlyGivesWay(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true}, func(r *rig) {
		for _, id := range []string{"re_2", "re_3", "re_4", "re_5"} {
			a := r.store.Asset(id)
			if _, err := a.Contact(context.Background(), Contact{}); err != nil {
				t.Fatal(err)
			}
			rd := a.Open()
			defer rd.Close()
			r.cat(rd, 0, mib)
		}
		time.Sleep(linger)
		r.server.mu.Lock()
		for range 100 {
			r.server.failures = append(r.server.failures, &apiError{status: 502, temp: true, crowded: true})
		}
		r.server.mu.Unlock()
		if _, err := r.Contact(context.Background(), Contact{RetryFor: time.Minute}); err == nil {
			t.Error("no error")
		}
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		if r.server.open != 4-vainMost {
			t.Errorf("%d of 4 streams are left, want %d", r.server.open, 4-vainMost)
		}
	})
}

// TestUnservedGivesWay reads two assets of a server that serves one download at a time, but doesn't say so.
func TestUnservedGivesWay(t *testing.T) {
	for name, f := range map[string]*fakeServer{
		"the second waits":                        {alone: true, queues: true},
		"the rate limit seems to refuse a second": {alone: true},
	} {
		t.Run(name, func(t *testing.T) {
			f.size, f.ranged, f.etag = 64*mib, true, true
			test(t, f, func(r *rig) {
				second := r.store.Asset("re_2")
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, mib)
				time.Sleep(linger)
				start := time.Now()
				if _, err := second.Contact(context.Background(), Contact{}); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took > 5*time.Second { // of virtual time; a lookup waits so long
					t.Errorf("it took %v", took)
				}
				if f.again > 2 {
					t.Errorf("a request was made %d times again", f.again)
				}
				time.Sleep(2 * linger)
				r.cat(rd, mib, 9*mib) // and the first goes on
				r.spent(3, 64*mib)
				other := second.Open()
				defer other.Close()
				for turn := range int64(12) { // and they take turns, which must not teach that the server is slow
					time.Sleep(2 * linger)
					start := time.Now()
					r.read([]*Reader{other, rd}[turn%2], (20+turn)*mib, block)
					if took := time.Since(start); took > 5*time.Second {
						t.Errorf("turn %d took %v", turn, took)
					}
				}
			})
		})
	}
}

// TestUnservedSeek seeks in an asset of a server that knows no Range and serves one download at a time: the first stream
// brings what is read, without another.
func TestUnservedSeek(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, etag: true, alone: true, queues: true}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		time.Sleep(linger / 2)
		start := time.Now()
		r.read(rd, 60*mib, block)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
		r.read(rd, 62*mib, block)
		r.spent(2, 64*mib)
	})
}

// TestPausedStreamStays: a rate limit may refuse a request, and an answer may take a while, without a stream
// being given up.
func TestPausedStreamStays(t *testing.T) {
	for name, f := range map[string]*fakeServer{
		"slow":      {latency: 2500 * time.Millisecond},
		"very slow": {latency: 8 * time.Second},
		"refused":   {limits: 1},
	} {
		t.Run(name, func(t *testing.T) {
			f.size, f.ranged, f.etag = 64*mib, true, true
			test(t, f, func(r *rig) {
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, mib)
				time.Sleep(linger)
				f.mu.Lock()
				f.limits = min(1, f.again)
				f.mu.Unlock()
				if _, err := r.store.Asset("re_2").Contact(context.Background(), Contact{}); err != nil {
					t.Error(err)
				}
				r.cat(rd, mib, 9*mib)
				r.spent(2, 64*mib)
				if f.limits > 0 || f.again != 0 && f.again != 2 {
					t.Errorf("%d requests were made again", f.again)
				}
			})
		})
	}
}

// TestCallGivesWay makes calls for metadata beside a paused stream. One that the server would answer without it gets no other.
func TestCallGivesWay(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		open := func() int {
			synctest.Wait()
			r.server.mu.Lock()
			defer r.server.mu.Unlock()
			return r.server.open
		}
		call := func(takes time.Duration, alone bool) (took time.Duration) {
			start, c := time.Now(), r.store.Call()
			defer c.Watch()()
			c.Sent(true)
			for time.Since(start) < takes || alone && open() > 0 {
				time.Sleep(10 * time.Millisecond)
			}
			return time.Since(start)
		}
		for at, c := range []struct {
			takes time.Duration
			alone bool
			gives bool
		}{{2 * time.Second, false, false}, {0, true, true}, {8 * time.Second, false, true}, {5 * time.Second, false, false}, {0, true, true}, {0, true, true}} {
			r.read(rd, int64(2+at)*mib, block)
			time.Sleep(linger)
			took := call(c.takes, c.alone)
			if gave := open() == 0; gave != c.gives || took > c.takes+7*time.Second {
				t.Errorf("call %d took %v, a stream gave way: %v", at, took, gave)
			}
		}
	})
}

// TestCallOfSlowServer makes calls beside a paused stream that are answered late, or refused.
func TestCallOfSlowServer(t *testing.T) {
	const slow = 4 * time.Second
	for name, tc := range map[string]struct {
		known bool // how slow the server is
		calls func(c *Call)
		gives bool
	}{
		"slow":             {false, func(*Call) { time.Sleep(slow) }, true},
		"known to be slow": {true, func(*Call) { time.Sleep(slow) }, false},
		"refused once": {false, func(c *Call) {
			c.Sent(false)
			time.Sleep(time.Minute)
			c.Sent(true)
		}, false},
		"refused twice": {false, func(c *Call) {
			c.Sent(false)
			c.Sent(true)
			c.Sent(false)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true}, func(r *rig) {
				call := func(f func(*Call)) {
					c := r.store.Call()
					defer c.Watch()()
					c.Sent(false)
					c.Sent(true)
					f(c)
					c.Answered()
				}
				if tc.known {
					call(func(*Call) { time.Sleep(slow) })
				}
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, mib)
				time.Sleep(linger)
				call(tc.calls)
				synctest.Wait()
				r.server.mu.Lock()
				defer r.server.mu.Unlock()
				if gave := r.server.open == 0; gave != tc.gives {
					t.Errorf("a stream gave way: %v", gave)
				}
			})
		})
	}
}

// TestUnservedCall has nothing done about a call without an answer as long as the server may still notice that
// a stream gave way.
func TestUnservedCall(t *testing.T) {
	test(t, &fakeServer{size: mib}, func(r *rig) {
		var told atomic.Int32
		c := r.store.Call()
		c.unserved = func() { told.Add(1) }
		defer c.Watch()()
		c.Sent(true)
		for range 20 {
			r.store.mu.Lock()
			r.store.gaveWay = time.Now()
			r.store.mu.Unlock()
			time.Sleep(idle / 2)
		}
		soon := told.Load()
		time.Sleep(3 * idle)
		if soon > 0 || told.Load() == 0 {
			t.Errorf("told %d times while a stream had just given way, then %d times", soon, told.Load())
		}
	})
}

// TestStallWatch lets the watchdog fire at every moment of a stream's life.
func TestStallWatch(t *testing.T) {
	for seed := range 20 {
		test(t, &fakeServer{size: 8 * mib, ranged: true, rate: mib / 4}, func(r *rig) {
			r.store.engine.StallTimeout = time.Duration(330+seed) * time.Millisecond // little longer than a read takes
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, 2*mib)
			time.Sleep(time.Minute) // paused is no stall
			r.cat(rd, 2*mib, 4*mib)
			r.spent(1, 8*mib)
		})
	}
}

// Which streams may be given up, and in which order.
func TestGivesWay(t *testing.T) {
	const size = 10 * mib
	type state struct {
		StreamState
		know func(*stream)
	}
	paused := StreamState{Paused: true, End: size}
	stuck, runs, opens := StreamState{Stuck: true, End: size}, StreamState{End: size}, StreamState{Paused: true, Opening: true, End: size}
	ahead, early := StreamState{Paused: true, Pos: size / 2, End: size}, StreamState{Paused: true, Pos: size/2 - 1, End: size}
	for name, c := range map[string]struct {
		state
		ranging Ranging
		idle    time.Duration
		may     bool
		late    bool // after all that can be resumed
	}{
		"paused":               {state{paused, nil}, RangeYes, idle, true, false},
		"its peer is silent":   {state{stuck, nil}, RangeYes, idle, true, false},
		"it runs":              {state{runs, nil}, RangeYes, idle, false, false},
		"it has no answer":     {state{opens, nil}, RangeYes, idle, false, false},
		"it was just used":     {state{paused, nil}, RangeYes, idle - 1, false, false},
		"it ends":              {state{paused, func(s *stream) { s.ending = true }}, RangeYes, idle, false, false},
		"without Range, half":  {state{ahead, nil}, RangeNo, idle, true, true},
		"of unknown Range":     {state{ahead, nil}, RangeUnknown, idle, true, true},
		"without Range, early": {state{early, nil}, RangeNo, idle, false, false},
		"without Range, twice": {state{ahead, func(s *stream) { s.a.gaveWay = true }}, RangeNo, idle, false, false},
		"without a size":       {state{ahead, func(s *stream) { s.a.info.Size = -1 }}, RangeNo, idle, false, false},
	} {
		now := time.Unix(1e9, 0)
		a := &Asset{engine: &engine{}}
		a.info = Info{Size: size, Learnt: Learnt{Ranging: c.ranging}}
		s := &stream{a: a, state: c.StreamState}
		s.state.Used = now.Add(-c.idle)
		if c.know != nil {
			c.know(s)
		}
		used, may := s.givesWayLocked(now)
		if may != c.may || may && used.After(now) != c.late {
			t.Errorf("%s: may %v, used %v, want %v, late %v", name, may, used, c.may, c.late)
		}
	}
	// Of several the one that was used least recently, and no other.
	test(t, &fakeServer{size: size, ranged: true}, func(r *rig) {
		time.Sleep(time.Minute)
		now := time.Now()
		r.mu.Lock()
		r.readyLocked()
		r.info = Info{Size: size, Learnt: Learnt{Ranging: RangeYes}}
		for _, ago := range []time.Duration{3, 9, 5, 0} {
			s := &stream{a: r.Asset, state: paused, wake: make(chan struct{}, 1), done: make(chan struct{})}
			s.state.Used = now.Add(-ago * time.Second)
			_, s.cancel = context.WithCancelCause(context.Background())
			close(s.done)
			r.streams = append(r.streams, s)
		}
		r.mu.Unlock()
		for _, want := range [][]bool{{false, true, false, false}, {false, true, true, false}, {true, true, true, false}} {
			if r.store.giveWay(now) != true || r.store.giveWay(now) {
				t.Error("not one, and one a second")
			}
			now = now.Add(idle)
			r.mu.Lock()
			for i, s := range r.streams {
				if s.ending != want[i] {
					t.Errorf("stream %d: ends %v, want %v", i, s.ending, want[i])
				}
			}
			if !r.gaveWay {
				t.Error("the asset does not know")
			}
			r.streams[3].state.Used = now
			r.mu.Unlock()
		}
		r.mu.Lock()
		r.streams, r.gaveWay = nil, false
		r.mu.Unlock()
		time.Sleep(time.Minute)
	})
}
