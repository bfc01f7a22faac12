package asset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"assetfs/fs/ranges"
)

var (
	// ErrAbsent is what a Store returns for bytes that are not there.
	ErrAbsent = errors.New("bytes not present")
	// ErrChanged means that the remote content is no longer the one that was
	// opened.
	ErrChanged = errors.New("content changed on the server")
	// ErrClosed means that the asset was closed, at unmount.
	ErrClosed = errors.New("asset closed")
	// ErrNoSlot is what a Source's Open wraps when no request may start now and
	// the request was a background one, which does not wait. It is no failure
	// of the asset.
	ErrNoSlot = errors.New("no download request left now")
	// ErrNoSpace is what a Store's WriteAt wraps when there is no room.
	ErrNoSpace = errors.New("no room")
)

// StallError means that a stream got no byte for too long.
type StallError struct{ After time.Duration }

func (e *StallError) Error() string {
	return fmt.Sprintf("no byte from the server for %v", e.After)
}

// Temporary is true: another request may go better.
func (e *StallError) Temporary() bool { return true }

// LengthError means that a response was not as long as the asset is.
type LengthError struct{ Got, Want int64 }

func (e *LengthError) Error() string {
	return fmt.Sprintf("server sent %d bytes of an asset of %d", e.Got, e.Want)
}

// MismatchError means that the server sent other bytes than before.
type MismatchError struct{ Range ranges.Range }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("server sent other bytes than before in %v", e.Range)
}

// RangeError means that a response does not hold what was asked for.
type RangeError struct{ Got, Want ranges.Range }

func (e *RangeError) Error() string {
	return fmt.Sprintf("server sent %v when asked for %v", e.Got, e.Want)
}

func temporary(err error) bool {
	var t interface{ Temporary() bool }
	return errors.As(err, &t) && t.Temporary()
}

const (
	backoffFirst = 250 * time.Millisecond
	backoffMost  = 16 * time.Second
	// permanentFor is how long an error that a retry would not cure is
	// remembered: long enough for a program that tries thrice, short enough
	// for a person who has recharged the account.
	permanentFor = 5 * time.Second
)

// failure is the asset's trouble with its source; the zero value is none.
type failure struct {
	err       error
	permanent bool
	count     int       // in a row without a new byte
	since     time.Time // of the first in that row
	until     time.Time // no request before
	gaveUp    time.Time // a read's patience ended
	why       error     // what that read returned
}

// giveUpFor is how long others fail like a read whose patience has ended. A page
// fault that fails is tried again by the kernel, and once more after each signal
// that came meanwhile, before there is a SIGBUS: with all of its patience each time, a
// program with a timer, or with a Go runtime that preempts, would never see it.
const giveUpFor = 200 * time.Millisecond

// note records err. progress tells that bytes came since the last failure;
// then the next attempt may start at once.
func (f *failure) note(err error, now time.Time, progress bool) {
	if progress {
		*f = failure{}
	}
	if f.count == 0 {
		f.since = now
	}
	f.err, f.permanent = err, !temporary(err)
	switch {
	case f.permanent:
		f.until = now.Add(permanentFor)
	case progress:
		f.until = now
	default:
		d := min(backoffFirst<<min(f.count, 10), backoffMost)
		f.until = now.Add(d/2 + rand.N(d)) // 0.5 to 1.5 d, so that assets don't retry in step
	}
	f.count++
}

// refusal is the error that a new read gets at once, nil if it may try.
func (f *failure) refusal(now time.Time) error {
	if f.permanent && now.Before(f.until) {
		return f.err
	}
	if now.Before(f.gaveUp.Add(giveUpFor)) {
		return f.why
	}
	return nil
}
