package fs

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// platformOptions are macFUSE's: the name in the Finder, 600 s (its most) until
// a volume that waits for the network is declared dead, and no AppleDouble
// files looked up.
func platformOptions(o *fuse.MountOptions) {
	o.FsName = "assetfs" // by which mountedOn knows our own
	o.Options = append(o.Options, "volname=assetfs", "daemon_timeout=600", "noappledouble", "noapplexattr")
}

func (f *FS) tryPassthrough() error {
	return errors.New("macOS has no passthrough")
}

func (f *FS) raiseReadAhead() {} // macOS reads ahead by itself

// fuseAvailable leaves it to go-fuse to look for macFUSE.
func fuseAvailable() error { return nil }

func (f *FS) start() (*fuse.Server, error) {
	return fusefs.Mount(f.mountpoint, f.root, f.fuseOptions())
}

// requestTimeout is daemon_timeout.
func requestTimeout() time.Duration { return 10 * time.Minute }

// absent is the error for an extended attribute that nothing here has. ENOTSUP
// would make macOS look for it in AppleDouble files.
func absent(string) syscall.Errno { return syscall.ENOATTR }

// fillBlocks makes st_blocks what is local, but at least 1 for a file that has
// bytes.
func fillBlocks(out *fuse.Attr, local int64) {
	out.Blocks = uint64(local+511) / 512
	if out.Size > 0 {
		out.Blocks = max(1, out.Blocks)
	}
}

// kernelGen is always 0: without passthrough the states of an asset don't
// conflict, and macFUSE does not look a name up again after ESTALE.
func (f *FS) kernelGen(state) uint64 { return 0 }

// foldNames has names match that differ in case or normal form alone. macOS asks in any normal form, and case.
const foldNames = true

// dirTimeout is how long the kernel may believe the times of a directory. macOS
// can't be told when they move.
const dirTimeout = time.Second

// interrupted is always true: macFUSE reports an interrupt only for signals
// that end the call.
func interrupted(uint32) (ended, known bool) { return true, true }

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
