package asset

import (
	"context"
	"errors"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// waiter is a read, or a first contact, that waits.
type waiter struct {
	state    WaiterState
	caller   Caller        // nil: nobody knows
	done     chan struct{} // closed when it need not wait any longer
	err      error         // set before done is closed
	retryFor time.Duration
	before   failure // the asset's, when it began
}

// waitLocked registers a waiter. It returns an error at once if waiting is useless.
func (a *Asset) waitLocked(ctx context.Context, state WaiterState, retryFor time.Duration) (*waiter, error) {
	if err := a.store.suspension(); err != nil {
		return nil, err
	}
	if retryFor == 0 {
		retryFor = a.store.reading.RetryFor
	}
	caller, _ := ctx.Value(CallerKey{}).(Caller)
	w := &waiter{state: state, caller: caller, done: make(chan struct{}), retryFor: retryFor, before: a.fail}
	if err := a.fail.refusal(state.Since); err != nil && !a.comingLocked(w) {
		return nil, err
	}
	i, _ := slices.BinarySearchFunc(a.waiters, w, waiterBefore)
	a.waiters = slices.Insert(a.waiters, i, w)
	if len(a.waiters) == 1 {
		a.tended = state.Since
	}
	return w, nil
}

// waiterBefore orders waiters by the place of what they need, as the planner wants them; a new one
// comes after those of the same place.
func waiterBefore(w, added *waiter) int {
	if w.state.Need.Start <= added.state.Need.Start {
		return -1
	}
	return 1
}

// await waits until w is finished, or ctx ends.
func (a *Asset) await(ctx context.Context, w *waiter) error {
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
	}
	down := a.store.reading.Source.Budget().Down
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.engine == nil || !slices.Contains(a.waiters, w) {
		return w.err // it was finished in the same moment
	}
	failed := a.fail.err
	a.waiters = slices.DeleteFunc(a.waiters, func(o *waiter) bool { return o == w })
	a.planLocked()
	switch {
	case !errors.Is(ctx.Err(), context.DeadlineExceeded):
	case down != nil:
		return down // it says more than "deadline exceeded"
	case failed != nil:
		return failed
	}
	return context.Cause(ctx)
}

// tendEvery is how often waiting reads are looked at: a small part of the times that have been set.
func (o *Options) tendEvery() time.Duration {
	return min(max(min(o.RetryFor, o.StallTimeout)/8, 10*time.Millisecond), time.Second)
}

// tend is called by the timer. While somebody waits it makes, now and then, reads fail that have retried
// for too long, and ends streams that have brought nothing for too long.
func (a *Asset) tend() {
	b := a.store.reading.Source.Budget()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.engine == nil {
		return
	}
	if now := time.Now(); len(a.waiters) > 0 && now.Sub(a.tended) >= a.store.reading.tendEvery() {
		a.tendLocked(now, b)
	}
	a.planLocked()
}

func (a *Asset) tendLocked(now time.Time, b Budget) {
	// Waiting for the rate limit does not count as retrying, but a request that has its turn does, the
	// first one, too.
	trying := slices.ContainsFunc(a.streams, func(s *stream) bool { return s.state.Opening && (b.Queued == 0 || !s.call.SentAt().IsZero()) })
	if queued := b.Available <= 0 && b.Down == nil && !now.Before(a.fail.until); trying || a.fail.err != nil && !queued {
		a.fail.waited(a.tended, now)
	}
	a.finishLocked(func(w *waiter) (bool, error) {
		err := a.overdueLocked(w, b, now)
		if err != nil {
			a.lastErr = &mishap{err, now}
			if !w.state.Header {
				a.fail.gaveUp, a.fail.why = now, err
			}
		}
		return err != nil, err
	})
	for _, s := range a.streams {
		if !s.reading.IsZero() && now.Sub(s.reading) >= a.store.reading.StallTimeout {
			s.cancel(stalled(a.store.reading.StallTimeout))
		}
	}
	a.tended = now
}

// overdueLocked returns the error that w has met for as long as a read may retry; nil if it may go on.
func (a *Asset) overdueLocked(w *waiter, b Budget, now time.Time) error {
	if b.Down != nil && now.Sub(w.state.Since) >= w.retryFor && now.Sub(b.Since) >= w.retryFor {
		return b.Down
	}
	lasted, count := a.fail.lasted, a.fail.count
	if w.before.began.Equal(a.fail.began) { // else something has come since
		lasted, count = lasted-w.before.lasted, count-w.before.count
	}
	switch {
	case a.fail.err == nil, lasted < w.retryFor && count < failuresMost:
		return nil
	case b.Down != nil:
		return b.Down // a retry is waiting for that, whatever it was that made it one
	}
	return a.fail.err
}

// missingLocked returns the first gap in what w needs; empty if there is none.
func (a *Asset) missingLocked(w *waiter) ranges.Range {
	return a.present.Gap(a.info.clip(w.state.Need))
}

// comingLocked reports whether a running stream will serve w.
func (a *Asset) comingLocked(w *waiter) bool {
	return a.servingLocked(a.missingLocked(w).Start, false) != nil
}

// finishPresentLocked finishes the reads whose bytes are present.
func (a *Asset) finishPresentLocked() {
	a.finishLocked(func(w *waiter) (bool, error) { return !w.state.Header && a.missingLocked(w).Empty(), nil })
}

// finishLocked finishes the waiters for which f returns true, with its error.
func (a *Asset) finishLocked(f func(*waiter) (bool, error)) {
	if a.engine == nil {
		return
	}
	a.waiters = slices.DeleteFunc(a.waiters, func(w *waiter) bool {
		done, err := f(w)
		if done {
			w.err = err
			close(w.done)
		}
		return done
	})
}
