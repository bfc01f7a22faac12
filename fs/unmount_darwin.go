package fs

import (
	"os/exec"

	"golang.org/x/sys/unix"
)

// unmount takes the mount away: only if nobody uses it (else EBUSY), or by
// force: macOS knows no lazy unmount.
func (f *FS) unmount(lazy bool) error {
	if ours, _ := mountedOn(f.mountpoint); !ours {
		return nil
	}
	if lazy {
		return detach(f.mountpoint)
	}
	return unix.Unmount(f.mountpoint, 0)
}

// detach unmounts by force.
func detach(mountpoint string) error {
	return exec.Command("umount", "-f", mountpoint).Run()
}

// There is one mount table, and no way to see who uses a mount but lsof.

func deviceOf(string) string { return "" }
func users(string) []string  { return nil }
func copies(string) []string { return nil }
func abort(string)           {}

// watchTable would notice an unmount by others, which ends the connection here.
func (f *FS) watchTable() {}
