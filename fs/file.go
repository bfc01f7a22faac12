package fs

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
)

const (
	// settled is how long the kernel may keep what rarely changes: names. It keeps no
	// attributes of assets, since room is made and content replaced without a request.
	settled = time.Hour
	// noFlush spares a request at each close: nothing is written, so there is
	// nothing to flush. Linux knows it from 5.16 on, others ignore it.
	noFlush = fuse.FOPEN_NOFLUSH
	// unsettled is how long the kernel may keep what may change at any time. It must be 0: the
	// kernel rounds a nanosecond up to a tick, and within one tick rsync has looked up a file
	// and used its size of 0.
	unsettled = 0
)

// file is the inode of an asset in one state: one content version, and whether its size is
// unknown, or it is partly or wholly spooled. Each state has its own inode generation, so
// that ways of opening, old pages and sizes of different states never mix. Sizes matter
// because splice and sendfile use the size that the kernel saw at the lookup, and take an
// asset of unknown size to be empty.
//
// An open by path that meets an outdated inode is sent to the present one. An open without a
// path can't be, and is served by the inode that it has; see openings.
//
// There may be 100 000, so it holds only what all of them need.
type file struct {
	fusefs.Inode
	fs     *FS
	asset  *catalog.Asset
	opened atomic.Pointer[openings] // nil until the first open
}

var (
	_ fusefs.NodeOpener      = (*file)(nil)
	_ fusefs.NodeGetattrer   = (*file)(nil)
	_ fusefs.NodeGetxattrer  = (*file)(nil)
	_ fusefs.NodeListxattrer = (*file)(nil)
	_ fusefs.NodeStatfser    = (*file)(nil)
)

// fileNode returns the inode of a in its present state.
func (n *dir) fileNode(ctx context.Context, a *catalog.Asset, out *fuse.EntryOut) *fusefs.Inode {
	f := n.fs
	s := f.stateOf(a)
	out.SetEntryTimeout(f.stays(a))
	f.fileAttr(a, &out.Attr)
	gen := f.kernelGen(s)
	f.told(a, gen, out.Size)
	return n.NewInode(ctx, &file{fs: f, asset: a}, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: a.Ino, Gen: gen})
}

// stays returns how long the kernel may keep a name of a.
func (f *FS) stays(a *catalog.Asset) time.Duration {
	if f.Catalog.Listed(a.ID) != nil && !a.IsVideo() {
		return settled
	}
	return unsettled // nobody knows yet whether it is there, or for how long
}

// fileAttr fills in the known attributes of a.
func (f *FS) fileAttr(a *catalog.Asset, out *fuse.Attr) {
	i, mtime, ctime := service.Describe(a)
	f.owner(out)
	out.Ino = a.Ino
	out.Mode = syscall.S_IFREG | 0o444&^f.o.Umask
	out.Size = uint64(max(0, i.Size))
	fillBlocks(out, service.SpooledOf(a))
	out.SetTimes(&mtime, &mtime, &ctime)
}

// Getattr returns the attributes. If the size is unknown it asks the network for it. A size
// is never made up. An asset shows 0 only if neither header nor metadata gives its size.
func (n *file) Getattr(ctx context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	c := n.fs.call(ctx, service.Wait{Op: "stat", Asset: n.asset})
	defer c.End()
	if err := n.fs.Catalog.Stat(c, n.asset); err != nil {
		return n.fs.failed("stat", n.asset, err)
	}
	if e := service.Awake(n.asset); e != nil {
		s := e.Status()
		if s.ModTime.IsZero() {
			// What was shown stays, whatever header and metadata say later.
			e.Learn(asset.Info{Size: -1, ModTime: s.FirstSeen})
		}
		if s.Size < 0 && !n.fs.inodesOf(n.asset).Unsized.Swap(true) {
			n.fs.o.Log.Warn("size unknown until the asset is read to its end; it shows as 0", "asset", n.asset.ID)
		}
	}
	n.fs.fileAttr(n.asset, &out.Attr)
	n.fs.told(n.asset, n.StableAttr().Gen, out.Size)
	return 0
}

// Open opens the asset for reading. An outdated inode returns ESTALE, and the kernel looks
// the name up again by itself. A thread that then comes back to the same inode has opened it
// without a name, and is served.
func (n *file) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	c := n.fs.call(ctx, service.Wait{Op: "open", Asset: n.asset})
	defer c.End()
	if err := n.fs.Prepare(c, n.asset); err != nil {
		return nil, 0, n.fs.failed("open", n.asset, err)
	}
	e := service.Engine(n.asset)
	h := &handle{fs: n.fs, file: n, asset: n.asset, reader: e.Open()}
	s := n.fs.stateOf(n.asset) // after Open, which keeps a whole asset whole
	h.blind = e.Info().Size < 0
	present := n.fs.kernelGen(s) == n.StableAttr().Gen && n.knows(e.Info().Size)
	byKernel := flags == 0 // for an ioctl like FS_IOC_GETFLAGS, by which no name is looked up; programs set at least O_LARGEFILE
	if !n.fs.inodesOf(n.asset).Visitors.Admit(threadOf(ctx), present || byKernel) {
		h.close()
		return nil, 0, syscall.ESTALE
	}
	if present && s.Whole {
		var err error
		if h.backing, err = e.Backing(); err == nil {
			h.size, err = h.backing.Seek(0, io.SeekEnd)
		}
		if err != nil && !errors.Is(err, asset.ErrAbsent) { // bytes were lost: not whole any more
			h.close()
			return nil, 0, n.fs.failed("open", n.asset, err)
		}
	}
	if err := n.join(h, s.Version, present); err != nil {
		h.close()
		return nil, 0, n.fs.failed("open", n.asset, err)
	}
	n.fs.Opened()
	if !present {
		n.tellSize(e.Info().Size)
	}
	switch {
	case h.backing == nil && h.kept:
		// To drop its pages, the kernel would wait for those that others wait for, and nothing could end that.
		return h, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_KEEP_CACHE | noFlush, 0
	case h.backing == nil:
		return h, fuse.FOPEN_DIRECT_IO | noFlush, 0
	case n.fs.Kernel.Passthrough.Load():
		n.fs.Kernel.Opens.Add(1)
		n.fs.Kernel.Bytes.Add(e.Info().Size)
		return passthrough{h}, fuse.FOPEN_KEEP_CACHE | noFlush, 0
	}
	return h, fuse.FOPEN_KEEP_CACHE | noFlush, 0
}

// Statfs returns the same for every node of the mount.
func (n *file) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno { return n.fs.statfs(out) }
