package asset

import (
	"errors"
	"fmt"
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
	ErrNoSpace = errors.New("no room")
)

// errUseless ends a response of which nothing is to be stored, because another stream brings its bytes,
// or because what it was to be compared with is gone, or was compared with another response. It is no
// failure.
var errUseless = errors.New("response of no use")

// errMismatch means that the server sent other bytes than those that are present.
var errMismatch = errors.New("server sent other bytes than before")

// tries is an error after which it is worth making some requests, counting all: -1 any number.
type tries struct {
	error
	requests int
}

func (e *tries) Unwrap() error                              { return e.error }
func (e *tries) Retry() (requests int, after time.Duration) { return e.requests, 0 }

func stalled(after time.Duration) error {
	return &tries{fmt.Errorf("%w for %v", ErrStalled, after), -1}
}

// wrongLength means that a response had another length than the asset. Up to requests more may
// have better luck, if the body did not end properly. want is -1 if the length is unknown.
func wrongLength(got, want int64, requests int) error {
	err := fmt.Errorf("server sent %d bytes of an asset of %d", got, want)
	if want < 0 {
		err = fmt.Errorf("server sent %d bytes and nothing says whether these are all", got)
	}
	return &tries{err, requests}
}

// sizeError means that the bytes of a response show that the known size is wrong.
type sizeError struct {
	error
	size int64 // what it is, -1 unknown
}

func mismatch(r ranges.Range) error {
	return fmt.Errorf("%w in %v", errMismatch, r)
}

// wrongRange means that a response does not hold the range that was asked for. One more request
// may have better luck, if the server has sent the right range before, or if that request asks
// for the whole asset.
func wrongRange(got, want ranges.Range, requests int) error {
	return &tries{fmt.Errorf("server sent %v when asked for %v", got, want), requests}
}

// unproven means that a response may have other content than what is present, and that the
// server has not sent the bytes that would tell.
func unproven(validator string) error {
	return &tries{fmt.Errorf("server sent %q once only, so that it is not known whether the content is the same", validator), 4}
}
