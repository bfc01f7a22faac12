package spool

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	seekData = unix.SEEK_DATA
	seekHole = unix.SEEK_HOLE
)

// BootID names this boot of the machine.
func BootID() (string, error) { return unix.Sysctl("kern.bootsessionuuid") }

// datasync returns when the bytes of f and its size are on the disk: Sync asks
// the drive too (F_FULLFSYNC).
func datasync(f *os.File) error { return f.Sync() }

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

// preallocate takes the blocks for n bytes behind the end of f, which is at
// off, and leaves the size alone.
func preallocate(f *os.File, _, n int64) error {
	return control(f, func(fd int) error {
		return unix.FcntlFstore(uintptr(fd), unix.F_PREALLOCATE, &unix.Fstore_t{
			Flags: unix.F_ALLOCATEALL, Posmode: unix.F_PEOFPOSMODE, Length: n,
		})
	})
}

// zerosAreHoles tells whether the file system turns written zeros into holes.
func zerosAreHoles(*unix.Statfs_t) bool { return false }

// stackDepth is the number of stacked file systems at a file there.
func stackDepth(*unix.Statfs_t) int { return 1 }

// mountedThere would know the root of a mount.
func mountedThere(string) (mounted, known bool) { return false, false }

// kindOf knows no other file systems.
func kindOf(*unix.Statfs_t) Kind { return Lasting }
