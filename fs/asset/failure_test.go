package asset

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"
)

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

// Without Range a download that is always cut at the same byte is paid again each time.
func TestCutWithoutRangeEndsInAnError(t *testing.T) {
	for cut, requests := range map[int64]int{10 * mib: 1 + rereadMost, 2 * mib: 2 + rereadMost, mib: 4 + rereadMost} {
		test(t, &fakeServer{size: 200 * mib, cutAfter: cut}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, cut)
			_, err := rd.ReadAt(context.Background(), make([]byte, 1000), cut)
			if !errors.Is(err, errCut) {
				t.Errorf("error is %v, want the cut", err)
			}
			r.spent(requests, int64(requests)*(cut+64<<10))
		})
	}
}

func TestPermanentErrorIsRemembered(t *testing.T) {
	refused := &apiError{status: 402}
	test(t, &fakeServer{size: mib, failures: []error{refused, nil}}, func(r *rig) {
		for range 10 {
			if _, err := r.Contact(context.Background(), Contact{}); !errors.Is(err, refused) {
				t.Fatalf("error is %v, want %v", err, refused)
			}
		}
		r.spent(1, 0)
		time.Sleep(rememberFor + time.Second)
		r.contact()
	})
}

// TestPermanentErrorBesideAStream has a paused stream far away, which can't help a read whose own request
// is refused.
func TestPermanentErrorBesideAStream(t *testing.T) {
	refused := &apiError{status: 403}
	test(t, &fakeServer{size: 200 * mib, ranged: true, etag: true}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		r.server.mu.Lock()
		r.server.failures = []error{refused}
		r.server.mu.Unlock()
		start := time.Now()
		r.fails(rd, 150*mib, 1000, refused)
		if took := time.Since(start); took > time.Second {
			t.Errorf("took %v", took)
		}
		r.spent(2, 3*mib)
		r.cat(rd, mib, 2*mib) // the stream goes on
	})
}

func TestTemporaryErrorIsRetried(t *testing.T) {
	busy := &apiError{status: 500, temp: true}
	test(t, &fakeServer{size: mib, failures: []error{busy, busy, busy, nil}}, func(r *rig) {
		r.contact()
		r.spent(4, 0)
	})
}

func TestRetryEnds(t *testing.T) {
	busy := &apiError{status: 500, temp: true}
	failures := make([]error, 1000)
	for i := range failures {
		failures[i] = busy
	}
	test(t, &fakeServer{size: mib, failures: failures}, func(r *rig) {
		start := time.Now()
		if _, err := r.Contact(context.Background(), Contact{}); !errors.Is(err, busy) {
			t.Fatalf("error is %v, want %v", err, busy)
		}
		if took := time.Since(start); took > r.store.engine.RetryFor+2*time.Second {
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
			if took := time.Since(start); patient != (took >= r.store.engine.RetryFor) {
				t.Errorf("a read retried for %v, should be patient: %v", took, patient)
			}
		}
	})
}

// TestEachReadRetriesForItself has a read join another that has retried for a minute.
func TestEachReadRetriesForItself(t *testing.T) {
	busy := &apiError{status: 500, temp: true}
	test(t, &fakeServer{size: 400 * mib, ranged: true, etag: true}, func(r *rig) {
		r.contact()
		r.server.mu.Lock()
		r.server.failures = slices.Repeat([]error{busy}, 1000)
		r.server.mu.Unlock()
		rd := r.Open()
		defer rd.Close()
		var wg sync.WaitGroup
		for i, late := range []time.Duration{0, time.Minute, r.store.engine.RetryFor - 5*time.Second} {
			wg.Go(func() {
				time.Sleep(late)
				start := time.Now()
				_, err := rd.ReadAt(context.Background(), make([]byte, 1000), int64(i+1)*100*mib)
				took := time.Since(start)
				if !errors.Is(err, busy) || took < r.store.engine.RetryFor-2*time.Second || took > r.store.engine.RetryFor+2*time.Second {
					t.Errorf("a read that began %v late took %v: %v", late, took, err)
				}
			})
		}
		wg.Wait()
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
		if n := r.waiting(); n != 0 {
			t.Errorf("%d waiters left", n)
		}
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

// TestAnswerWithoutWhatWasAskedFor used to make requests without a pause: a response with nothing new was
// ended at once, as if nothing had gone wrong.
func TestAnswerWithoutWhatWasAskedFor(t *testing.T) {
	test(t, &fakeServer{size: 4 * mib, ranged: true, cutAfter: 4*mib - 5, narrow: 7}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 4*mib-5)
		r.server.cutAfter = 0
		r.cat(rd, 4*mib-5, 4*mib) // asked for without Range
		r.spent(3, 8*mib+block)
	})
}

// TestErrorsOfTwoKinds: that of one kind few requests are worth making says nothing of another kind.
func TestErrorsOfTwoKinds(t *testing.T) {
	limited := &apiError{status: 400, tries: 3}
	test(t, &fakeServer{size: 8 * mib, ranged: true, etag: true, failures: []error{nil, nil, limited, limited}, plain: func(n int, _ Request) bool { return n == 4 }}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.read(rd, 0, 1000)
		r.read(rd, 6*mib, 1000)
		r.read(rd, 4*mib, 1000)
	})
}

// How often it is tried again, and when, by what went wrong in a row.
func TestFailureNotes(t *testing.T) {
	always, refused := errServer, &apiError{status: 402}
	three, four := &apiError{status: 1, tries: 3}, &apiError{status: 2, tries: 4}
	asks := &apiError{status: 3, temp: true, after: 20 * time.Second}
	type step struct {
		err      error
		progress bool
		final    bool // then
	}
	for name, steps := range map[string][]step{
		"for good":                      {{refused, false, true}},
		"three times":                   {{three, false, false}, {three, false, false}, {three, false, true}},
		"three times, with bytes":       {{three, true, false}, {three, true, false}, {three, true, false}, {three, true, false}},
		"bytes begin anew":              {{three, false, false}, {three, false, false}, {three, true, false}, {three, false, false}, {three, false, true}},
		"any number":                    slices.Repeat([]step{{always, false, false}}, 30),
		"any number says nothing of it": {{three, false, false}, {always, false, false}, {three, false, false}, {always, false, false}, {three, false, true}},
		"another kind begins anew":      {{three, false, false}, {three, false, false}, {four, false, false}, {four, false, false}, {four, false, false}, {four, false, true}},
		"asked to wait":                 {{asks, false, false}, {asks, true, false}},
	} {
		var f failure
		now := time.Unix(1e9, 0)
		first, count := now, 0
		for i, s := range steps {
			if count++; s.progress {
				first, count = now, 1
			}
			f.note(s.err, now, s.progress)
			wait := f.until.Sub(now)
			least, most := backoffFirst/2, backoffMost*3/2
			switch {
			case s.final:
				least, most = rememberFor, rememberFor
			case s.progress && !errors.Is(s.err, asks):
				least, most = 0, 0
			case errors.Is(s.err, asks):
				least = asks.after
			case count > 10:
				least = backoffMost / 2
			}
			if f.final != s.final || f.count != count || !errors.Is(f.err, s.err) || wait < least || wait > most || !f.began.Equal(first) {
				t.Errorf("%s, %d: next in %v, want %v to %v; began %v, want %v; %+v", name, i, wait, least, most, f.began, first, f)
			}
			if i > 0 && count > 11 && wait == backoffMost {
				t.Errorf("%s, %d: all assets would try at the same time", name, i)
			}
			now = now.Add(time.Second)
		}
		if !f.final {
			continue
		}
		if last := f.err; !errors.Is(f.refusal(now), last) {
			t.Errorf("%s: a read may try again at once", name)
		} else if f.note(always, now, false); !errors.Is(f.err, last) || !f.final {
			t.Errorf("%s: forgotten for %v", name, f.err)
		}
		now = f.until
		if err := f.refusal(now); err != nil {
			t.Errorf("%s: no read may ever try again: %v", name, err)
		}
		if f.note(always, now, false); f.final || f.count != 1 {
			t.Errorf("%s: another failure, after it is over: %+v", name, f)
		}
	}
}
