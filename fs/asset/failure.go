package asset

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	backoffFirst = 250 * time.Millisecond
	backoffMost  = 16 * time.Second
	// rememberFor is how long an error that no further request would cure is
	// remembered: long enough for a program that tries three times, short enough
	// for a person who has recharged the account.
	rememberFor = 5 * time.Second
	// giveUpFor is how long others fail like a read whose patience has ended. A
	// page fault that fails is tried again by the kernel, and once more after
	// each signal that came meanwhile, before there is a SIGBUS: with all of its
	// patience each time, a program with a timer, or with a Go runtime that
	// preempts, would never see it.
	giveUpFor = 200 * time.Millisecond
	// failuresMost is how many failures in a row end the patience of a read even
	// if its requests spend most of their time in the queue: as many as fit
	// twice into two minutes of backoff.
	failuresMost = 30
)

// retry says how many requests in all are worth making after err, and how long
// to wait before the next.
func retry(err error) (requests int, after time.Duration) {
	var r interface {
		Retry() (requests int, after time.Duration)
	}
	if errors.As(err, &r) {
		return r.Retry()
	}
	return 0, 0
}

// crowded reports whether err may come of another download of ours.
func crowded(err error) bool {
	var c interface{ Crowded() bool }
	return errors.As(err, &c) && c.Crowded()
}

// failure is the asset's trouble with its source; the zero value is none.
type failure struct {
	err    error
	final  bool      // no further request is made before until
	count  int       // in a row without a new byte
	tries  int       // of these, those that are worth only so many requests
	since  time.Time // of the first in that row
	until  time.Time // no request before
	gaveUp time.Time // a read's patience ended
	why    error     // what that read returned
}

// note records err. progress tells that bytes came since the last failure;
// then the next attempt may start at once.
func (f *failure) note(err error, now time.Time, progress bool) {
	switch {
	case progress, f.final && !now.Before(f.until):
		*f = failure{}
	case f.final:
		return
	}
	if f.count == 0 {
		f.since = now
	}
	f.err = err
	f.count++
	requests, after := retry(err)
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

// refusal is the error that a new read gets at once, nil if it may try.
func (f *failure) refusal(now time.Time) error {
	if f.final && now.Before(f.until) {
		return f.err
	}
	if now.Before(f.gaveUp.Add(giveUpFor)) {
		return f.why
	}
	return nil
}
