package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// meet returns the asset of an ID that is not listed, so that no sweep asks about it.
func (r *rig) meet(id string) *Asset {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.meetLocked(id)
}

// TestStatJoinsBackgroundCall: a background call that finds no slot is made again for a stat that waits for it.
func TestStatJoinsBackgroundCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.callErrs = []error{fmt.Errorf("no slot: %w", ErrNotNow)} })
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		time.Sleep(latency / 2)
		if err := r.Stat(t.Context(), r.Listed("re_1")); err != nil {
			t.Error(err)
		}
		r.expectCounts(2, 0)
	})
}

// TestCallAfterGivenUp: who asks while a call ends that nobody waits for any more, or later, makes one.
func TestCallAfterGivenUp(t *testing.T) {
	for _, pause := range []time.Duration{0, time.Second} {
		bubble(t, func(t *testing.T) {
			r := start(t, newServer("re_1"), newBook(), nil)
			defer r.Close()
			ctx, cancel := context.WithTimeout(t.Context(), latency/2)
			defer cancel()
			if err := r.call(ctx, r.meet("re_1"), false); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("given up: %v", err)
			}
			time.Sleep(pause)
			if err := r.call(t.Context(), r.meet("re_1"), false); err != nil {
				t.Errorf("after %v: %v", pause, err)
			}
			r.expectCounts(2, 0)
		})
	}
}

// TestSweepAfterGivenUp: a sweep asks about the asset that it left out because a program was asking.
func TestSweepAfterGivenUp(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newServer(ids(2)...).limited(), newBook(), nil)
		defer r.Close()
		if err := r.call(t.Context(), r.meet("re_2"), false); err != nil { // it has the slot
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), interval/2)
		defer cancel()
		var program sync.WaitGroup
		program.Go(func() { _ = r.call(ctx, r.meet("re_1"), false) })
		time.Sleep(interval / 4)
		r.SetList([]string{"re_1"})
		program.Wait()
		r.expectCounts(1, 0)
		time.Sleep(2 * interval)
		r.expectCounts(2, 0)
	})
}

// TestSweepAfterFailure: what a program has met a moment ago does not keep a sweep from asking.
func TestSweepAfterFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.callErrs = []error{errServer} })
		r := start(t, s, newBook(), byMetadata)
		defer r.Close()
		if err := r.call(t.Context(), r.meet("re_1"), false); !errors.Is(err, errServer) {
			t.Errorf("got %v, want %v", err, errServer)
		}
		r.SetList([]string{"re_1"})
		_ = r.AwaitNames(t.Context())
		r.expect("file-1.bin")
		r.expectCounts(2, 0)
	})
}

// TestStatAfterHeader: metadata is asked again when a header has shown that there is an asset, or has another
// version of it without a size; but not at each stat.
func TestStatAfterHeader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) {
			a.noLength = true
			a.callErrs = []error{ErrNotFound, fmt.Errorf("404 of a gateway: %w", ErrUntold)}
		})
		r := start(t, s, newBook(), nil)
		defer r.Close()
		stat := func(want error, size int64, calls int) {
			t.Helper()
			if err := r.Stat(t.Context(), r.meet("re_1")); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			if got := r.engine("re_1").Info().Size; got != size {
				t.Errorf("size %d, want %d", got, size)
			}
			r.expectCounts(calls, 0)
		}
		stat(ErrNotFound, -1, 1)
		stat(ErrNotFound, -1, 1)
		remote, _ := s.get("re_1")
		r.engine("re_1").header(remote) // of a read
		stat(nil, -1, 2)
		stat(nil, -1, 2)
		time.Sleep(remembered)
		stat(nil, 100, 3)
		e := r.engine("re_1")
		e.mu.Lock()
		e.info.Size = -1
		e.mu.Unlock()
		stat(nil, 100, 4)
	})
}
