package asset

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const mib = 1 << 20

// rig is an asset with a server and a store, in a bubble of virtual time.
type rig struct {
	*Asset
	t      *testing.T
	server *fakeServer
	store  *memStore
}

func newRig(t *testing.T, server *fakeServer) *rig {
	if server.rate == 0 {
		server.rate = 100 * mib
	}
	if server.latency == 0 {
		server.latency = 20 * time.Millisecond
	}
	r := &rig{t: t, server: server, store: newStore(server.size)}
	r.start()
	return r
}

// start makes the asset anew on the same store, as a restart does.
func (r *rig) start() {
	r.Asset = New("re_1", r.store, &Options{
		Source: r.server, Host: NewHost(RangeUnknown, nil), ReadAhead: 64 * mib,
		RequestsPerMinute: r.server.perMin, StallTimeout: 30 * time.Second, RetryFor: 2 * time.Minute,
		Log: slog.New(slog.DiscardHandler),
	})
}

// read reads and compares.
func (r *rig) read(rd *Reader, off, n int64) {
	r.t.Helper()
	p := make([]byte, n)
	got, err := rd.ReadAt(context.Background(), p, off)
	if err != nil {
		r.t.Fatalf("read %d at %d: %v", n, off, err)
	}
	if want := min(n, max(0, r.server.size-off)); int64(got) != want {
		r.t.Fatalf("read %d at %d: got %d bytes, want %d", n, off, got, want)
	}
	want := make([]byte, got)
	fill(want, r.server.version, off)
	if !bytes.Equal(p[:got], want) {
		r.t.Fatalf("read %d at %d: wrong bytes", n, off)
	}
}

// cat reads all from off to end in pieces like cat(1).
func (r *rig) cat(rd *Reader, off, end int64) {
	r.t.Helper()
	for ; off < end; off += 128 << 10 {
		r.read(rd, off, min(128<<10, end-off))
	}
}

func (r *rig) contact() {
	r.t.Helper()
	if _, err := r.Contact(context.Background(), Contact{}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) head() {
	r.t.Helper()
	if _, err := r.Contact(context.Background(), Contact{Head: true, Background: true}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// spent asserts requests made and bytes billed.
func (r *rig) spent(requests int, bytes int64) {
	r.t.Helper()
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.t.Logf("%d requests, %d bytes = %.3f x size", len(r.server.requests), r.server.billed, float64(r.server.billed)/float64(r.server.size))
	if len(r.server.requests) > requests {
		r.t.Errorf("%d requests, want at most %d: %+v", len(r.server.requests), requests, r.server.requests[:min(20, len(r.server.requests))])
	}
	if r.server.billed > bytes {
		r.t.Errorf("%d bytes billed, want at most %d", r.server.billed, bytes)
	}
}

// test runs f in a bubble and ends the asset.
func test(t *testing.T, server *fakeServer, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server)
		defer func() {
			r.Close()
			if server.open != 0 || r.store.users != 0 {
				t.Errorf("left behind: %d bodies open, %d users of the store", server.open, r.store.users)
			}
		}()
		f(r)
	})
}

// bothWays runs f with a server that has Range and one that has not.
func bothWays(t *testing.T, server *fakeServer, f func(*rig)) {
	t.Helper()
	for _, ranged := range []bool{true, false} {
		name := map[bool]string{true: "Range", false: "NoRange"}[ranged]
		t.Run(name, func(t *testing.T) {
			s := fakeServer{size: server.size, etag: server.etag, perMin: server.perMin, rate: server.rate, ranged: ranged, cutAfter: server.cutAfter, noLength: server.noLength}
			test(t, &s, f)
		})
	}
}

func TestCatUnlisted(t *testing.T) {
	bothWays(t, &fakeServer{size: 20 * mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, r.server.size)
		r.spent(1, r.server.size)
		if _, whole := r.State(); !whole {
			t.Error("not whole after it was read")
		}
	})
}

func TestCatAfterListing(t *testing.T) {
	for _, etag := range []bool{true, false} {
		test(t, &fakeServer{size: 20 * mib, ranged: true, etag: etag}, func(r *rig) {
			r.head()
			r.spent(1, block)
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, r.server.size)
			r.spent(2, r.server.size+overlap)
		})
	}
}

func TestSmallAssetIsWholeAfterListing(t *testing.T) {
	test(t, &fakeServer{size: 1000, ranged: true}, func(r *rig) {
		r.head()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 1000)
		r.spent(1, 1000)
	})
}

func TestUnreadContactCostsASocket(t *testing.T) {
	bothWays(t, &fakeServer{size: 20 * mib}, func(r *rig) {
		r.contact()
		time.Sleep(linger + time.Second)
		r.spent(1, 16<<10)
		synctest.Wait()
		if r.server.open != 0 {
			t.Error("the response is still open")
		}
	})
}

func TestHeadOfLarge(t *testing.T) {
	bothWays(t, &fakeServer{size: 64 * mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		r.cat(rd, 0, mib)
		rd.Close()
		time.Sleep(time.Minute)
		r.spent(1, 3*mib)
	})
}

// TestIndexAtEnd reads like ffprobe: a little of the head, the tail, and then
// on from the head.
func TestIndexAtEnd(t *testing.T) {
	bothWays(t, &fakeServer{size: 200 * mib, perMin: 12}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.read(rd, 0, 32<<10)
		r.cat(rd, r.server.size-mib-5000, r.server.size)
		r.cat(rd, 32<<10, 2*mib)
		if r.o.Host.Ranging() == RangeYes {
			r.spent(2, 6*mib)
		} else {
			r.spent(1, r.server.size)
		}
	})
}

// TestThreeSeeks plays a film with an index at its end, seeking on the way.
func TestThreeSeeks(t *testing.T) {
	test(t, &fakeServer{size: 200 * mib, ranged: true, perMin: 12}, func(r *rig) {
		size := r.server.size
		r.head()
		rd := r.Open()
		defer rd.Close()
		r.read(rd, 0, 64<<10)
		r.cat(rd, size-mib, size)
		r.cat(rd, 64<<10, 10*mib)
		for _, at := range []int64{size / 4, size * 3 / 4, size / 2} {
			r.cat(rd, at, at+10*mib)
		}
		r.cat(rd, size/2+10*mib, size)
		r.cat(rd, 0, size)
		r.spent(6, size+8*mib)
	})
}

func TestStaggeredReadersShare(t *testing.T) {
	bothWays(t, &fakeServer{size: 32 * mib}, func(r *rig) {
		r.contact()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 30 * time.Millisecond)
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, r.server.size)
			})
		}
		wg.Wait()
		r.spent(1, r.server.size)
	})
}

func TestReadersAtRandomOffsets(t *testing.T) {
	seeds := uint64(50)
	if raceEnabled {
		seeds = 5
	}
	for seed := range seeds {
		rnd := rand.New(rand.NewPCG(seed, 0))
		bothWays(t, &fakeServer{size: 48 * mib}, func(r *rig) {
			r.contact()
			var wg sync.WaitGroup
			for range 8 {
				off := rnd.Int64N(r.server.size)
				wg.Go(func() {
					rd := r.Open()
					defer rd.Close()
					r.cat(rd, off, r.server.size)
				})
			}
			wg.Wait()
			if r.o.Host.Ranging() == RangeYes {
				r.spent(9, r.server.size+mib)
			} else {
				r.spent(1, r.server.size)
			}
		})
	}
}

func TestPausedReader(t *testing.T) {
	bothWays(t, &fakeServer{size: 64 * mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 4*mib)
		time.Sleep(time.Minute)
		r.cat(rd, 4*mib, r.server.size)
		r.spent(1, r.server.size)
	})
}

func TestCutEvery10MiB(t *testing.T) {
	for _, etag := range []bool{true, false} {
		test(t, &fakeServer{size: 200 * mib, ranged: true, etag: etag, cutAfter: 10 * mib}, func(r *rig) {
			r.contact()
			start := time.Now()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, r.server.size)
			r.spent(21, r.server.size+21*overlap)
			if took := time.Since(start); took > 4*time.Second {
				t.Errorf("took %v of virtual time: there were pauses", took)
			}
		})
	}
}

func TestCutWithoutRangeEndsInAnError(t *testing.T) {
	test(t, &fakeServer{size: 200 * mib, cutAfter: 10 * mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 10*mib)
		_, err := rd.ReadAt(context.Background(), make([]byte, 1000), 10*mib)
		if !errors.Is(err, errCut) {
			t.Errorf("error is %v, want the cut", err)
		}
		r.spent(30, 300*mib)
	})
}

func TestPermanentErrorIsRemembered(t *testing.T) {
	refused := &apiError{402, false}
	test(t, &fakeServer{size: mib, failures: []error{refused, nil}}, func(r *rig) {
		for range 10 {
			if _, err := r.Contact(context.Background(), Contact{}); !errors.Is(err, refused) {
				t.Fatalf("error is %v, want %v", err, refused)
			}
		}
		r.spent(1, 0)
		time.Sleep(permanentFor + time.Second)
		r.contact()
	})
}

func TestTemporaryErrorIsRetried(t *testing.T) {
	busy := &apiError{500, true}
	test(t, &fakeServer{size: mib, failures: []error{busy, busy, busy, nil}}, func(r *rig) {
		r.contact()
		r.spent(4, 0)
	})
}

func TestRetryEnds(t *testing.T) {
	busy := &apiError{500, true}
	failures := make([]error, 1000)
	for i := range failures {
		failures[i] = busy
	}
	test(t, &fakeServer{size: mib, failures: failures}, func(r *rig) {
		start := time.Now()
		if _, err := r.Contact(context.Background(), Contact{}); !errors.Is(err, busy) {
			t.Fatalf("error is %v, want %v", err, busy)
		}
		if took := time.Since(start); took > r.o.RetryFor+2*time.Second {
			t.Errorf("retried for %v", took)
		}
		r.spent(20, 0)

		// The kernel repeats a page fault that failed: at once it fails at once.
		rd := r.Open()
		defer rd.Close()
		for _, patient := range []bool{true, false, false, true} {
			if patient {
				time.Sleep(giveUpFor)
			}
			start = time.Now()
			if _, err := rd.ReadAt(context.Background(), make([]byte, 4096), 0); !errors.Is(err, busy) {
				t.Fatalf("error is %v, want %v", err, busy)
			}
			if took := time.Since(start); patient != (took >= r.o.RetryFor) {
				t.Errorf("a read retried for %v, should be patient: %v", took, patient)
			}
		}
	})
}

func TestStallIsResumed(t *testing.T) {
	test(t, &fakeServer{size: 20 * mib, ranged: true, stall: 12 * mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, r.server.size)
		r.spent(2, r.server.size+overlap)
	})
}

func TestPausedStreamIsNoStall(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		time.Sleep(time.Hour)
		r.cat(rd, mib, 2*mib)
		r.spent(1, 4*mib)
	})
}

func TestInterruptedReaderDisturbsNobody(t *testing.T) {
	bothWays(t, &fakeServer{size: 64 * mib, rate: mib}, func(r *rig) {
		r.contact()
		var wg sync.WaitGroup
		wg.Go(func() {
			rd := r.Open()
			defer rd.Close()
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			if _, err := rd.ReadAt(ctx, make([]byte, 8*mib), 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
		})
		wg.Go(func() {
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, 16*mib)
		})
		wg.Wait()
		r.mu.Lock()
		if len(r.waiters) != 0 {
			t.Errorf("%d waiters left", len(r.waiters))
		}
		r.mu.Unlock()
		r.spent(1, 64*mib)
	})
}

func TestChangedContent(t *testing.T) {
	for _, etag := range []bool{true, false} {
		test(t, &fakeServer{size: 40 * mib, ranged: true, etag: etag, cutAfter: 8 * mib}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, 4*mib)
			r.server.mu.Lock()
			r.server.version++
			r.server.mu.Unlock()
			p := make([]byte, 1)
			for off := 4 * int64(mib); ; off += mib {
				if _, err := rd.ReadAt(context.Background(), p, off); err != nil {
					if !errors.Is(err, ErrChanged) {
						t.Fatalf("error is %v, want ErrChanged", err)
					}
					break
				}
				if off > r.server.size {
					t.Fatal("the change went unnoticed")
				}
			}
			if _, err := rd.ReadAt(context.Background(), p, 0); !errors.Is(err, ErrChanged) {
				t.Errorf("error of the old handle is %v, want ErrChanged", err)
			}
			r.contact()
			again := r.Open()
			defer again.Close()
			r.cat(again, 0, r.server.size)
		})
	}
}

// TestAnswerWithoutWhatWasAskedFor was a loop of requests without a pause: a
// response that holds nothing new was ended at once, as nothing had gone wrong.
func TestAnswerWithoutWhatWasAskedFor(t *testing.T) {
	test(t, &fakeServer{size: 4 * mib, ranged: true, cutAfter: 4*mib - 5, narrow: 7}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 4*mib-5)
		var short *RangeError
		if _, err := rd.ReadAt(context.Background(), make([]byte, 5), 4*mib-5); !errors.As(err, &short) {
			t.Errorf("error is %v, want a RangeError", err)
		}
		r.spent(3, 4*mib+block)
	})
}

func TestUnknownSize(t *testing.T) {
	test(t, &fakeServer{size: 5*mib + 77, noLength: true}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, r.server.size+mib)
		if got := r.Info().Size; got != r.server.size {
			t.Errorf("size %d, want %d", got, r.server.size)
		}
		r.spent(1, r.server.size)
	})
}

func TestRestartGoesOn(t *testing.T) {
	for _, ranged := range []bool{true, false} {
		test(t, &fakeServer{size: 40 * mib, ranged: ranged, etag: true}, func(r *rig) {
			r.contact()
			rd := r.Open()
			r.cat(rd, 0, 10*mib)
			rd.Close()
			r.Close()
			before := r.store.present.Len()
			r.start()
			rd = r.Open()
			defer rd.Close()
			r.cat(rd, 0, 10*mib)
			synctest.Wait()
			if len(r.server.requests) != 1 {
				t.Error("what was stored was asked for again")
			}
			r.cat(rd, 0, r.server.size)
			if ranged {
				r.spent(2, r.server.size)
			} else {
				r.spent(2, r.server.size+before)
			}
		})
	}
}

func TestFilmLargerThanTheDisk(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true}, func(r *rig) {
		r.store.limit = 8 * mib
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, r.server.size)
		r.spent(1, r.server.size)
	})
}

// TestRewindFilmLargerThanTheDisk reads a film, and then again, by the same
// handle; and from its end to its beginning.
func TestRewindFilmLargerThanTheDisk(t *testing.T) {
	bothWays(t, &fakeServer{size: 64 * mib}, func(r *rig) {
		r.store.limit = 8 * mib
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, r.server.size)
		r.cat(rd, 0, r.server.size)
		r.spent(3, 2*r.server.size+mib)
		if r.o.Host.Ranging() == RangeYes {
			for off := r.server.size - mib; off >= 0; off -= mib {
				r.cat(rd, off, off+mib)
			}
		}
	})
}

func TestNoRoomFailsOneRead(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true}, func(r *rig) {
		r.store.limit = 2 * mib
		r.contact()
		still := r.Open() // holds the floor down
		defer still.Close()
		r.read(still, 0, 1000)
		rd := r.Open()
		defer rd.Close()
		p := make([]byte, 128<<10)
		off := int64(0)
		for ; ; off += int64(len(p)) {
			if _, err := rd.ReadAt(context.Background(), p, off); err != nil {
				if !errors.Is(err, ErrNoSpace) {
					t.Fatalf("error is %v, want ErrNoSpace", err)
				}
				break
			}
		}
		r.store.mu.Lock()
		r.store.limit = 0
		r.store.mu.Unlock()
		r.cat(rd, off, r.server.size)
		r.spent(1, r.server.size)
	})
}

// TestWindowIsKept reads all over a large asset with 12 requests a minute.
func TestWindowIsKept(t *testing.T) {
	test(t, &fakeServer{size: 256 * mib, ranged: true, perMin: 12}, func(r *rig) {
		r.contact()
		var wg sync.WaitGroup
		for i := range 10 {
			rnd := rand.New(rand.NewPCG(uint64(i), 0))
			wg.Go(func() {
				rd := r.Open()
				defer rd.Close()
				for range 10 {
					r.read(rd, rnd.Int64N(r.server.size), 4096)
				}
			})
		}
		wg.Wait()
		r.server.mu.Lock() // the streams go on for a while
		defer r.server.mu.Unlock()
		for i := 12; i < len(r.server.times); i++ {
			if d := r.server.times[i].Sub(r.server.times[i-12]); d < time.Minute {
				t.Errorf("requests %d to %d within %v", i-12, i, d)
			}
		}
		t.Logf("%d requests, %d MiB for 100 reads of 4 KiB", len(r.server.requests), r.server.billed/mib)
	})
}

func TestReaderOvertakesListing(t *testing.T) {
	test(t, &fakeServer{size: mib, ranged: true}, func(r *rig) {
		// A listing's request that waits for its share of the window.
		r.mu.Lock()
		r.openLocked(Opening{End: block, Background: true}, time.Now())
		r.streams[0].sent.Store(false)
		r.mu.Unlock()
		r.contact()
	})
}

func TestThousandWaiters(t *testing.T) {
	test(t, &fakeServer{size: 16 * mib, rate: mib, ranged: true, perMin: 12}, func(r *rig) {
		r.contact()
		var wg sync.WaitGroup
		for i := range 1000 {
			wg.Go(func() {
				rd := r.Open()
				defer rd.Close()
				r.read(rd, int64(i)*16000, 4096)
			})
		}
		wg.Wait()
		r.spent(12, 17*mib)
	})
}
