package mount

import (
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// unmount unmounts: only if nobody uses the mount (otherwise EBUSY), or by force, since macOS
// has no lazy unmount.
func (m *Mount) unmount(lazy bool) error {
	if ours, _ := mountedOn(m.Point); !ours || !m.lives() {
		return nil
	}
	if lazy {
		return Detach(m.Point)
	}
	return unix.Unmount(m.Point, 0)
}

// Detach unmounts by force.
func Detach(point string) error {
	return exec.Command("umount", "-f", point).Run()
}

func removeDead(point string) error { return Detach(point) }

// There is one mount table, and no way to see who uses a mount but lsof.

func users(string) []string  { return nil }
func copies(string) []string { return nil }
func (m *Mount) abort()      {}

// lives reports whether the file system is still served.
func (m *Mount) lives() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// watchTable does nothing: on macOS an unmount by others ends the connection at once.
func (m *Mount) watchTable() {}

// mountedOn reports whether something is mounted on path, and whether it is an assetfs.
func mountedOn(path string) (ours, mounted bool) {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return false, false
	}
	list := make([]unix.Statfs_t, n)
	if n, err = unix.Getfsstat(list, unix.MNT_NOWAIT); err != nil {
		return false, false
	}
	for _, st := range list[:n] {
		if unix.ByteSliceToString(st.Mntonname[:]) == path {
			mounted = true
			ours = strings.HasPrefix(unix.ByteSliceToString(st.Mntfromname[:]), "assetfs")
		}
	}
	return ours, mounted
}

// UnmountHint is the command that unmounts path.
func UnmountHint(path string) string { return "umount " + Quoted(path) }
