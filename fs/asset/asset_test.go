package asset

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestCatUnlisted(t *testing.T) {
	bothWays(t, &fakeServer{size: 20 * mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, r.server.size)
		r.spent(1, r.server.size)
		if !r.Status().Whole {
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
		if r.store.Ranging() == RangeYes {
			r.spent(2, 6*mib)
		} else {
			r.spent(2, r.server.size) // one finds out that there is no Range
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
			if r.store.Ranging() == RangeYes {
				r.spent(9, r.server.size+mib)
			} else {
				r.spent(2, r.server.size) // one finds out that there is no Range
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
			before := r.Status().Present
			r.restart()
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
		r.store.limit(8 * mib)
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
		r.store.limit(8 * mib)
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, r.server.size)
		r.cat(rd, 0, r.server.size)
		r.spent(3, 2*r.server.size+mib)
		if r.store.Ranging() == RangeYes {
			for off := r.server.size - mib; off >= 0; off -= mib {
				r.cat(rd, off, off+mib)
			}
		}
	})
}

func TestNoRoomFailsOneRead(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true}, func(r *rig) {
		r.store.limit(2 * mib)
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
		synctest.Wait() // nobody looks at the limit now
		r.store.limit(0)
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

// TestListingWithoutASlot fails a listing's contact at once when no request may
// start now. That is no failure of the asset.
func TestListingWithoutASlot(t *testing.T) {
	test(t, &fakeServer{size: mib, ranged: true, perMin: 1}, func(r *rig) {
		r.server.times = append(r.server.times, time.Now()) // by another asset
		start := time.Now()
		for range 3 {
			if _, err := r.Contact(context.Background(), Contact{Head: true, Background: true}); !errors.Is(err, ErrNoSlot) {
				t.Fatalf("error is %v, want ErrNoSlot", err)
			}
		}
		if took := time.Since(start); took > 0 || r.Status().LastError != nil {
			t.Errorf("took %v, last error %v", took, r.Status().LastError)
		}
		r.contact() // waits for its turn
		if took := time.Since(start); took < window {
			t.Errorf("the reader took %v", took)
		}
		r.spent(1, 0)
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
