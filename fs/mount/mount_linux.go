package mount

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Make mounts for reading, by mount(2) or, for ordinary users, with fusermount3. It returns the
// connection's descriptor. The mount table shows source as mounted; options are FUSE's own.
func (m *Mount) Make(source string, options []string) (fd int, err error) {
	if fd, err = direct(m.Point, source, options); errors.Is(err, os.ErrPermission) {
		fd, err = mountByHelper(m.Point, append([]string{"fsname=" + source, "subtype=assetfs", "ro", "nosuid", "nodev"}, options...))
	}
	if err != nil {
		return -1, err
	}
	m.device = deviceOf(m.Point)
	if m.connection, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return -1, errors.Join(os.NewSyscallError("dup", err), Detach(m.Point), unix.Close(fd))
	}
	return fd, nil
}

// direct mounts by mount(2).
func direct(point, source string, options []string) (fd int, err error) {
	if fd, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("open", err)
	}
	data := append([]string{fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d", fd, unix.S_IFDIR, os.Geteuid(), os.Getegid())}, options...)
	err = unix.Mount(source, point, "fuse.assetfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, strings.Join(data, ","))
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("mount", err)
	}
	return fd, nil
}

// unmount unmounts: only if nobody uses the mount (otherwise EBUSY), or lazily, with all bind
// mounts of it. If it is not mounted any more it succeeds.
func (m *Mount) unmount(lazy bool) error {
	point, covered := m.Point, false
	if m.device != "" { // else there is no /proc
		point, covered = mountOf(m.device)
	}
	if !m.lives() { // what was found is another mount, with the same number
		return nil
	}
	if lazy {
		detachOthers(m.device, point)
	}
	switch {
	case point == "":
		return nil
	case covered:
		return errCovered
	case lazy:
		return Detach(point)
	}
	return unmountAt(point, 0)
}

// detachOthers unmounts a device lazily wherever it is mounted but at point, as far as this process
// may. Otherwise bind mounts would stay as dead mounts. Those of other mount namespaces are out of reach.
func detachOthers(device, point string) {
	top := map[string]string{}
	var others []string
	eachMount("/proc/self/mountinfo", func(l mountLine) {
		top[l.point] = l.device
		if l.device == device && l.point != point {
			others = append(others, l.point)
		}
	})
	for _, other := range others {
		if top[other] == device { // else another mount hides it
			_ = unix.Unmount(other, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		}
	}
}

// Detach unmounts lazily.
func Detach(point string) error { return unmountAt(point, unix.MNT_DETACH) }

// removeDead removes the mount of a process that was killed, unless another process has done so:
// then there may be a new mount.
func removeDead(point string) error {
	dir, err := unix.Open(point, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var st unix.Statfs_t
	if err := unix.Fstatfs(dir, &st); !errors.Is(err, unix.ENOTCONN) {
		return nil
	}
	switch err = unix.Unmount(fmt.Sprintf("/proc/self/fd/%d", dir), unix.MNT_DETACH); {
	case err == nil, errors.Is(err, unix.EINVAL): // it is no mount any more
		return nil
	}
	return Detach(point)
}

// unmountAt unmounts with the given flags of umount(2) or, for ordinary users, with fusermount3.
func unmountAt(point string, flags int) error {
	err := unix.Unmount(point, flags|unix.UMOUNT_NOFOLLOW)
	if !errors.Is(err, unix.EPERM) {
		return err
	}
	return unmountByHelper(point, flags&unix.MNT_DETACH != 0)
}

// lives reports whether the kernel still has the connection. As long as it does, no other mount
// has the device's number.
func (m *Mount) lives() bool {
	poll := []unix.PollFd{{Fd: int32(m.connection)}}
	for {
		if _, err := unix.Poll(poll, 0); !errors.Is(err, unix.EINTR) {
			return poll[0].Revents&unix.POLLERR == 0
		}
	}
}

// abort ends the connection, so that nobody waits for it any longer. Where the FUSE control file
// system isn't mounted it does nothing, and the end of this process ends the connection.
func (m *Mount) abort() {
	if !m.lives() {
		return
	}
	_, minor, _ := strings.Cut(m.device, ":")
	_ = os.WriteFile(filepath.Join("/sys/fs/fuse/connections", minor, "abort"), []byte("1"), 0)
}

// UnmountHint is the command that unmounts path.
func UnmountHint(path string) string { return "fusermount3 -u " + Quoted(path) }
