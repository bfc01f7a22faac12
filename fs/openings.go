package fs

import (
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/inode"
	"assetfs/fs/service"
)

// inodesOf returns the inodes of a; nil for a video that nobody has opened, of which there may be
// 100 000.
func (f *FS) inodesOf(a *catalog.Asset) *inode.Inodes {
	if service.Awake(a) == nil && !f.o.StableInodes {
		return nil
	}
	f.inodesMu.Lock()
	defer f.inodesMu.Unlock()
	if f.inodes[a] == nil {
		f.inodes[a] = &inode.Inodes{}
	}
	return f.inodes[a]
}

// stateOf returns the present state of a. A video that nobody has opened has the state that a
// new engine starts with.
func (f *FS) stateOf(a *catalog.Asset) inode.State {
	e := service.Awake(a)
	if e == nil {
		return inode.State{Sized: a.Info().Size >= 0}
	}
	s := e.Status()
	return inode.State{Version: s.Version, Retired: f.inodesOf(a).Retired.Load(), Sized: s.Size >= 0, Whole: s.Whole}
}

// told records that the kernel was told the size of a for the inode with that generation.
func (f *FS) told(a *catalog.Asset, gen, size uint64) {
	if n := f.inodesOf(a); n != nil {
		n.Sizes(gen).Told(size)
	}
}

// openings are the open handles of an inode. The kernel refuses to mix handles that it reads
// by itself with others on one inode, and go-fuse confuses the two. So with passthrough all
// handles that are open at the same time are of one kind. If an inode of a whole asset had to
// be opened without passthrough it is retired, and the next lookup gets another one.
type openings struct {
	mu      sync.Mutex // guards what follows
	version uint64     // of the content that handles read
	open    map[*handle]struct{}
	retired bool

	reads atomic.Int64 // that are being answered
}

// join adds h to the open handles; h may get another backing file. While handles of older
// content are open, an outdated inode can only serve that content.
func (n *file) join(h *handle, version uint64, present bool) error {
	if n.opened.Load() == nil {
		n.opened.CompareAndSwap(nil, &openings{version: version, open: map[*handle]struct{}{}})
	}
	o := n.opened.Load()
	o.mu.Lock()
	defer o.mu.Unlock()
	if version != o.version {
		if len(o.open) > 0 && !present {
			return asset.ErrChanged
		}
		o.version = version
		o.retired = o.retired || !present
	}
	if n.fs.Kernel.Passthrough.Load() {
		if err := n.conformLocked(o, h); err != nil {
			return err
		}
	}
	if h.kept = o.reads.Load() > 0; h.kept {
		h.reader.Kept()
	}
	o.open[h] = struct{}{}
	return nil
}

// conformLocked gives h the same kind as the handles that are open.
func (n *file) conformLocked(o *openings, h *handle) (err error) {
	for other := range o.open {
		if h.backing == nil && other.backing != nil {
			h.size = other.size
			h.backing, err = duplicate(other.backing)
			return err
		}
		break
	}
	whole := n.fs.stateOf(n.asset)
	whole.Whole = true
	switch {
	case h.backing != nil && o.retired:
		h.backing.Close()
		h.backing = nil
	case h.backing == nil && n.fs.kernelGen(whole) == n.StableAttr().Gen: // the inode of the whole asset
		o.retired = true
		n.fs.inodesOf(n.asset).Retired.Add(1)
	}
	return nil
}

func duplicate(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("dup", err)
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}

// leave removes h from the open handles.
func (o *openings) leave(h *handle) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.open, h)
}

// alone reports whether only one handle is open.
func (o *openings) alone() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.open) == 1
}

// knows reports whether the kernel was told size, or need not be: if the size is unknown (below
// 0), or if each state has its own inode, so that a lookup tells it.
func (n *file) knows(size int64) bool {
	if !n.fs.o.StableInodes || size < 0 {
		return true
	}
	last, doubtful := n.believes(size)
	return last == size && !doubtful
}

// believes returns the size that the kernel was told last, and whether it may still believe in
// a smaller one than size, so that nobody can have read the end.
func (n *file) believes(size int64) (last int64, doubtful bool) {
	last, doubtful = n.sizes().Last(size)
	if o := n.opened.Load(); o != nil {
		o.mu.Lock()
		defer o.mu.Unlock()
		for h := range o.open {
			doubtful = doubtful && !h.blind
		}
	}
	return last, doubtful
}

// sizes returns those that the kernel was told. The asset is awake.
func (n *file) sizes() *inode.Sizes { return n.fs.inodesOf(n.asset).Sizes(n.StableAttr().Gen) }

// tellSize tells the kernel that the size has grown, because splice and sendfile never ask. The
// only way is to write a byte beyond the old size into the page cache. The kernel doesn't take
// that page as complete, and reads it when needed. If the byte fills a page, the open that
// follows drops it, but handles that are already open might see it.
func (n *file) tellSize(size int64) {
	sizes := n.sizes()
	sizes.Telling.Lock()
	defer sizes.Telling.Unlock()
	last, doubtful := n.believes(size)
	if size <= last && !doubtful || !n.opened.Load().alone() && (size-1)%int64(os.Getpagesize()) == 0 {
		return
	}
	_ = n.WriteCache(size-1, []byte{0}) // without it those who never ask find less
	sizes.Grown(size)
}
