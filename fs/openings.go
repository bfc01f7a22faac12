package fs

import (
	"math"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
)

// state is what the inode of an asset depends on.
type state struct {
	version uint64 // of the content
	retired uint64 // whole inodes of the asset that are used no more
	sized   bool   // its size is known
	whole   bool
}

// inodes are what the kernel knows of those of one asset.
type inodes struct {
	retired  atomic.Uint64 // whole ones that were opened in part
	visitors visitors
	sizes    sync.Map // *sizes by generation
}

// inodesOf returns those of a. Of a video that nobody has opened none are kept: there
// may be 100 000.
func (f *FS) inodesOf(a *catalog.Asset) *inodes {
	if service.Awake(a) == nil {
		return &inodes{}
	}
	n, ok := f.inodes.Load(a.ID)
	if !ok {
		n, _ = f.inodes.LoadOrStore(a.ID, &inodes{})
	}
	return n.(*inodes)
}

// stateOf returns the present state of a. That of one asleep is the first that its
// engine has.
func stateOf(a *catalog.Asset, n *inodes) state {
	e := service.Awake(a)
	if e == nil {
		return state{sized: service.SizeOf(a) >= 0}
	}
	s := state{sized: e.Info().Size >= 0} // before State: what is whole is known
	s.version, s.whole = e.State()
	s.retired = n.retired.Load()
	return s
}

// generation numbers states: 3 x version, 1 more once the size is known, and 2
// when it is whole. Neither version nor retired ever falls, so that their sum is
// no other's.
func (s state) generation() uint64 {
	switch {
	case s.whole:
		return 3*(s.version+s.retired) + 2
	case s.sized:
		return 3*s.version + 1
	}
	return 3 * s.version
}

// openings are the open handles of an inode. The kernel refuses one that it is to
// read by itself beside one that it is not, and go-fuse mistakes the one for the
// other. So with passthrough all that are open at a time are of the same kind, and
// an inode that was of the first kind and had to be opened in the second is
// retired: the next look-up gets another.
type openings struct {
	whole bool // the asset was when the inode was looked up

	mu      sync.Mutex // guards what follows
	version uint64     // of the content that handles read
	open    map[*handle]struct{}
	retired bool
}

// join adds h to the open handles, perhaps with another backing than it came
// with. While handles of older content are open, there is no other to be had from
// an inode that is not the present one.
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
	if n.fs.passthrough {
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

// conformLocked makes h of the same kind as the handles that are open.
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
		n.fs.inodesOf(n.asset).retired.Add(1)
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

// leave is the end of h.
func (n *file) leave(h *handle) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.open, h)
}

// sizes are those that the kernel was told of an inode, by whatever it asked. Each
// look-up makes a file of its own, of which go-fuse keeps the first: this is what
// they share.
type sizes struct {
	telling sync.Mutex // held while the kernel is told by us

	mu    sync.Mutex // guards what follows
	last  uint64
	least uint64 // the kernel drops an answer that another one overtook, so it may be this
}

// sizesOf returns those of the inode of a generation.
func (n *inodes) sizesOf(gen uint64) *sizes {
	s, _ := n.sizes.LoadOrStore(gen, &sizes{least: math.MaxInt64})
	return s.(*sizes)
}

// told notes the size that the kernel is told.
func (s *sizes) told(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.least = size, min(s.least, size)
}

// knows reports whether the kernel has heard of size, which is below 0 if nobody
// knows it. Else a look-up tells, unless each state has an inode of its own.
func (n *file) knows(size int64) bool {
	if !n.fs.o.StableInodes || size < 0 {
		return true
	}
	last, doubtful := n.believes(size)
	return last == size && !doubtful
}

// believes returns the size that the kernel was told last, and whether it may
// believe in less than size while nobody can have read the end.
func (n *file) believes(size int64) (last int64, doubtful bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.sizes.mu.Lock()
	defer n.sizes.mu.Unlock()
	doubtful = size > int64(n.sizes.least)
	for h := range n.open {
		doubtful = doubtful && !h.blind
	}
	return int64(n.sizes.last), doubtful
}

// refresh has the kernel ask for attributes again, and tells a size that has grown
// at once, for splice and sendfile never ask. The only way is to write what is
// beyond the old size: a byte of a page that the kernel does not take for whole,
// and will read. Where the byte is a page, the open that comes now drops it, but
// handles that are open might see it.
func (n *file) refresh(size int64) {
	_ = n.NotifyContent(-1, 0) // without it the kernel asks once its time is up
	n.sizes.telling.Lock()
	defer n.sizes.telling.Unlock()
	last, doubtful := n.believes(size)
	n.mu.Lock()
	alone := len(n.open) == 1
	n.mu.Unlock()
	if size <= last && !doubtful || !alone && (size-1)%int64(os.Getpagesize()) == 0 {
		return
	}
	_ = n.WriteCache(size-1, []byte{0}) // without it those who never ask find less
	n.sizes.mu.Lock()
	n.sizes.last, n.sizes.least = uint64(size), uint64(size)
	n.sizes.mu.Unlock()
}

// visitors are the threads whose last open was turned away, to look a name up
// again. A thread that comes back has none (/proc/self/fd, O_PATH, a bind mount of
// one file), or found another state again. It must not be turned away twice: that
// would be the end of it.
type visitors struct {
	mu     sync.Mutex          // guards what follows
	turned map[uint32]struct{} // by thread ID
}

// maxVisitors bounds the threads that are remembered. It takes that many which
// never came back, as those who were killed.
const maxVisitors = 4096

// admit reports whether the open of an inode may go on. All threads that another
// pid namespace hides are 0: that one stays until the present inode is opened.
func (v *visitors) admit(tid uint32, present bool) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, turned := v.turned[tid]
	if present || turned && tid != 0 {
		delete(v.turned, tid)
	}
	if present || turned {
		return true
	}
	if v.turned == nil || len(v.turned) >= maxVisitors {
		v.turned = map[uint32]struct{}{}
	}
	v.turned[tid] = struct{}{}
	return false
}
