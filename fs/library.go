package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/catalog"
	"assetfs/fs/service"
)

// libraryDir is the directory of one library, where there are several.
type libraryDir struct {
	fusefs.Inode
	fs  *FS
	dir *catalog.Dir
}

var (
	_ fusefs.NodeLookuper       = (*libraryDir)(nil)
	_ fusefs.NodeOpendirHandler = (*libraryDir)(nil)
	_ fusefs.NodeGetattrer      = (*libraryDir)(nil)
	_ fusefs.NodeGetxattrer     = (*libraryDir)(nil)
	_ fusefs.NodeStatfser       = (*libraryDir)(nil)
)

// libraryDir returns the node of a directory, and describes it.
func (f *FS) libraryDir(d *catalog.Dir, out *fuse.EntryOut) *libraryDir {
	f.dirAttr(&out.Attr, d.Ino, d.Changed())
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(dirTimeout)
	return &libraryDir{fs: f, dir: d}
}

// Lookup finds a video by its name. It waits only while the list is not known yet.
func (n *libraryDir) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if errno := nameErrno(name); errno != 0 {
		return nil, errno
	}
	c := n.fs.call(ctx, service.Wait{Op: "lookup"})
	defer c.End()
	a, err := n.dir.Lookup(c, name)
	if a == nil {
		return nil, n.fs.notFound(name, err)
	}
	return n.fs.fileNode(ctx, &n.Inode, a, out), 0
}

// known finds a video that is listed.
func (n *libraryDir) known(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
	if a := n.dir.Known(name); a != nil {
		return n.fs.fileNode(ctx, &n.Inode, a, out)
	}
	return nil
}

// OpendirHandle waits for a list that is not known yet, and has an old one looked at anew.
func (n *libraryDir) OpendirHandle(ctx context.Context, _ uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &listing{entries: n.entries, known: n.known}, 0, n.fs.await(ctx, n.dir.AwaitNames)
}

func (n *libraryDir) entries() []fuse.DirEntry { return appendFiles([]fuse.DirEntry{}, n.dir) }

// Getxattr tells commands where they are taken.
func (n *libraryDir) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	return n.fs.socketAttr(attr, dest)
}

// Getattr describes the directory.
func (n *libraryDir) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.fs.dirAttr(&out.Attr, n.dir.Ino, n.dir.Changed())
	out.SetTimeout(dirTimeout)
	return 0
}

// Statfs is that of the root.
func (n *libraryDir) Statfs(ctx context.Context, out *fuse.StatfsOut) syscall.Errno {
	return n.fs.root.Statfs(ctx, out)
}
