package asset

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestModel runs assets through random reads, interrupts, cuts, stalls,
// failures, changes, evictions and restarts, in virtual time. Whatever happens,
// a reader sees the bytes of one content version only, every read ends, and
// nothing is left behind.
func TestModel(t *testing.T) {
	runs := uint64(2000)
	if testing.Short() || raceEnabled {
		runs = 200
	}
	var total outcome
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) {
			total.add(model(t, rand.New(rand.NewPCG(seed, 7))))
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		})
	}
	t.Logf("%d runs: %+v", runs, total)
}

// FuzzModel lets the fuzzer choose the run.
func FuzzModel(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Add(uint64(61), uint64(1)) // two streams of different contents, with nothing present
	f.Fuzz(func(t *testing.T, a, b uint64) {
		synctest.Test(t, func(t *testing.T) { model(t, rand.New(rand.NewPCG(a, b))) })
	})
}

// outcome counts the results of a run.
type outcome struct{ Reads, Interrupted, Changed, NoSpace, Failed, Requests int }

func (o *outcome) add(p outcome) {
	o.Reads += p.Reads
	o.Interrupted += p.Interrupted
	o.Changed += p.Changed
	o.NoSpace += p.NoSpace
	o.Failed += p.Failed
	o.Requests += p.Requests
}

func model(t *testing.T, rnd *rand.Rand) outcome {
	child := func() *rand.Rand { return rand.New(rand.NewPCG(rnd.Uint64(), rnd.Uint64())) }
	server := &fakeServer{
		size:   rnd.Int64N(4*mib) + 1,
		ranged: rnd.IntN(3) > 0,
		etag:   rnd.IntN(2) > 0,
		rate:   1 << (16 + rnd.IntN(12)),
		perMin: []int{0, 12, 60}[rnd.IntN(3)],
		random: child(),
	}
	server.noLength = !server.ranged && rnd.IntN(3) == 0
	server.unframed = server.noLength && rnd.IntN(3) == 0
	switch rnd.IntN(8) {
	case 0:
		server.validators = perAnswer
	case 1:
		server.validators = inTurns
	}
	if rnd.IntN(4) == 0 {
		flaps := child()
		server.plain = func(int, Request) bool { return flaps.IntN(4) == 0 }
	}
	r := newRig(t, server)
	if rnd.IntN(3) == 0 {
		r.store.evict = child()
	}
	if rnd.IntN(4) == 0 {
		r.store.limit(server.size/2 + 512<<10)
	}
	// Without a validator a change of content of the same size can be seen only
	// where bytes are fetched twice; nobody could promise more.
	changes := server.etag && server.validators == nil && rnd.IntN(3) == 0
	var out outcome
	for range 1 + rnd.IntN(2) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 1 + rnd.IntN(5) {
			rnd := child()
			wg.Go(func() {
				o := r.reader(rnd)
				mu.Lock()
				defer mu.Unlock()
				out.add(o)
			})
		}
		if changes {
			time.Sleep(time.Duration(rnd.Int64N(int64(3 * time.Second))))
			server.mu.Lock()
			server.version++
			server.mu.Unlock()
		}
		wg.Wait()
		if n := r.waiting(); n != 0 {
			t.Errorf("%d waiters left", n)
		}
		r.restart()
	}
	r.Close()
	r.store.close()
	if server.open != 0 || r.store.users() != 0 {
		t.Errorf("left behind: %d bodies, %d readers", server.open, r.store.users())
	}
	if server.perMin > 0 {
		for i := server.perMin; i < len(server.times); i++ {
			if d := server.times[i].Sub(server.times[i-server.perMin]); d < time.Minute {
				t.Errorf("%d requests within %v", server.perMin+1, d)
			}
		}
	}
	out.Requests = len(server.requests)
	return out
}

// reader opens the asset now and then, reads at random and checks the bytes.
func (r *rig) reader(rnd *rand.Rand) (out outcome) {
	time.Sleep(time.Duration(rnd.Int64N(int64(time.Second))))
	for range 1 + rnd.IntN(3) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		if _, err := r.Contact(ctx, Contact{Head: rnd.IntN(4) == 0}); err != nil {
			out.Failed++
		}
		cancel()
		rd := r.Open()
		possible := map[int]bool{0: true, 1: true, 2: true}
		var off int64
		for range 1 + rnd.IntN(12) {
			if rnd.IntN(3) == 0 {
				off = rnd.Int64N(r.server.size + 10)
			}
			p := make([]byte, 1+rnd.IntN(300<<10))
			limit := time.Hour
			if rnd.IntN(5) == 0 {
				limit = time.Duration(rnd.Int64N(int64(time.Second)))
			}
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			n, err := rd.ReadAt(ctx, p, off)
			expired := ctx.Err() != nil
			cancel()
			out.Reads++
			if expired && limit == time.Hour {
				r.t.Errorf("a read of %d at %d took an hour, error %v\n%s", len(p), off, err, r.dump())
			}
			if err == nil && int64(n) != min(int64(len(p)), max(0, r.server.size-off)) {
				r.t.Errorf("read %d at %d of %d: got %d bytes and no error", len(p), off, r.server.size, n)
			}
			for v := range possible {
				want := make([]byte, n)
				fill(want, v, off)
				if !bytes.Equal(want, p[:n]) {
					delete(possible, v)
				}
			}
			if len(possible) == 0 {
				r.t.Errorf("read %d at %d, handle of version %d: bytes of no content version, or of another than before\n%s", n, off, rd.version, r.dump())
				for v := range 4 {
					want := make([]byte, n)
					fill(want, v, off)
					same := 0
					for i := range want {
						if want[i] == p[i] {
							same++
						}
					}
					r.t.Errorf("%d of %d bytes are of version %d", same, n, v)
				}
				rd.Close()
				return out
			}
			off += int64(n)
			switch {
			case err == nil:
			case errors.Is(err, ErrChanged):
				out.Changed++
			case errors.Is(err, ErrNoSpace):
				out.NoSpace++
			case expired:
				out.Interrupted++
			default:
				out.Failed++
			}
			if errors.Is(err, ErrChanged) {
				break
			}
			if rnd.IntN(10) == 0 {
				time.Sleep(time.Duration(rnd.Int64N(int64(30 * time.Second))))
			}
		}
		rd.Close()
	}
	return out
}

// dump describes the asset for a failure's message.
func (r *rig) dump() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.readyLocked()
	snap := r.snapshotLocked(time.Now()).Snapshot
	limit, present := r.store.o.Size, r.present.Ranges()
	text := fmt.Sprintf("size %d ranging %d worth %v readers %d limit %d present %v fail %+v\n",
		snap.Size, snap.Ranging, snap.Worth, snap.Readers, limit, present, r.fail)
	for i, s := range snap.Streams {
		text += fmt.Sprintf("stream %d: %+v\n", i, s)
	}
	for i, w := range snap.Waiters[:min(3, len(snap.Waiters))] {
		text += fmt.Sprintf("waiter %d: %+v\n", i, w)
	}
	return text + fmt.Sprintf("plan %+v, %d requests", Plan(snap), len(r.server.requests))
}
