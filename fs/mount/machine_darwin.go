package mount

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// LookAtMachine examines this machine. It mounts nothing.
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

// Available returns nil: go-fuse looks for macFUSE by itself.
func Available() error { return nil }

// RequestTimeout returns macFUSE's daemon_timeout.
func RequestTimeout() time.Duration { return 10 * time.Minute }
