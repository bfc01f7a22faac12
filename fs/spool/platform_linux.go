package spool

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// zfsMagic is the f_type of ZFS, which unix doesn't know.
const zfsMagic = 0x2fc12fc1

// BootID identifies this boot of the machine.
func BootID() (string, error) {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(b)), err
}

// Uptime returns how long ago this boot was, including the time asleep; 0 if that is unknown.
func Uptime() time.Duration {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// punch makes a hole of n bytes at off.
func punch(f *os.File, off, n int64) error {
	return control(f, func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
}

// preallocate reserves blocks for n bytes at off, the end of f. The size stays as it is.
func preallocate(f *os.File, off, n int64) error {
	return control(f, func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
}

// writeInPlace makes btrfs write over f, an empty file, in place. Otherwise each write takes new blocks,
// and finds none on a full disk, whatever is reserved.
func writeInPlace(f *os.File) {
	const noCOW = 0x800000 // FS_NOCOW_FL of linux/fs.h
	_ = control(f, func(fd int) error {
		var st unix.Statfs_t
		if err := unix.Fstatfs(fd, &st); err != nil || uint32(st.Type) != unix.BTRFS_SUPER_MAGIC {
			return err
		}
		flags, err := unix.IoctlGetInt(fd, unix.FS_IOC_GETFLAGS)
		if err != nil {
			return err
		}
		return unix.IoctlSetPointerInt(fd, unix.FS_IOC_SETFLAGS, flags|noCOW)
	}) // where it fails, the index is as safe
}

// mountedThere reports whether path is the root of a mount, as far as this kernel (5.8 or later) tells.
func mountedThere(path string) bool {
	var st unix.Statx_t
	return unix.Statx(unix.AT_FDCWD, path, 0, 0, &st) == nil && st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0
}

// judge recognizes file systems that behave differently from a local disk.
func (s *State) judge(st *unix.Statfs_t) {
	switch uint32(st.Type) {
	case zfsMagic:
		s.ZerosAreHoles = true
	case unix.OVERLAYFS_SUPER_MAGIC, unix.ECRYPTFS_SUPER_MAGIC:
		s.StackDepth = 2
	case unix.FUSE_SUPER_MAGIC:
		s.StackDepth, s.Kind = 2, Network
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC:
		s.Kind = Memory
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC:
		s.Kind = Network
	case unix.MSDOS_SUPER_MAGIC, unix.EXFAT_SUPER_MAGIC:
		s.Kind = FAT
	}
}
