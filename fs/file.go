package fs

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/spool"
)

const (
	// settled is how long the kernel may believe what does not change: names
	// and attributes of resolved assets.
	settled = time.Hour
	// noFlush spares a request at each close: nothing is written, so there is
	// nothing to flush. Linux knows it from 5.16 on, others ignore it.
	noFlush = fuse.FOPEN_NOFLUSH
	// unsettled is how long it may believe what is not known yet, or is growing,
	// as st_blocks of a partly spooled asset is. Nothing but 0 will do: the
	// kernel rounds a nanosecond up to a tick, and in a tick rsync has looked up
	// a file and believed its size of 0.
	unsettled = 0
)

// file is the inode of an asset in one state: of unknown size, partly spooled or
// whole, and one content version. Opening modes and old pages of different
// states never mix, since each state is an inode generation of its own. Nor do
// sizes: splice and sendfile believe the one that the kernel saw at the lookup,
// and take an asset of which none was known for empty.
type file struct {
	fusefs.Inode
	fs     *FS
	asset  *catalog.Asset
	gen    uint64
	opened atomic.Bool // since it was looked up last
}

var (
	_ fusefs.NodeOpener      = (*file)(nil)
	_ fusefs.NodeGetattrer   = (*file)(nil)
	_ fusefs.NodeGetxattrer  = (*file)(nil)
	_ fusefs.NodeListxattrer = (*file)(nil)
	_ fusefs.NodeStatfser    = (*file)(nil)
)

// generation numbers the states of an asset: 3 x version, 1 more once its size
// is known, and 2 when it is whole.
func generation(a *asset.Asset) (gen uint64, whole bool) {
	known := a.Info().Size >= 0 // before State: what is whole is known
	version, whole := a.State()
	switch gen = 3 * version; {
	case whole:
		gen += 2
	case known:
		gen++
	}
	return gen, whole
}

// fileNode returns the inode of a in its present state.
func (f *FS) fileNode(ctx context.Context, parent *fusefs.Inode, a *catalog.Asset, out *fuse.EntryOut) *fusefs.Inode {
	gen, whole := generation(engine(a).Asset)
	n := &file{fs: f, asset: a, gen: f.kernelGen(gen)}
	if f.catalog.Listed(a.ID) != nil {
		out.SetEntryTimeout(settled)
	} else {
		out.SetEntryTimeout(unsettled) // nobody knows yet whether it is there
	}
	out.SetAttrTimeout(f.fileAttr(a, whole, &out.Attr))
	node := parent.NewInode(ctx, n, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: a.Ino, Gen: n.gen})
	node.Operations().(*file).opened.Store(false)
	return node
}

// fileAttr fills in what is known of a, and returns for how long that holds.
func (f *FS) fileAttr(a *catalog.Asset, whole bool, out *fuse.Attr) time.Duration {
	e := engine(a)
	i := e.Info()
	f.owner(out)
	out.Ino = a.Ino
	out.Mode = syscall.S_IFREG | 0o444&^f.o.Umask
	out.Size = uint64(max(0, i.Size))
	fillBlocks(out, e.file.Len())
	mtime, ctime := fileTimes(i, e.file.Meta())
	out.SetTimes(&mtime, &mtime, &ctime)
	if whole && !i.ModTime.IsZero() {
		return settled
	}
	return unsettled
}

// fileTimes are the asset's own times, or when its content was first seen. They
// move when the content changes, also if the server tells no time or the old one.
func fileTimes(i asset.Info, m spool.Meta) (mtime, ctime time.Time) {
	mtime = i.ModTime
	if mtime.IsZero() || m.Version > 0 && i.LastModified == "" && mtime.Before(m.FirstSeen) {
		mtime = m.FirstSeen
	}
	if ctime = mtime; m.Version > 0 && ctime.Before(m.FirstSeen) {
		ctime = m.FirstSeen
	}
	return mtime, ctime
}

// Getattr finds out the size, if it must, on the network: one is never made
// up. Only an asset of which neither header nor metadata tells it shows 0.
func (n *file) Getattr(ctx context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	c := newCall(ctx)
	defer c.end()
	if err := n.fs.catalog.Stat(c, n.asset); err != nil {
		return n.fs.failed("stat", n.asset, err)
	}
	e := engine(n.asset)
	if i := e.Info(); i.Header && i.ModTime.IsZero() {
		// What was shown stays, whatever metadata tells later.
		e.Learn(asset.Info{Size: -1, ModTime: e.file.Meta().FirstSeen})
	}
	_, whole := e.State()
	out.SetTimeout(n.fs.fileAttr(n.asset, whole, &out.Attr))
	if e.Info().Size < 0 {
		n.fs.unsized(n.asset)
	}
	return 0
}

// Open opens the asset for reading. An inode whose state is not the asset's any
// more answers ESTALE, whereupon the kernel looks the name up again by itself.
func (n *file) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	e := engine(n.asset)
	a := e.Asset
	// An asset that is empty by its metadata is not taken for one unseen: the
	// read of it would succeed whatever is wrong.
	if i := a.Info(); !i.Header && i.Size <= 0 {
		c := newCall(ctx)
		defer c.end()
		if err := n.fs.catalog.Contact(c, n.asset); err != nil {
			return nil, 0, n.fs.failed("open", n.asset, err)
		}
	}
	// What no header told, metadata may: of an asset of unknown size splice and
	// sendfile get nothing, and no error.
	if a.Info().Size < 0 {
		c := newCall(ctx)
		defer c.end()
		if err := n.fs.catalog.Stat(c, n.asset); err != nil {
			return nil, 0, n.fs.failed("open", n.asset, err)
		}
	}
	r := a.Open()
	gen, whole := generation(a)
	if n.fs.kernelGen(gen) != n.gen {
		// The kernel looks it up again only once. If the asset has become whole
		// since, that is as good as partly spooled for this time.
		if n.opened.Swap(true) || !whole || gen != n.gen+1 {
			r.Close()
			return nil, 0, syscall.ESTALE
		}
		whole = false
	}
	n.opened.Store(true)
	h := &handle{fs: n.fs, asset: n.asset, reader: r}
	if !whole {
		n.fs.handles.Add(1)
		return h, fuse.FOPEN_DIRECT_IO | noFlush, 0
	}
	backing, err := e.file.Backing()
	if err != nil {
		r.Close()
		if errors.Is(err, spool.ErrAbsent) {
			return nil, 0, syscall.ESTALE // bytes were lost: not whole any more
		}
		return nil, 0, n.fs.failed("open", n.asset, err)
	}
	h.backing = backing
	n.fs.handles.Add(1)
	if n.fs.passthrough {
		n.fs.opens.Add(1)
		n.fs.opened.Add(a.Info().Size)
	}
	return h, fuse.FOPEN_KEEP_CACHE | noFlush, 0
}

// Statfs is that of the root.
func (n *file) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.fs.root.Statfs(ctx, out)
}
