package fs

import (
	"context"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
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
	e, errno := n.fs.find(ctx, name)
	if errno != 0 {
		return nil, errno
	}
	return n.link(ctx, e, out), 0
}

// known finds the link of a listed asset.
func (n *idDir) known(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
	if e := n.fs.tree.listed(name); e != nil {
		return n.link(ctx, e, out)
	}
	return nil
}

func (n *idDir) link(ctx context.Context, e *entry, out *fuse.EntryOut) *fusefs.Inode {
	l := &link{fs: n.fs, entry: e, ino: n.fs.tree.linkIno(e.id)}
	l.attr(&out.Attr)
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(l.timeout())
	return n.NewInode(ctx, l, fusefs.StableAttr{Mode: syscall.S_IFLNK, Ino: l.ino})
}

// OpendirHandle waits for names like that of the root: they are what links show.
func (n *idDir) OpendirHandle(ctx context.Context, _ uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &listing{entries: n.entries, known: n.known}, 0, n.fs.awaitNames(ctx)
}

func (n *idDir) entries() []fuse.DirEntry {
	listed := n.fs.tree.entries()
	list := make([]fuse.DirEntry, len(listed))
	for i, e := range listed {
		list[i] = fuse.DirEntry{Name: e.id, Ino: n.fs.tree.linkIno(e.id), Mode: syscall.S_IFLNK}
	}
	return list
}

// Getattr describes the directory.
func (n *idDir) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.dirAttr(&out.Attr, byIDIno)
	out.SetTimeout(settled)
	return 0
}

// link points from an ID to the file in the root, under its name or, while
// that is unknown, its ID. It never uses the network.
type link struct {
	fusefs.Inode
	noAttrs
	fs    *FS
	entry *entry
	ino   uint64
}

var (
	_ fusefs.NodeReadlinker = (*link)(nil)
	_ fusefs.NodeGetattrer  = (*link)(nil)
	_ fusefs.NodeGetxattrer = (*link)(nil)
)

func (l *link) target() string { return "../" + l.fs.tree.shown(l.entry) }

func (l *link) timeout() time.Duration {
	if l.fs.tree.named(l.entry) {
		return settled
	}
	return unsettled // the target will be another
}

// Readlink returns the target as it is known now.
func (l *link) Readlink(context.Context) ([]byte, syscall.Errno) { return []byte(l.target()), 0 }

// Getattr describes the link.
func (l *link) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	l.attr(&out.Attr)
	out.SetTimeout(l.timeout())
	return 0
}

func (l *link) attr(out *fuse.Attr) {
	l.fs.owner(out)
	out.Ino = l.ino
	out.Mode = syscall.S_IFLNK | 0o777
	out.Size = uint64(len(l.target()))
	started := l.fs.started
	out.SetTimes(&started, &started, &started)
}
