package fs

import (
	"context"
	"errors"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/caller"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
)

// dir is a directory: the root, by-id, or a library where there are several.
type dir struct {
	fusefs.Inode
	fs  *FS
	of  *catalog.Dir
	ino uint64
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
	a, err := n.of.Lookup(c, name)
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
	if err := n.of.AwaitNames(c); !errors.Is(err, caller.ErrLate) { // then what is known is listed
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
	changed := n.of.Changed()
	n.fs.owner(out)
	out.Ino = n.ino
	out.Mode = fuse.S_IFDIR | 0o555&^n.fs.o.Umask
	out.Nlink = 2
	out.SetTimes(&changed, &changed, &changed)
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

// known finds an entry in memory; nil if there is none of that name.
func (n *dir) known(ctx context.Context, name string, out *fuse.EntryOut) *fusefs.Inode {
	if n.ino == rootIno {
		if special := n.special(ctx, name, out); special != nil {
			return special
		}
	}
	if a := n.of.Known(name); a != nil {
		return n.node(ctx, a, out)
	}
	return nil
}

// node makes the inode of an asset.
func (n *dir) node(ctx context.Context, a *catalog.Asset, out *fuse.EntryOut) *fusefs.Inode {
	if n.ino == byIDIno {
		return n.linkNode(ctx, a, out)
	}
	return n.fileNode(ctx, a, out)
}

// entries returns what the directory shows, not nil.
func (n *dir) entries() []fuse.DirEntry {
	shown := n.of.Entries()
	list := make([]fuse.DirEntry, 0, len(shown)+1)
	if n.ino == rootIno {
		list = n.appendSpecial(list)
	}
	for _, e := range shown {
		if n.ino == byIDIno {
			list = append(list, fuse.DirEntry{Name: e.ID, Ino: e.LinkIno(), Mode: syscall.S_IFLNK})
		} else {
			list = append(list, fuse.DirEntry{Name: e.Name, Ino: e.Ino, Mode: syscall.S_IFREG})
		}
	}
	return list
}

// subdirectory makes the inode of a directory below the root.
func (n *dir) subdirectory(ctx context.Context, of *catalog.Dir, ino uint64, out *fuse.EntryOut) *fusefs.Inode {
	d := &dir{fs: n.fs, of: of, ino: ino}
	d.attr(&out.Attr)
	out.SetEntryTimeout(settled)
	out.SetAttrTimeout(dirTimeout)
	return n.NewInode(ctx, d, fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: ino})
}
