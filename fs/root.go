package fs

import (
	"context"
	"errors"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// root is the mount's directory: every asset under its name, and by-id.
type root struct {
	fusefs.Inode
	fs *FS
}

var (
	_ fusefs.NodeLookuper       = (*root)(nil)
	_ fusefs.NodeOpendirHandler = (*root)(nil)
	_ fusefs.NodeGetattrer      = (*root)(nil)
	_ fusefs.NodeGetxattrer     = (*root)(nil)
	_ fusefs.NodeStatfser       = (*root)(nil)
)

// Lookup finds by-id, an asset by its name, and any asset by its ID. Only for
// an ID that is not listed does it use the network.
func (n *root) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if errno := nameErrno(name); errno != 0 {
		return nil, errno
	}
	if node := n.known(ctx, name, out); node != nil {
		return node, 0
	}
	e, errno := n.fs.find(ctx, name)
	if errno != 0 {
		return nil, errno
	}
	return n.fs.fileNode(ctx, &n.Inode, e, out), 0
}

// known finds what is listed, and nil if nothing of that name is.
func (n *root) known(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
	f := n.fs
	switch name {
	case byID:
		f.dirAttr(&out.Attr, byIDIno)
		out.SetEntryTimeout(settled)
		out.SetAttrTimeout(settled)
		return n.NewInode(ctx, &idDir{fs: f}, fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: byIDIno})
	case neverIndex:
		return n.NewInode(ctx, f.neverIndex(out), fusefs.StableAttr{Ino: neverIndexIno})
	}
	e := f.tree.byName(name)
	if e == nil && f.resolver.settled() {
		f.tree.nameAll() // a read may have told a name that no listing has given yet
		e = f.tree.byName(name)
	}
	if e == nil {
		e = f.tree.listed(name)
	}
	if e == nil {
		return nil
	}
	return f.fileNode(ctx, &n.Inode, e, out)
}

// neverIndex is an empty file: where there is one macOS does not read every file
// of a volume, which would be billed, for its index. It is not listed, so copies
// of the tree don't have it.
const neverIndex = ".metadata_never_index"

func (f *FS) neverIndex(out *fuse.EntryOut) *fusefs.MemRegularFile {
	f.dirAttr(&out.Attr, neverIndexIno)
	out.Mode = syscall.S_IFREG | 0o444&^f.o.Umask
	out.Nlink = 1
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(settled)
	return &fusefs.MemRegularFile{Attr: out.Attr}
}

// OpendirHandle waits for names; a wait in LOOKUP or READDIR would hold the
// directory's lock in the kernel.
func (n *root) OpendirHandle(ctx context.Context, _ uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &listing{entries: n.entries, known: n.known}, 0, n.fs.awaitNames(ctx)
}

func (f *FS) awaitNames(ctx context.Context) syscall.Errno {
	c := newCall(ctx)
	defer c.end()
	f.resolver.list(c)
	if err := c.Err(); !errors.Is(err, errLate) { // then what is known is listed
		return errno(err)
	}
	return 0
}

func (n *root) entries() []fuse.DirEntry {
	listed := n.fs.tree.entries()
	list := make([]fuse.DirEntry, 0, len(listed)+1)
	list = append(list, fuse.DirEntry{Name: byID, Ino: byIDIno, Mode: syscall.S_IFDIR})
	for _, e := range listed {
		list = append(list, fuse.DirEntry{Name: n.fs.tree.shown(e), Ino: e.ino, Mode: syscall.S_IFREG})
	}
	return list
}

// Getattr describes the directory.
func (n *root) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.dirAttr(&out.Attr, rootIno)
	out.SetTimeout(settled)
	return 0
}

// Statfs shows the known sizes as total and no room: nothing can be written.
func (n *root) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const block = 4096
	*out = fuse.StatfsOut{Bsize: block, Frsize: block, NameLen: 255}
	for _, e := range n.fs.tree.entries() {
		out.Blocks += uint64(max(0, e.asset.Info().Size)+block-1) / block
		out.Files++
	}
	return 0
}

// find returns the asset with that ID. One that is not listed is asked for on
// the network, unless the spool knows it, and is listed from then on.
func (f *FS) find(ctx context.Context, id string) (*entry, syscall.Errno) {
	if e := f.tree.listed(id); e != nil {
		return e, 0
	}
	if !f.tree.pattern.MatchString(id) {
		return nil, syscall.ENOENT
	}
	e := f.tree.meet(id)
	c := newCall(ctx)
	defer c.end()
	wait, cancel := context.WithTimeout(c, f.o.ListWait) // the kernel holds the directory's lock
	defer cancel()
	if err := f.contact(wait, e); err != nil {
		return nil, f.fail("lookup", id, err)
	}
	f.tree.show(e)
	f.tree.nameAll()
	return e, 0
}
