package fs

import (
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// absent is the error for an extended attribute that nothing here has. Of the
// namespaces of xattr(7) there is user.* only, and to say so spares requests: ls
// -l asks for label and ACL of each file until it hears ENOTSUP. The kernel, for
// which ENOSYS would be the end of all attributes, takes it for this one alone.
func absent(attr string) syscall.Errno {
	if strings.HasPrefix(attr, "user.") {
		return syscall.ENODATA
	}
	return syscall.ENOTSUP
}

// fillBlocks makes st_blocks what is local, but at least 1 for a file that has
// bytes: tar -S takes 0 for "all zeros". go-fuse overwrites Blocks unless
// Blksize is set.
func fillBlocks(out *fuse.Attr, local int64) {
	out.Blksize = 128 << 10
	out.Blocks = uint64(local+511) / 512
	if out.Size > 0 {
		out.Blocks = max(1, out.Blocks)
	}
}

// kernelGen is the inode generation the kernel gets to see: another one for each
// state and version.
func (f *FS) kernelGen(s state) uint64 {
	if f.o.StableInodes {
		return s.version
	}
	return s.generation()
}
