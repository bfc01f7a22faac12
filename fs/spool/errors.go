package spool

import (
	"errors"
	"fmt"
)

// ErrClosed means that the Dir has been closed.
var ErrClosed = errors.New("spool closed")

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
