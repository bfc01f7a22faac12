package mount

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LookAtMachine finds out what a mount needs. It mounts nothing.
func LookAtMachine() Machine {
	m := Machine{MayMount: true, Timeout: RequestTimeout()}
	if _, err := os.Stat("/Library/Filesystems/macfuse.fs"); err != nil {
		m.Device = errors.New("there is no macFUSE: install it from https://macfuse.github.io, and allow it in the system's settings")
	}
	m.Release, _ = unix.Sysctl("kern.osrelease")
	return m
}

// RaiseReadAhead does nothing: macOS reads ahead by itself.
func (m *Mount) RaiseReadAhead() {}

// Available leaves it to go-fuse to look for macFUSE.
func Available() error { return nil }

// RequestTimeout is daemon_timeout.
func RequestTimeout() time.Duration { return 10 * time.Minute }
