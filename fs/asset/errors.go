package asset

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"assetfs/fs/ranges"
)

var (
	// ErrAbsent means that bytes asked for are not present.
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
	// ErrNoSpace means that there was no room for bytes, and that nothing more
	// could go.
	ErrNoSpace error = noSpace{}
)

// StallError means that a stream got no byte for too long.
type StallError struct{ After time.Duration }

func (e *StallError) Error() string {
	return fmt.Sprintf("no byte from the server for %v", e.After)
}

// Retry says that another request may go better.
func (e *StallError) Retry() (requests int, after time.Duration) { return -1, 0 }

// LengthError means that a response was not as long as the asset is.
type LengthError struct {
	Got, Want int64 // Want is -1 if nothing tells the length
	requests  int   // that are worth making
}

func (e *LengthError) Error() string {
	if e.Want < 0 {
		return fmt.Sprintf("server sent %d bytes and nothing says whether these are all", e.Got)
	}
	return fmt.Sprintf("server sent %d bytes of an asset of %d", e.Got, e.Want)
}

// Retry says that a few more requests may go better, if the end was not a
// proper one.
func (e *LengthError) Retry() (requests int, after time.Duration) { return e.requests, 0 }

// MismatchError means that the server sent other bytes than before.
type MismatchError struct{ Range ranges.Range }

func (e *MismatchError) Error() string {
	return fmt.Sprintf("server sent other bytes than before in %v", e.Range)
}

// retryable is an error after which so many requests in all are worth making.
type retryable struct {
	error
	requests int
}

func (e *retryable) Unwrap() error                              { return e.error }
func (e *retryable) Retry() (requests int, after time.Duration) { return e.requests, 0 }

// wrongRange means that a response does not hold what was asked for. One more
// request may go better if the server had sent that before, or once it is asked for
// everything.
func wrongRange(got, want ranges.Range, requests int) error {
	return &retryable{fmt.Errorf("server sent %v when asked for %v", got, want), requests}
}

// UnprovenError means that a response may be of another content than what is
// present, and that the server has not sent what would tell.
type UnprovenError struct{ Validator string }

func (e *UnprovenError) Error() string {
	return fmt.Sprintf("server sent %q once only, so that it is not known whether the content is the same", e.Validator)
}

// Retry says that some more requests may go better.
func (e *UnprovenError) Retry() (requests int, after time.Duration) { return 4, 0 }

// noSpace is ENOSPC to errors.Is.
type noSpace struct{}

func (noSpace) Error() string { return "no room" }
func (noSpace) Unwrap() error { return syscall.ENOSPC }
