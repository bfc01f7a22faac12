package fs

import (
	"context"
	"errors"
	"slices"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/caller"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
)

// The inode numbers that are no asset's.
const (
	rootIno       = 1
	byIDIno       = 2
	neverIndexIno = 3
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

// Lookup finds by-id and any asset, by name or ID. It uses the network only for
// what is not listed.
func (n *root) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if errno := nameErrno(name); errno != 0 {
		return nil, errno
	}
	if node := n.known(ctx, name, out); node != nil {
		return node, 0
	}
	c := n.fs.call(ctx, service.Wait{Op: "lookup"})
	defer c.End()
	a, err := n.fs.Catalog.Lookup(c, name)
	if a == nil {
		return nil, n.fs.notFound(name, err)
	}
	return n.fs.fileNode(ctx, &n.Inode, a, out), 0
}

// notFound is the answer to a lookup that ended without an asset, err nil if
// there is none.
func (f *FS) notFound(name string, err error) syscall.Errno {
	if err == nil {
		return syscall.ENOENT
	}
	return f.fail("lookup", name, err)
}

// known finds what is listed, and nil if nothing of that name is.
func (n *root) known(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
	f := n.fs
	switch name {
	case catalog.ByID:
		_, changed := f.Catalog.Times()
		f.dirAttr(&out.Attr, byIDIno, changed)
		out.SetEntryTimeout(settled)
		out.SetAttrTimeout(dirTimeout)
		return n.NewInode(ctx, &idDir{fs: f}, fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: byIDIno})
	case neverIndex:
		return n.NewInode(ctx, f.neverIndex(out), fusefs.StableAttr{Ino: neverIndexIno})
	}
	for _, d := range f.Catalog.Dirs() {
		if d.Name == name {
			return n.NewInode(ctx, f.libraryDir(d, out), fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: d.Ino})
		}
	}
	a := f.Catalog.Known(name)
	if a == nil {
		return nil
	}
	return f.fileNode(ctx, &n.Inode, a, out)
}

// neverIndex is an empty file: where there is one macOS does not read every file
// of a volume, which would be billed, for its index. It is not listed, so copies
// of the tree don't have it.
const neverIndex = ".metadata_never_index"

func (f *FS) neverIndex(out *fuse.EntryOut) *fusefs.MemRegularFile {
	changed, _ := f.Catalog.Times()
	f.dirAttr(&out.Attr, neverIndexIno, changed)
	out.Mode = syscall.S_IFREG | 0o444&^f.o.Umask
	out.Nlink = 1
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(settled)
	return &fusefs.MemRegularFile{Attr: out.Attr}
}

// OpendirHandle waits for names; a wait in LOOKUP or READDIR would hold the
// directory's lock in the kernel.
func (n *root) OpendirHandle(ctx context.Context, _ uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &listing{entries: n.entries, known: n.known}, 0, n.fs.await(ctx, n.fs.Catalog.AwaitNames)
}

// await waits for names.
func (f *FS) await(ctx context.Context, names func(context.Context) error) syscall.Errno {
	c := f.call(ctx, service.Wait{Op: "list"})
	defer c.End()
	if err := names(c); !errors.Is(err, caller.ErrLate) { // then what is known is listed
		return errno(err)
	}
	return 0
}

func (n *root) entries() []fuse.DirEntry {
	list := []fuse.DirEntry{{Name: catalog.ByID, Ino: byIDIno, Mode: syscall.S_IFDIR}}
	for _, d := range n.fs.Catalog.Dirs() {
		list = append(list, fuse.DirEntry{Name: d.Name, Ino: d.Ino, Mode: syscall.S_IFDIR})
	}
	return appendFiles(list, n.fs.Catalog.Root())
}

// appendFiles adds the assets of a directory.
func appendFiles(list []fuse.DirEntry, d *catalog.Dir) []fuse.DirEntry {
	entries := d.Entries()
	list = slices.Grow(list, len(entries))
	for _, e := range entries {
		list = append(list, fuse.DirEntry{Name: e.Name, Ino: e.Ino, Mode: syscall.S_IFREG})
	}
	return list
}

// Getattr describes the directory.
func (n *root) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	changed, _ := n.fs.Catalog.Times()
	n.fs.dirAttr(&out.Attr, rootIno, changed)
	out.SetTimeout(dirTimeout)
	return 0
}

// Statfs shows the known sizes as total, at least a block of them, since df
// leaves out what has none; and no room: nothing can be written.
func (n *root) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	const block = 4096
	*out = fuse.StatfsOut{Bsize: block, Frsize: block, NameLen: 255}
	for _, e := range n.fs.Catalog.Entries() {
		out.Blocks += uint64(max(0, service.SizeOf(e.Asset))+block-1) / block
		out.Files++
	}
	out.Blocks = max(1, out.Blocks)
	return 0
}
