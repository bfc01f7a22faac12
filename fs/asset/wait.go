package asset

import (
	"context"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// waiter is a read, or a first contact, that waits for something to come.
type waiter struct {
	state    WaiterState
	caller   Caller        // nil: nobody knows
	done     chan struct{} // closed when it need not wait any longer
	err      error         // set before done is closed
	patience time.Duration // how long it keeps retrying
	retrying time.Duration // how long it has, since row
	row      time.Time     // when the failures began that it meets now
	before   int           // how many of these there were before it
}

func (w *waiter) finish(err error) {
	w.err = err
	close(w.done)
}

// waitLocked registers a waiter. It fails at once when there is no use in
// waiting.
func (a *Asset) waitLocked(ctx context.Context, state WaiterState, patience time.Duration) (*waiter, error) {
	if a.closed {
		return nil, ErrClosed
	}
	if a.suspended != nil {
		return nil, a.suspended
	}
	if patience == 0 {
		patience = a.o.RetryFor
	}
	w := &waiter{state: state, caller: callerOf(ctx), done: make(chan struct{}), patience: patience, row: a.fail.since, before: a.fail.count}
	if err := a.fail.refusal(state.Since); err != nil && !a.comingLocked(w) {
		return nil, err
	}
	i, _ := slices.BinarySearchFunc(a.waiters, w, waiterBefore)
	a.waiters = slices.Insert(a.waiters, i, w)
	return w, nil
}

// waiterBefore puts waiters in the order of what they need, the planner's: a new one
// behind those of the same place.
func waiterBefore(w, added *waiter) int {
	if w.state.Need.Start <= added.state.Need.Start {
		return -1
	}
	return 1
}

// await waits until w is finished, ctx ends, or w has been retrying for too
// long.
func (a *Asset) await(ctx context.Context, w *waiter) error {
	every := min(max(w.patience/8, 10*time.Millisecond), time.Second)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			return w.err
		case <-ctx.Done():
			return a.leave(w, a.reason(ctx))
		case <-tick.C:
			if err := a.overdue(w, every); err != nil {
				return a.giveUp(w, err)
			}
		}
	}
}

// reason is why a wait that ctx ended has failed: the caller went away, or its
// patience did; then what stood in the way says more than "deadline exceeded".
func (a *Asset) reason(ctx context.Context) error {
	err := context.Cause(ctx)
	if ctx.Err() != context.DeadlineExceeded {
		return err
	}
	if down := a.o.Source.Budget().Down; down != nil {
		return down
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fail.err != nil {
		return a.fail.err
	}
	return err
}

// leave takes w out, unless it was finished in the meantime.
func (a *Asset) leave(w *waiter, err error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-w.done:
		return w.err
	default:
	}
	if i := slices.Index(a.waiters, w); i >= 0 {
		a.waiters = slices.Delete(a.waiters, i, i+1)
	}
	a.planLocked()
	return err
}

// giveUp is leave when the patience of w has ended.
func (a *Asset) giveUp(w *waiter, err error) error {
	if err = a.leave(w, err); err == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lastErr, a.lastErrAt = err, time.Now()
	if !w.state.Header {
		a.fail.gaveUp, a.fail.why = time.Now(), err
	}
	return err
}

// overdue returns the error that has kept w for as long as a read retries, nil
// if it may go on. passed is the time since it was called last. Waiting for the
// rate limit is not retrying.
func (a *Asset) overdue(w *waiter, passed time.Duration) error {
	now := time.Now()
	b := a.o.Source.Budget()
	if b.Down != nil && now.Sub(w.state.Since) >= w.patience && now.Sub(b.Since) >= w.patience {
		return b.Down
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !w.row.Equal(a.fail.since) {
		w.row, w.retrying, w.before = a.fail.since, 0, 0 // something has come since
	}
	queued := b.Available <= 0 && b.Down == nil && !now.Before(a.fail.until)
	if a.fail.err != nil && !queued {
		w.retrying += passed
	}
	switch {
	case a.fail.err == nil, w.retrying < w.patience && a.fail.count-w.before < failuresMost:
		return nil
	case b.Down != nil:
		return b.Down // a retry is waiting for that, whatever it was that made it one
	}
	return a.fail.err
}

// missingLocked returns the first gap in what w needs; empty when it has all.
func (a *Asset) missingLocked(w *waiter) ranges.Range {
	need := w.state.Need
	if a.info.Size >= 0 {
		need.End = max(need.Start, min(need.End, a.info.Size))
	}
	return a.present.Gap(need)
}

// comingLocked reports whether a stream that is running will serve w: with Range
// one that may read as far, else one that can't be replaced.
func (a *Asset) comingLocked(w *waiter) bool {
	gap := a.missingLocked(w)
	for _, s := range a.streams {
		if s.ending || s.state.Opening {
			continue
		}
		st, reaches := s.state, a.info.Ranging != RangeYes || gap.Start <= s.limit
		if reaches && st.Pos <= gap.Start && (st.End < 0 || st.End > gap.Start) {
			return true
		}
	}
	return false
}

// wakeLocked finishes the waiters whose last missing byte lay in r.
func (a *Asset) wakeLocked(r ranges.Range) {
	a.finishLocked(func(w *waiter) (bool, error) {
		return !w.state.Header && !w.state.Need.Intersect(r).Empty() && a.missingLocked(w).Empty(), nil
	})
}

// finishLocked finishes the waiters for which f says so, with its error.
func (a *Asset) finishLocked(f func(*waiter) (bool, error)) {
	a.waiters = slices.DeleteFunc(a.waiters, func(w *waiter) bool {
		done, err := f(w)
		if done {
			w.finish(err)
		}
		return done
	})
}
