package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// listing is an open directory: its entries as they were when it was first read, or last
// rewound (readdir(3p)). go-fuse calls its methods one at a time.
type listing struct {
	dir  *dir
	list []fuse.DirEntry // nil: to be made
	next int             // index of the entry to be read
}

var (
	_ fusefs.FileReaddirenter = (*listing)(nil)
	_ fusefs.FileSeekdirer    = (*listing)(nil)
	_ fusefs.FileLookuper     = (*listing)(nil)
	_ fusefs.FileFsyncdirer   = (*listing)(nil)
)

// Readdirent returns the next entry, nil at the end.
func (l *listing) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	l.make()
	if l.next >= len(l.list) {
		return nil, 0
	}
	e := l.list[l.next]
	l.next++
	e.Off = uint64(l.next)
	return &e, 0
}

// Seekdir continues at the offset of an entry, or at the start.
func (l *listing) Seekdir(_ context.Context, off uint64) syscall.Errno {
	if off == 0 {
		l.list, l.next = nil, 0
		return 0
	}
	l.make()
	if off > uint64(len(l.list)) {
		return syscall.EINVAL
	}
	l.next = int(off)
	return 0
}

// make takes the entries. Who sees them sees the directory's time that belongs to them, too.
func (l *listing) make() {
	if l.list == nil {
		l.list = l.dir.entries()
		l.dir.fs.timeMoved(l.dir.ino)
	}
}

// Lookup serves READDIRPLUS. It never waits, because the kernel holds the directory's lock.
// An entry that is no longer known is listed without attributes.
func (l *listing) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	if n := l.dir.known(ctx, name, out); n != nil {
		return n, 0
	}
	return nil, syscall.ENOENT
}

// Fsyncdir succeeds: there is nothing to write.
func (l *listing) Fsyncdir(context.Context, uint32) syscall.Errno { return 0 }
