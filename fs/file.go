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
	entry  *entry
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

// fileNode returns the inode of e in its present state.
func (f *FS) fileNode(ctx context.Context, parent *fusefs.Inode, e *entry, out *fuse.EntryOut) *fusefs.Inode {
	gen, whole := generation(e.asset)
	n := &file{fs: f, entry: e, gen: f.kernelGen(gen)}
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(f.fileAttr(e, whole, &out.Attr))
	node := parent.NewInode(ctx, n, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: e.ino, Gen: n.gen})
	node.Operations().(*file).opened.Store(false)
	return node
}

// fileAttr fills in what is known of e, and returns for how long that holds.
func (f *FS) fileAttr(e *entry, whole bool, out *fuse.Attr) time.Duration {
	i := e.asset.Info()
	f.owner(out)
	out.Ino = e.ino
	out.Mode = syscall.S_IFREG | 0o444&^f.o.Umask
	size, local := max(0, i.Size), e.file.Len()
	out.Size = uint64(size)
	fillBlocks(out, local)
	mtime := i.ModTime
	if mtime.IsZero() {
		mtime = e.file.Meta().FirstSeen
	}
	if mtime.IsZero() {
		mtime = f.started
	}
	out.SetTimes(&mtime, &mtime, &mtime)
	if whole {
		return settled
	}
	return unsettled
}

// Getattr finds out the size, if it must, on the network: one is never made
// up. Only an asset of which neither header nor metadata tells it shows 0.
func (n *file) Getattr(ctx context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	c := newCall(ctx)
	defer c.end()
	if err := n.fs.resolver.attributes(c, n.entry); err != nil {
		return n.fs.fail("stat", n.entry.id, err)
	}
	_, whole := n.entry.asset.State()
	out.SetTimeout(n.fs.fileAttr(n.entry, whole, &out.Attr))
	if n.entry.asset.Info().Size < 0 {
		n.fs.unsized(n.entry)
	}
	return 0
}

// Open opens the asset for reading. An inode whose state is not the asset's any
// more answers ESTALE, whereupon the kernel looks the name up again by itself.
func (n *file) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	a := n.entry.asset
	// An asset that is empty by its metadata is not taken for one unseen: the
	// read of it would succeed whatever is wrong.
	if i := a.Info(); !i.Header && i.Size <= 0 {
		c := newCall(ctx)
		defer c.end()
		if err := n.fs.contact(c, n.entry); err != nil {
			return nil, 0, n.fs.fail("open", n.entry.id, err)
		}
	}
	// What no header told, metadata may: of an asset of unknown size splice and
	// sendfile get nothing, and no error.
	if a.Info().Size < 0 {
		c := newCall(ctx)
		defer c.end()
		if err := n.fs.resolver.attributes(c, n.entry); err != nil {
			return nil, 0, n.fs.fail("open", n.entry.id, err)
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
	h := &handle{fs: n.fs, entry: n.entry, reader: r}
	if !whole {
		n.fs.handles.Add(1)
		return h, fuse.FOPEN_DIRECT_IO | noFlush, 0
	}
	backing, err := n.entry.file.Backing()
	if err != nil {
		r.Close()
		if errors.Is(err, spool.ErrAbsent) {
			return nil, 0, syscall.ESTALE // bytes were lost: not whole any more
		}
		return nil, 0, n.fs.fail("open", n.entry.id, err)
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

// contact sees to it that a header has told of e. In metadata mode the free
// call is enough to know that there is such an asset.
func (f *FS) contact(ctx context.Context, e *entry) error {
	if f.tree.byMeta {
		if _, err := f.resolver.metadata(ctx, e); err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
	}
	_, err := e.asset.Contact(ctx, asset.Contact{Patience: f.o.ListWait})
	return err
}
