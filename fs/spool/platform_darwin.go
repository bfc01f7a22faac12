package spool

import (
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// BootID identifies this boot of the machine.
func BootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }

// Uptime returns how long ago this boot was, including the time asleep; 0 if that is unknown.
func Uptime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// fpunchhole is fpunchhole_t of <sys/fcntl.h>.
type fpunchhole struct {
	Flags, Reserved uint32
	Offset, Length  int64
}

// punch makes a hole of n bytes at off.
func punch(f *os.File, off, n int64) error {
	arg := fpunchhole{Offset: off, Length: n}
	return control(f, func(fd int) error {
		_, _, errno := unix.Syscall(unix.SYS_FCNTL, uintptr(fd), unix.F_PUNCHHOLE, uintptr(unsafe.Pointer(&arg)))
		if errno != 0 {
			return errno
		}
		return nil
	})
}

// preallocate reserves blocks for n bytes after the end of f, which is at off. The size stays as it is.
func preallocate(f *os.File, _, n int64) error {
	return control(f, func(fd int) error {
		return unix.FcntlFstore(uintptr(fd), unix.F_PREALLOCATE, &unix.Fstore_t{
			Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: n,
		})
	})
}

// writeInPlace does nothing: there is no btrfs.
func writeInPlace(*os.File) {}

// mountedThere is always false: macOS has no such flag.
func mountedThere(string) bool { return false }

// judge does nothing: no special file systems are known on macOS.
func (s *State) judge(*unix.Statfs_t) {}
