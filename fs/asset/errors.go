package asset

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"assetfs/fs/ranges"
)

var (
	// ErrAbsent means that requested bytes are not present.
	ErrAbsent = errors.New("bytes not present")
	// ErrChanged means that the server's content is no longer the one that was opened.
	ErrChanged = errors.New("content changed on the server")
	// ErrClosed means that the asset was closed, at unmount.
	ErrClosed = errors.New("asset closed")
	// ErrNoSlot must be wrapped by the error of a Source's Open if a background request, which
	// never waits, can't start now. It is no failure of the asset.
	ErrNoSlot = errors.New("no download request left now")
	// ErrStalled means that a stream got no byte for too long.
	ErrStalled = errors.New("no byte from the server")
	// ErrNoSpace means that there was no room for bytes, and that nothing more can be dropped.
	ErrNoSpace error = &textError{syscall.ENOSPC, "no room", 0}
)

// textError is an error with a text; errors.Is also finds kind, unless that is nil.
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

// wrongLength means that a response had another length than the asset. Up to requests more may
// have better luck, if the body did not end properly. want is -1 if the length is unknown.
func wrongLength(got, want int64, requests int) error {
	text := fmt.Sprintf("server sent %d bytes of an asset of %d", got, want)
	if want < 0 {
		text = fmt.Sprintf("server sent %d bytes and nothing says whether these are all", got)
	}
	return &textError{errLength, text, requests}
}

// sizeError means that the bytes of a response show that the known size is wrong.
type sizeError struct {
	error
	size int64 // what it is, -1 unknown
}

func mismatch(r ranges.Range) error {
	return &textError{errMismatch, fmt.Sprintf("server sent other bytes than before in %v", r), 0}
}

// wrongRange means that a response does not hold the range that was asked for. One more request
// may have better luck, if the server has sent the right range before, or if that request asks
// for the whole asset.
func wrongRange(got, want ranges.Range, requests int) error {
	return &textError{nil, fmt.Sprintf("server sent %v when asked for %v", got, want), requests}
}

// unproven means that a response may have other content than what is present, and that the
// server has not sent the bytes that would tell.
func unproven(validator string) error {
	return &textError{errSeenOnce, fmt.Sprintf("server sent %q once only, so that it is not known whether the content is the same", validator), 4}
}
