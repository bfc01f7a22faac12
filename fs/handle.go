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
}

var (
	_ fusefs.FileReader          = (*handle)(nil)
	_ fusefs.FileReleaser        = (*handle)(nil)
	_ fusefs.FileFsyncer         = (*handle)(nil)
	_ fusefs.FilePassthroughFder = passthrough{}
)

// Read reads from the spool, and waits for what is absent. A short read is the
// end of the file, and nothing else: page faults and splice read through the
// page cache, also with FOPEN_DIRECT_IO, and there a short read makes the kernel
// believe that the file ends. So what stands before an error is not given.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if h.backing != nil && h.fs.turns == nil { // go-fuse takes no turns
		return h.splice(len(dest), off)
	}
	c := h.fs.call(ctx, service.Wait{Op: "read", Asset: h.asset, Need: ranges.Range{Start: off, End: off + int64(len(dest))}})
	defer c.End()
	n, err := h.reader.ReadAt(c, dest, off)
	if err != nil {
		return nil, h.fs.failed("read", h.asset, err)
	}
	h.fs.Served.Add(int64(n))
	return h.fs.turns.reply(dest[:n]), 0
}

// splice moves bytes of a whole asset from the spool file to the kernel without
// a copy through us. They don't go while it is open: room is never made in it.
func (h *handle) splice(n int, off int64) (fuse.ReadResult, syscall.Errno) {
	n = int(min(int64(n), max(0, h.size-off)))
	h.fs.Served.Add(int64(n))
	return fuse.ReadResultFd(h.backing.Fd(), off, n), 0
}

// Release closes the handle.
func (h *handle) Release(context.Context) syscall.Errno {
	h.file.leave(h)
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

// Fsync has nothing to write, and says so as any read-only disk does.
func (h *handle) Fsync(context.Context, uint32) syscall.Errno { return 0 }

// passthrough is a handle that the kernel reads by itself. It is a type of its
// own because go-fuse takes any handle that may have a descriptor for one with
// the descriptor of others that are open.
type passthrough struct{ *handle }

// PassthroughFd gives the kernel the spool file of a whole asset.
func (h passthrough) PassthroughFd() (int, bool) { return int(h.backing.Fd()), true }
