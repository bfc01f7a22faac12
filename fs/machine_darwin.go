package fs

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// LookAtMachine finds out what a mount needs. It mounts nothing.
func LookAtMachine() Machine {
	m := Machine{MayMount: true, Timeout: requestTimeout()}
	if _, err := os.Stat("/Library/Filesystems/macfuse.fs"); err != nil {
		m.Device = errors.New("there is no macFUSE: install it from https://macfuse.github.io, and allow it in the system's settings")
	}
	m.Release, _ = unix.Sysctl("kern.osrelease")
	return m
}
