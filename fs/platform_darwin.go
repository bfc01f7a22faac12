package fs

import (
	"errors"
	"syscall"
	"time"

	"assetfs/fs/inode"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func (f *FS) tryPassthrough() error {
	return errors.New("macOS has no passthrough")
}

// start mounts on the mount point and serves it. macFUSE's own options are the name in the Finder,
// 600 s (the maximum) before a volume that waits for the network is declared dead, and no lookups of
// AppleDouble files.
func (f *FS) start() error {
	o := f.fuseOptions()
	o.FsName = "assetfs" // by which mountedOn knows our own
	o.Options = []string{"ro", "nosuid", "nodev", "volname=assetfs", "daemon_timeout=600", "noappledouble", "noapplexattr"}
	if o.AllowOther = f.o.AllowOther; o.AllowOther {
		o.Options = append(o.Options, "default_permissions")
	}
	return f.serve(f.Point, o)
}

// absent is the error for an extended attribute that does not exist. After ENOTSUP macOS would
// look for it in AppleDouble files.
func absent(string) syscall.Errno { return syscall.ENOATTR }

// fillBlocks sets st_blocks to what is in the spool, but at least 1 for a file that is not
// empty.
func fillBlocks(out *fuse.Attr, local int64) {
	out.Blocks = uint64(local+511) / 512
	if out.Size > 0 {
		out.Blocks = max(1, out.Blocks)
	}
}

// kernelGen is always 0: without passthrough the states of an asset don't conflict, and macFUSE
// does not look a name up again after ESTALE.
func (f *FS) kernelGen(inode.State) uint64 { return 0 }

// dirTimeout is how long the kernel may keep the times of a directory. macOS can't be told that
// they have changed.
const dirTimeout = time.Second
