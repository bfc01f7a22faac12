package fs

import (
	"context"
	"os"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/asset"
)

// handle is an open file.
type handle struct {
	fs      *FS
	entry   *entry
	reader  *asset.Reader
	backing *os.File // what the kernel reads by itself, nil: it asks us
}

var (
	_ fusefs.FileReader          = (*handle)(nil)
	_ fusefs.FileReleaser        = (*handle)(nil)
	_ fusefs.FilePassthroughFder = (*handle)(nil)
)

// Read reads from the spool, and waits for what is absent. A short read is the
// end of the file, and nothing else: page faults and splice read through the
// page cache, also with FOPEN_DIRECT_IO, and there a short read makes the kernel
// believe that the file ends. So what stands before an error is not given.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	c := newCall(ctx)
	defer c.end()
	n, err := h.reader.ReadAt(c, dest, off)
	if err != nil {
		return nil, h.fs.fail("read", h.entry.id, err)
	}
	h.fs.served.Add(int64(n))
	return fuse.ReadResultData(dest[:n]), 0
}

// Release closes the handle.
func (h *handle) Release(context.Context) syscall.Errno {
	h.reader.Close()
	if h.backing != nil {
		h.backing.Close()
	}
	return 0
}

// PassthroughFd gives the kernel the spool file of a whole asset.
func (h *handle) PassthroughFd() (int, bool) {
	if h.backing == nil {
		return 0, false
	}
	return int(h.backing.Fd()), true
}
