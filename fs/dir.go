package fs

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/caller"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
)

// dir is a directory: the root, by-id, or a library where there are several.
type dir struct {
	fusefs.Inode
	fs      *FS
	ino     uint64
	changed func() time.Time // when the list of names last did

	entries func() []fuse.DirEntry
	await   func(context.Context) error // waits for names, as a listing does
	// known finds a listed asset in memory; nil if there is none of that name.
	known func(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode
	// find finds any asset, on the network if necessary; node makes its inode.
	find func(ctx context.Context, name string) (*catalog.Asset, error)
	node func(ctx context.Context, a *catalog.Asset, out *fuse.EntryOut) *fusefs.Inode
}

var (
	_ fusefs.NodeLookuper       = (*dir)(nil)
	_ fusefs.NodeOpendirHandler = (*dir)(nil)
	_ fusefs.NodeGetattrer      = (*dir)(nil)
	_ fusefs.NodeGetxattrer     = (*dir)(nil)
	_ fusefs.NodeStatfser       = (*dir)(nil)
)

// Lookup finds any asset by its name or ID. It uses the network only for assets that are not
// listed.
func (n *dir) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if len(name) > maxName {
		return nil, errno(errNameTooLong)
	}
	if node := n.known(ctx, name, out); node != nil {
		return node, 0
	}
	c := n.fs.call(ctx, service.Wait{Op: "lookup", Name: name})
	defer c.End()
	a, err := n.find(c, name)
	switch {
	case a != nil:
		return n.node(ctx, a, out), 0
	case err != nil:
		return nil, n.fs.fail("lookup", name, err)
	}
	return nil, syscall.ENOENT
}

// OpendirHandle waits for names. LOOKUP and READDIR must not wait, because the kernel holds
// the directory's lock during them.
func (n *dir) OpendirHandle(ctx context.Context, _ uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	c := n.fs.call(ctx, service.Wait{Op: "list"})
	defer c.End()
	if err := n.await(c); !errors.Is(err, caller.ErrLate) { // then what is known is listed
		return &listing{dir: n}, 0, errno(err)
	}
	return &listing{dir: n}, 0, 0
}

// Getattr describes the directory.
func (n *dir) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.attr(&out.Attr)
	out.SetTimeout(dirTimeout)
	return 0
}

func (n *dir) attr(out *fuse.Attr) {
	changed := n.changed()
	n.fs.owner(out)
	out.Ino = n.ino
	out.Mode = fuse.S_IFDIR | 0o555&^n.fs.o.Umask
	out.Nlink = 2
	out.SetTimes(&changed, &changed, &changed)
}

// Getxattr answers only the attribute with the path of the commands' socket.
func (n *dir) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	return n.fs.socketAttr(attr, dest)
}

// Statfs returns the same for every node of the mount.
func (n *dir) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno { return n.fs.statfs(out) }

// statfs reports the sum of the known sizes as total, at least one block because df leaves
// out a file system without any, and no free room, since nothing can be written.
func (f *FS) statfs(out *fuse.StatfsOut) syscall.Errno {
	const block = 4096
	*out = fuse.StatfsOut{Bsize: block, Frsize: block, NameLen: maxName}
	for _, e := range f.Catalog.Entries() {
		out.Blocks += uint64(max(0, e.Info().Size)+block-1) / block
		out.Files++
	}
	out.Blocks = max(1, out.Blocks)
	return 0
}

// directory returns the node of the root or of a library.
func (f *FS) directory(d *catalog.Dir, ino uint64) *dir {
	n := &dir{fs: f, ino: ino, changed: d.Changed, await: d.AwaitNames, find: d.Lookup}
	n.node = func(ctx context.Context, a *catalog.Asset, out *fuse.EntryOut) *fusefs.Inode {
		return f.fileNode(ctx, &n.Inode, a, out)
	}
	n.known = func(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
		if a := d.Known(name); a != nil {
			return n.node(ctx, a, out)
		}
		return nil
	}
	n.entries = func() []fuse.DirEntry { return appendFiles(nil, d) }
	return n
}

// appendFiles adds the assets of a directory.
func appendFiles(list []fuse.DirEntry, d *catalog.Dir) []fuse.DirEntry {
	entries := d.Entries()
	list = slices.Grow(list, len(entries)+1) // not nil
	for _, e := range entries {
		list = append(list, fuse.DirEntry{Name: e.Name, Ino: e.Ino, Mode: syscall.S_IFREG})
	}
	return list
}

// subdirectory makes an inode of d below n.
func (n *dir) subdirectory(ctx context.Context, d *dir, out *fuse.EntryOut) *fusefs.Inode {
	d.attr(&out.Attr)
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(dirTimeout)
	return n.NewInode(ctx, d, fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: d.ino})
}
