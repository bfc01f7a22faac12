package mount

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"time"
)

// Machine says what this machine offers that a mount needs.
type Machine struct {
	Release     string        // of the kernel
	Device      error         // why FUSE can't be used, nil if it can
	MayMount    bool          // this process may mount by itself
	Helper      error         // why fusermount3 can't mount for it, nil if it can
	Passthrough bool          // the kernel may read whole assets by itself
	Timeout     time.Duration // after which the kernel aborts a mount that doesn't answer; 0: never
}

// Patience returns how long a request may wait if the kernel has this limit.
func Patience(limit time.Duration) time.Duration { return limit - limit/5 }

// Explain adds to the error of a failed mount what to do about it.
func Explain(err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("only root may mount without fusermount3: install fuse3, or run as root: %w", err)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("FUSE is not available: install fuse3 and load the module (modprobe fuse): %w", err)
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("no permission to mount: install fuse3 (it brings fusermount3) or run as root: %w", err)
	}
	return err
}

// LargestRead returns the most that the kernel may ask for at a time, in bytes. go-fuse holds
// that much memory for each waiting read, so where memory is short it is only as much as
// reads of ordinary files ask for.
func LargestRead() int {
	const usual, little = 1 << 20, 512 << 20
	if debug.SetMemoryLimit(-1) < little { // it asks
		return usual / 8
	}
	return usual
}
