package spool

import (
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	seekData = unix.SEEK_DATA
	seekHole = unix.SEEK_HOLE
	// zfsMagic is the f_type of ZFS, which unix doesn't know.
	zfsMagic = 0x2fc12fc1
)

// BootID names this boot of the machine.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// datasync returns when the bytes of f and its size are on the disk.
func datasync(f *os.File) error {
	return control(f, unix.Fdatasync)
}

// punch makes a hole of n bytes at off.
func punch(f *os.File, off, n int64) error {
	return control(f, func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
}

// preallocate takes the blocks for n bytes at off, the end of f, and leaves the
// size alone.
func preallocate(f *os.File, off, n int64) error {
	return control(f, func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
}

// zerosAreHoles tells whether the file system turns written zeros into holes.
func zerosAreHoles(st *unix.Statfs_t) bool { return st.Type == zfsMagic }

// stackDepth is the number of stacked file systems at a file there.
func stackDepth(st *unix.Statfs_t) int {
	switch uint32(st.Type) {
	case unix.OVERLAYFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC, unix.ECRYPTFS_SUPER_MAGIC:
		return 2
	}
	return 1
}

// mountedThere reports whether path is the root of a mount, and whether this
// kernel (5.8 or later) knows.
func mountedThere(path string) (mounted, known bool) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, 0, &st); err != nil {
		return false, false
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, st.Attributes_mask&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// kindOf tells file systems apart on which a spool is not what it is on a disk.
func kindOf(st *unix.Statfs_t) Kind {
	switch uint32(st.Type) {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		return Memory
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.FUSE_SUPER_MAGIC:
		return Network
	}
	return Lasting
}
