package spool

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/dustin/go-humanize"
)

var (
	// ErrAbsent means that bytes asked for are not in the spool.
	ErrAbsent = errors.New("not in the spool")
	// ErrReset means that the content changed while bytes of the old one were
	// being written.
	ErrReset = errors.New("content was reset")
	// ErrClosed means that the Dir has been closed.
	ErrClosed = errors.New("spool closed")
)

// LockedError means that another process uses the directory.
type LockedError struct {
	Dir    string
	Holder string // what the other process said of itself
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("spool directory %s is in use by %s: unmount that one or give another --spool-dir", e.Dir, e.Holder)
}

// UnsafeError means that the directory can't be trusted with private bytes.
type UnsafeError struct {
	Path   string
	Reason string
}

func (e *UnsafeError) Error() string {
	return fmt.Sprintf("spool directory %s %s: give another --spool-dir", e.Path, e.Reason)
}

// NoSpaceError means that there was no room for a write and that nothing more
// could go. It is ENOSPC to errors.Is.
type NoSpaceError struct {
	ID     string
	Need   int64 // bytes asked for
	Held   int64 // bytes in the spool
	Limit  int64 // Options.Size
	Pinned int64 // bytes of pinned assets among those
	Err    error // what the disk said, nil if it was a limit of ours
}

func (e *NoSpaceError) Error() string {
	held := humanize.IBytes(uint64(max(0, e.Held)))
	if e.Pinned > 0 {
		held += fmt.Sprintf(" (%s of pinned assets, which assetfs unpin lets go)", humanize.IBytes(uint64(e.Pinned)))
	}
	if e.Err != nil {
		return fmt.Sprintf("no room for %d bytes of %s, the spool holds %s: %v", e.Need, e.ID, held, e.Err)
	}
	if e.Limit > 0 && e.Held+e.Need > e.Limit {
		return fmt.Sprintf("no room for %d bytes of %s, the spool holds %s of the %s that --spool-size allows, all in use",
			e.Need, e.ID, held, humanize.IBytes(uint64(e.Limit)))
	}
	return fmt.Sprintf("no room for %d bytes of %s, the spool holds %s and --spool-min-free asks for what is left of the disk", e.Need, e.ID, held)
}

// Unwrap makes it ENOSPC, whatever the disk said.
func (e *NoSpaceError) Unwrap() []error {
	if e.Err != nil {
		return []error{syscall.ENOSPC, e.Err}
	}
	return []error{syscall.ENOSPC}
}
