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
	// ErrStalled means that a stream got no byte for too long.
	ErrStalled = errors.New("no byte from the server")
	// ErrNoSpace means that there was no room for bytes, and that nothing more
	// could go.
	ErrNoSpace error = &textError{syscall.ENOSPC, "no room", 0}
)

// textError says text, and is kind to errors.Is if that is not nil.
type textError struct {
	kind     error
	text     string
	requests int // in all, that are worth making after it; -1: any number
}

func (e *textError) Error() string                              { return e.text }
func (e *textError) Unwrap() error                              { return e.kind }
func (e *textError) Retry() (requests int, after time.Duration) { return e.requests, 0 }

var (
	errLength   = errors.New("not as long as the asset is")
	errMismatch = errors.New("other bytes than before")
	errSeenOnce = errors.New("a validator that came once only")
)

func stalled(after time.Duration) error {
	return &textError{ErrStalled, fmt.Sprintf("%v for %v", ErrStalled, after), -1}
}

// wrongLength means that a response had another length than the asset. A few more
// requests may go better, if its end was not a proper one. want is -1 if nothing tells
// the length.
func wrongLength(got, want int64, requests int) error {
	text := fmt.Sprintf("server sent %d bytes of an asset of %d", got, want)
	if want < 0 {
		text = fmt.Sprintf("server sent %d bytes and nothing says whether these are all", got)
	}
	return &textError{errLength, text, requests}
}

// sizeError means that the bytes of a response show the size that is known to be
// wrong.
type sizeError struct {
	error
	size int64 // what it is, -1 unknown
}

func mismatch(r ranges.Range) error {
	return &textError{errMismatch, fmt.Sprintf("server sent other bytes than before in %v", r), 0}
}

// wrongRange means that a response does not hold what was asked for. One more
// request may go better if the server had sent that before, or once it is asked for
// everything.
func wrongRange(got, want ranges.Range, requests int) error {
	return &textError{nil, fmt.Sprintf("server sent %v when asked for %v", got, want), requests}
}

// unproven means that a response may be of another content than what is present, and
// that the server has not sent what would tell.
func unproven(validator string) error {
	return &textError{errSeenOnce, fmt.Sprintf("server sent %q once only, so that it is not known whether the content is the same", validator), 4}
}
