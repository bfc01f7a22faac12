package fs

import (
	"context"
	"strings"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/catalog"
)

// Inode numbers that belong to no asset.
const (
	rootIno       = 1
	byIDIno       = 2
	neverIndexIno = 3
)

// root is the mount's directory: every asset under its name, by-id, and libraries.
type root struct{ *dir }

var _ fusefs.NodeGetxattrer = root{}

func (f *FS) newRoot() root {
	n := f.directory(f.Catalog.Root(), rootIno)
	n.entries = func() []fuse.DirEntry {
		list := []fuse.DirEntry{{Name: catalog.ByID, Ino: byIDIno, Mode: syscall.S_IFDIR}}
		for _, d := range f.Catalog.Dirs() {
			list = append(list, fuse.DirEntry{Name: d.Name, Ino: d.Ino, Mode: syscall.S_IFDIR})
		}
		return appendFiles(list, f.Catalog.Root())
	}
	n.known = func(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
		switch name {
		case catalog.ByID:
			return n.subdirectory(ctx, f.newByID(), out)
		case neverIndex:
			return n.neverIndex(ctx, out)
		}
		for _, d := range f.Catalog.Dirs() {
			if d.Name == name {
				return n.subdirectory(ctx, f.directory(d, d.Ino), out)
			}
		}
		if a := f.Catalog.Root().Known(name); a != nil {
			return n.node(ctx, a, out)
		}
		return nil
	}
	return root{n}
}

// Getxattr answers the attributes that tell what the mount has done.
func (n root) Getxattr(ctx context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	if name, ok := strings.CutPrefix(attr, "user.assetfs."); ok && attr != xattrSocket { // for which each command asks
		if value, ok := n.fs.Attr(name); ok {
			return give(dest, value)
		}
	}
	return n.dir.Getxattr(ctx, attr, dest)
}

// neverIndex is an empty file which tells macOS not to index the volume. Indexing would read
// every file, and that would be billed. It is not listed, so that copies of the tree don't
// contain it.
const neverIndex = ".metadata_never_index"

func (n *dir) neverIndex(ctx context.Context, out *fuse.EntryOut) *fusefs.Inode {
	n.attr(&out.Attr)
	out.Ino = neverIndexIno
	out.Mode = syscall.S_IFREG | 0o444&^n.fs.o.Umask
	out.Nlink = 1
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(settled)
	return n.NewInode(ctx, &fusefs.MemRegularFile{Attr: out.Attr}, fusefs.StableAttr{Ino: neverIndexIno})
}
