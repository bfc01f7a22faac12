package fs

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/inode"
	"assetfs/fs/service"
)

// inodesOf returns the inodes of a. For a video that nobody has opened none are kept, since
// there may be 100 000 videos.
func (f *FS) inodesOf(a *catalog.Asset) *inode.Inodes {
	if service.Awake(a) == nil {
		return &inode.Inodes{}
	}
	n, ok := f.inodes.Load(a.ID)
	if !ok {
		n, _ = f.inodes.LoadOrStore(a.ID, &inode.Inodes{})
	}
	return n.(*inode.Inodes)
}

// stateOf returns the present state of a. A video that nobody has opened has the state that a
// new engine starts with.
func stateOf(a *catalog.Asset, n *inode.Inodes) inode.State {
	e := service.Awake(a)
	if e == nil {
		return inode.State{Sized: a.Info().Size >= 0}
	}
	s := e.Status()
	return inode.State{Version: s.Version, Retired: n.Retired.Load(), Sized: s.Size >= 0, Whole: s.Whole}
}

// openings are the open handles of an inode. The kernel refuses to mix handles that it reads
// by itself with others on one inode, and go-fuse confuses the two. So with passthrough all
// handles that are open at the same time are of one kind. If an inode of a whole asset had to
// be opened without passthrough it is retired, and the next lookup gets another one.
type openings struct {
	whole bool // the asset was when the inode was looked up

	mu      sync.Mutex // guards what follows
	version uint64     // of the content that handles read
	open    map[*handle]struct{}
	retired bool
}

// join adds h to the open handles; h may get another backing file. While handles of older
// content are open, an outdated inode can only serve that content.
func (n *file) join(h *handle, version uint64, present bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if version != n.version {
		if len(n.open) > 0 && !present {
			return asset.ErrChanged
		}
		n.version = version
		n.retired = n.retired || !present
	}
	if n.fs.Kernel.Passthrough.Load() {
		if err := n.conformLocked(h); err != nil {
			return err
		}
	}
	if n.open == nil {
		n.open = map[*handle]struct{}{}
	}
	n.open[h] = struct{}{}
	return nil
}

// conformLocked gives h the same kind as the handles that are open.
func (n *file) conformLocked(h *handle) (err error) {
	for o := range n.open {
		if h.backing == nil && o.backing != nil {
			h.size = o.size
			h.backing, err = duplicate(o.backing)
			return err
		}
		break
	}
	if h.backing != nil {
		if n.retired {
			h.backing.Close()
			h.backing = nil
		}
	} else if n.whole && !n.retired {
		n.retired = true
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
func (n *file) leave(h *handle) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.open, h)
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
	n.mu.Lock()
	defer n.mu.Unlock()
	last, doubtful = n.sizes.Last(size)
	for h := range n.open {
		doubtful = doubtful && !h.blind
	}
	return last, doubtful
}

// refresh makes the kernel ask for attributes again. If the size has grown, it is also told to
// the kernel at once, because splice and sendfile never ask. The only way is to write a byte
// beyond the old size into the page cache. The kernel doesn't take that page as complete, and
// reads it when needed. If the byte fills a page, the open that follows drops it, but handles
// that are already open might see it.
func (n *file) refresh(size int64) {
	_ = n.NotifyContent(-1, 0) // without it the kernel asks once its time is up
	n.sizes.Telling.Lock()
	defer n.sizes.Telling.Unlock()
	last, doubtful := n.believes(size)
	n.mu.Lock()
	alone := len(n.open) == 1
	n.mu.Unlock()
	if size <= last && !doubtful || !alone && (size-1)%int64(os.Getpagesize()) == 0 {
		return
	}
	_ = n.WriteCache(size-1, []byte{0}) // without it those who never ask find less
	n.sizes.Grown(size)
}
