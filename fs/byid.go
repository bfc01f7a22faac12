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

// linkNode returns the link to a in by-id.
func (n *dir) linkNode(ctx context.Context, a *catalog.Asset, out *fuse.EntryOut) *fusefs.Inode {
	l := &link{fs: n.fs, asset: a}
	out.SetEntryTimeout(n.fs.stays(a))
	out.SetAttrTimeout(l.attr(&out.Attr))
	return n.NewInode(ctx, l, fusefs.StableAttr{Mode: syscall.S_IFLNK, Ino: a.LinkIno()})
}

// link is a symbolic link from an ID to the asset's file in the root. It points to the
// asset's name, or to its ID while the name is unknown. It never uses the network.
type link struct {
	fusefs.Inode
	fs    *FS
	asset *catalog.Asset
}

var (
	_ fusefs.NodeReadlinker = (*link)(nil)
	_ fusefs.NodeGetattrer  = (*link)(nil)
	_ fusefs.NodeGetxattrer = (*link)(nil)
)

// Readlink returns the present target.
func (l *link) Readlink(context.Context) ([]byte, syscall.Errno) {
	return []byte(linkPrefix + l.asset.Path()), 0
}

const linkPrefix = "../"

// Getattr describes the link.
func (l *link) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.SetTimeout(l.attr(&out.Attr))
	return 0
}

// Getxattr returns that there is no attribute.
func (*link) Getxattr(_ context.Context, attr string, _ []byte) (uint32, syscall.Errno) {
	return 0, absent(attr)
}

// attr fills in the link's attributes, and returns how long they are valid. The link's time
// is the one that the library gives for the asset, or when the asset was first seen here.
func (l *link) attr(out *fuse.Attr) time.Duration {
	_, own := l.asset.Name()
	l.fs.owner(out)
	out.Ino = l.asset.LinkIno()
	out.Mode = syscall.S_IFLNK | 0o777
	out.Size = uint64(len(linkPrefix + l.asset.Path()))
	seen := l.asset.Info().ModTime
	if !l.asset.IsVideo() {
		seen = service.Engine(l.asset).Status().FirstSeen
	}
	out.SetTimes(&seen, &seen, &seen)
	if !own {
		return unsettled // the target will be another
	}
	return settled
}
