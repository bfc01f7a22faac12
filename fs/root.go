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

// newRoot returns the mount's directory: every asset under its name, by-id, and libraries.
func (f *FS) newRoot() *dir { return &dir{fs: f, of: f.Catalog.Root(), ino: rootIno} }

// appendSpecial adds the entries of the root that are no assets.
func (n *dir) appendSpecial(list []fuse.DirEntry) []fuse.DirEntry {
	list = append(list, fuse.DirEntry{Name: catalog.ByID, Ino: byIDIno, Mode: syscall.S_IFDIR})
	for _, d := range n.fs.Catalog.Dirs() {
		list = append(list, fuse.DirEntry{Name: d.Name, Ino: d.Ino, Mode: syscall.S_IFDIR})
	}
	return list
}

// special finds an entry of the root that is no asset.
func (n *dir) special(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
	switch name {
	case catalog.ByID:
		return n.subdirectory(ctx, n.fs.Catalog.Links(), byIDIno, out)
	case neverIndex:
		return n.neverIndex(ctx, out)
	}
	for _, d := range n.fs.Catalog.Dirs() {
		if d.Name == name {
			return n.subdirectory(ctx, d, d.Ino, out)
		}
	}
	return nil
}

// Getxattr answers the path of the commands' socket and, for the root, what the mount has done.
func (n *dir) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	if name, ok := strings.CutPrefix(attr, "user.assetfs."); ok && n.ino == rootIno && attr != xattrSocket { // for which each command asks
		if value, ok := n.fs.Attr(name); ok {
			return give(dest, value)
		}
	}
	return n.fs.socketAttr(attr, dest)
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
