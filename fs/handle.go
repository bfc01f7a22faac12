package fs

import (
	"context"
	"os"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/ranges"
	"assetfs/fs/service"
)

// handle is an open file.
type handle struct {
	fs      *FS
	file    *file
	asset   *catalog.Asset
	reader  *asset.Reader
	backing *os.File // the spool file, if the asset is whole, else nil
	size    int64    // of backing, whatever the asset is now
	blind   bool     // opened when nobody knew the size
	kept    bool     // the kernel keeps the pages that the inode has
}

var (
	_ fusefs.FileReader          = (*handle)(nil)
	_ fusefs.FileReleaser        = (*handle)(nil)
	_ fusefs.FileFsyncer         = (*handle)(nil)
	_ fusefs.FilePassthroughFder = passthrough{}
)

// Read reads from the spool, and waits for absent bytes. It returns fewer bytes than asked
// only at the end of the file, even if an error follows after some bytes: page faults and
// splice read through the page cache, also with FOPEN_DIRECT_IO, and there the kernel takes
// a short read as the end of the file.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if h.backing != nil && h.fs.turns == nil { // go-fuse takes no turns
		return h.splice(len(dest), off)
	}
	o := h.file.opened.Load()
	o.reads.Add(1)
	defer o.reads.Add(-1)
	c := h.fs.call(ctx, service.Wait{Op: "read", Asset: h.asset, Need: ranges.Range{Start: off, End: off + int64(len(dest))}})
	defer c.End()
	n, err := h.reader.ReadAt(c, dest, off)
	if err != nil {
		return nil, h.fs.failed("read", h.asset, err)
	}
	h.fs.Served.Add(int64(n))
	return h.fs.turns.reply(dest[:n]), 0
}

// splice moves bytes of a whole asset from the spool file to the kernel without copying them
// through this process. They stay while the handle is open, because no room is made in the
// spool file of an open asset.
func (h *handle) splice(n int, off int64) (fuse.ReadResult, syscall.Errno) {
	n = int(min(int64(n), max(0, h.size-off)))
	h.fs.Served.Add(int64(n))
	return fuse.ReadResultFd(h.backing.Fd(), off, n), 0
}

// Release closes the handle.
func (h *handle) Release(context.Context) syscall.Errno {
	h.file.opened.Load().leave(h)
	h.close()
	h.fs.Released()
	return 0
}

func (h *handle) close() {
	h.reader.Close()
	if h.backing != nil {
		h.backing.Close()
	}
	h.fs.FreeAtClose(h.asset)
}

// Fsync succeeds, as on any read-only disk: there is nothing to write.
func (h *handle) Fsync(context.Context, uint32) syscall.Errno { return 0 }

// passthrough is a handle that the kernel reads by itself. It has its own type because
// go-fuse treats any handle with the method PassthroughFd as one with a backing file, and
// would give it the file of other open handles.
type passthrough struct{ *handle }

// PassthroughFd gives the kernel the spool file of a whole asset.
func (h passthrough) PassthroughFd() (int, bool) { return int(h.backing.Fd()), true }
