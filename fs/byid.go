package fs

import (
	"context"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/catalog"
	"assetfs/fs/service"
)

// idDir is by-id: a link for every listed asset, named after its ID.
type idDir struct {
	fusefs.Inode
	noAttrs
	fs *FS
}

var (
	_ fusefs.NodeLookuper       = (*idDir)(nil)
	_ fusefs.NodeOpendirHandler = (*idDir)(nil)
	_ fusefs.NodeGetattrer      = (*idDir)(nil)
	_ fusefs.NodeGetxattrer     = (*idDir)(nil)
)

// Lookup finds the link of any asset, as the root does.
func (n *idDir) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if errno := nameErrno(name); errno != 0 {
		return nil, errno
	}
	c := n.fs.call(ctx, service.Wait{Op: "lookup"})
	defer c.End()
	a, err := n.fs.Catalog.LookupID(c, name)
	if a == nil {
		return nil, n.fs.notFound(name, err)
	}
	return n.link(ctx, a, out), 0
}

// known finds the link of a listed asset.
func (n *idDir) known(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
	if a := n.fs.Catalog.Listed(name); a != nil {
		return n.link(ctx, a, out)
	}
	return nil
}

func (n *idDir) link(ctx context.Context, a *catalog.Asset, out *fuse.EntryOut) *fusefs.Inode {
	l := &link{fs: n.fs, asset: a}
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(l.attr(&out.Attr))
	return n.NewInode(ctx, l, fusefs.StableAttr{Mode: syscall.S_IFLNK, Ino: a.LinkIno})
}

// OpendirHandle waits for names like that of the root: they are what links show.
func (n *idDir) OpendirHandle(ctx context.Context, _ uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &listing{entries: n.entries, known: n.known}, 0, n.fs.await(ctx, n.fs.Catalog.AwaitLinks)
}

func (n *idDir) entries() []fuse.DirEntry {
	listed := n.fs.Catalog.Entries()
	list := make([]fuse.DirEntry, len(listed))
	for i, e := range listed {
		list[i] = fuse.DirEntry{Name: e.ID, Ino: e.LinkIno, Mode: syscall.S_IFLNK}
	}
	return list
}

// Getattr describes the directory.
func (n *idDir) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	_, changed := n.fs.Catalog.Times()
	n.fs.dirAttr(&out.Attr, byIDIno, changed)
	out.SetTimeout(dirTimeout)
	return 0
}

// link points from an ID to the file in the root, under its name or, while
// that is unknown, its ID. It never uses the network.
type link struct {
	fusefs.Inode
	noAttrs
	fs    *FS
	asset *catalog.Asset
}

var (
	_ fusefs.NodeReadlinker = (*link)(nil)
	_ fusefs.NodeGetattrer  = (*link)(nil)
	_ fusefs.NodeGetxattrer = (*link)(nil)
)

// Readlink returns the target as it is known now.
func (l *link) Readlink(context.Context) ([]byte, syscall.Errno) {
	return []byte(linkPrefix + l.asset.Path()), 0
}

const linkPrefix = "../"

// Getattr describes the link.
func (l *link) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.SetTimeout(l.attr(&out.Attr))
	return 0
}

// attr describes the link, and returns for how long that holds. The link is as
// old as the asset's first appearance here, or as its library says that the asset is.
func (l *link) attr(out *fuse.Attr) time.Duration {
	_, own := l.asset.Name()
	l.fs.owner(out)
	out.Ino = l.asset.LinkIno
	out.Mode = syscall.S_IFLNK | 0o777
	out.Size = uint64(len(linkPrefix + l.asset.Path()))
	_, seen, listed := l.asset.Told()
	if !listed {
		seen = service.Engine(l.asset).FirstSeen()
	}
	out.SetTimes(&seen, &seen, &seen)
	if !own {
		return unsettled // the target will be another
	}
	return settled
}
