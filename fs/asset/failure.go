package asset

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

const (
	backoffFirst = 250 * time.Millisecond
	backoffMost  = 16 * time.Second
	// rememberFor is how long an error is remembered that another request can't cure: long
	// enough for a program that tries three times, short enough for a person who has
	// recharged the account.
	rememberFor = 5 * time.Second
	// giveUpFor is how long other reads fail at once after one has given up. The kernel tries
	// a failed page fault again, and once more after each signal that has come, before it
	// sends SIGBUS. If each try took all of RetryFor, a program with a timer, or a Go program,
	// would never get it.
	giveUpFor = 200 * time.Millisecond
	// failuresMost is how many failures in a row make a read give up even if its requests
	// spend most of their time in the queue: twice as many as fit into two minutes of backoff.
	failuresMost = 30
	// rereadMost is how many answers without Range that end before the first new byte are worth their
	// price, counted from the one with which they have brought rereadDear bytes again.
	rereadMost = 3
	rereadDear = 4 << 20
)

// retry returns how many requests are worth making after err, counting all, and how long to wait
// before the next.
func retry(err error) (requests int, after time.Duration) {
	var r interface {
		Retry() (requests int, after time.Duration)
	}
	if errors.As(err, &r) {
		return r.Retry()
	}
	return 0, 0
}

// crowded reports whether another open download of ours may be the reason for err.
func crowded(err error) bool {
	var c interface{ Crowded() bool }
	return errors.As(err, &c) && c.Crowded()
}

// failure is the present trouble of an asset with its source; the zero value is none.
type failure struct {
	err    error
	final  bool          // no further request is made before until
	count  int           // in a row without a new byte
	tries  int           // of these, those in a row that are worth only so many requests
	worth  int           // so many
	again  int64         // bytes that came again in that row
	vain   int           // paused streams that gave way in that row, and it did not help
	began  time.Time     // when somebody began to wait for the first in that row
	lasted time.Duration // so long somebody has waited since, but not for the rate limit
	until  time.Time     // no request before
	gaveUp time.Time     // when a read did, the last one
	why    error         // what that read returned
}

// note records err. If progress, bytes have come since the last failure, and the next attempt may
// start at once.
func (f *failure) note(err error, now time.Time, progress bool) {
	switch {
	case progress, f.final && !now.Before(f.until):
		*f = failure{}
	case f.final:
		return
	}
	f.waited(now, now)
	f.err = err
	f.count++
	requests, after := retry(err)
	if requests >= 0 && requests != f.worth {
		f.tries, f.worth = 0, requests // of another kind: what came before says nothing of it
	}
	if requests >= 0 {
		f.tries++
	}
	switch {
	case requests >= 0 && f.tries >= requests:
		f.final = true
		f.until = now.Add(rememberFor)
	case progress && after == 0:
		f.until = now
	default:
		d := min(backoffFirst<<min(f.count-1, 10), backoffMost)
		d = d/2 + rand.N(d) // 0.5 to 1.5 d, so that assets don't retry in step
		f.until = now.Add(max(d, after))
	}
}

// waited records that somebody has waited from start to end, but not for the rate limit.
func (f *failure) waited(start, end time.Time) {
	if f.began.IsZero() {
		f.began = start
	}
	f.lasted += end.Sub(start)
}

// refusal returns the error that a new read gets at once; nil if it may try.
func (f *failure) refusal(now time.Time) error {
	if f.final && now.Before(f.until) {
		return f.err
	}
	if now.Before(f.gaveUp.Add(giveUpFor)) {
		return f.why
	}
	return nil
}

// ended removes s from the asset; its goroutine is about to end with err.
func (a *Asset) ended(s *stream, err error) {
	b := a.store.reading.Source.Budget()
	a.mu.Lock()
	a.streams = slices.DeleteFunc(a.streams, func(o *stream) bool { return o == s })
	a.history.sequence(s.state.Delivered)
	s.reading = time.Time{}
	err = a.failedLocked(s, err)
	if a.fail.err != nil && len(a.waiters) > 0 {
		a.tendLocked(time.Now(), b) // whoever has waited long enough wants no other request
	}
	a.planLocked()
	close(s.done)
	a.mu.Unlock()
	if err != nil {
		a.store.o.Log.Info("download ended early", "asset", a.id, "start", s.state.Start, "pos", s.state.Pos, "program", s.request.Program, "pid", s.request.PID, "error", err)
	}
}

// failedLocked records what the end of s with err means for the asset. It returns the error to
// report, nil if the stream ended as it should.
func (a *Asset) failedLocked(s *stream, err error) error {
	switch {
	case errors.Is(err, ErrNoSlot):
		a.finishLocked(func(w *waiter) (bool, error) { return w.state.Background, err })
		return nil
	case errors.Is(err, errUseless):
		// The request must not be made again at once.
		if until := time.Now().Add(backoffFirst); until.After(a.fail.until) {
			a.fail.until = until
		}
		return nil
	case err == nil && s.gained > 0:
		a.fail, a.well = failure{}, time.Now() // all that was asked for has come
		return nil
	case s.discard, errors.Is(err, ErrChanged), a.store.suspension() != nil:
		return nil
	case err == nil:
		err = a.shortLocked(s)
	case s.ending:
		return nil
	}
	if err == nil {
		return nil
	}
	a.lastErr = &mishap{err, time.Now()}
	if errors.Is(err, ErrNoSpace) {
		return err // and not remembered: the next read may find room
	}
	if s.gained == 0 && s.state.Start < s.request.Start {
		a.fail.again += s.state.Pos - s.state.Start // without Range, that is paid again each time
		if requests, _ := retry(err); requests < 0 && a.fail.again >= rereadDear {
			err = &tries{err, rereadMost}
		}
	}
	a.fail.note(err, time.Now(), s.gained >= block/2)
	if a.fail.final {
		a.finishLocked(func(w *waiter) (bool, error) { return !a.comingLocked(w), err })
	}
	return err
}

// shortLocked returns an error if a read waits for bytes that s asked for and that its response
// does not hold; the next request then asks for the whole asset. Without this the same request
// would be made again at once.
func (a *Asset) shortLocked(s *stream) error {
	asked := ranges.Range{Start: s.request.Start, End: cmp.Or(s.request.End, math.MaxInt64)}
	came := ranges.Range{Start: s.state.Start, End: s.state.End}
	if came.End < 0 {
		came.End = math.MaxInt64
	}
	for _, w := range a.waiters {
		first := a.missingLocked(w)
		if w.state.Header || first.Empty() {
			continue
		}
		first.End = first.Start + 1
		if asked.Contains(first) && !came.Contains(first) {
			requests := 0
			if !a.info.Misranged && !s.request.NoRange {
				a.distrustRangeLocked()
				requests = 2
			}
			return wrongRange(came, asked, requests)
		}
	}
	return nil
}
