package fs

import (
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

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
