package fs

import (
	"strings"

	"golang.org/x/sys/unix"
)

// mountedOn reports whether something is mounted on path, and whether that is
// an assetfs.
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

func unmountHint(path string) string { return "umount " + shellQuoted(path) }
