// Package inode keeps what the kernel knows of the inodes of an asset: which states
// have one of their own, which sizes it was told, and which threads were turned away
// from a superseded one. It is a leaf.
package inode

import (
	"math"
	"sync"
	"sync/atomic"
)

// State is what the inode of an asset depends on.
type State struct {
	Version uint64 // of the content
	Retired uint64 // whole inodes of the asset that are used no more
	Sized   bool   // its size is known
	Whole   bool
}

// Generation numbers states: 3 x version, 1 more once the size is known, and 2
// when it is whole. Neither version nor retired ever falls, so that their sum is
// no other's.
func (s State) Generation() uint64 {
	switch {
	case s.Whole:
		return 3*(s.Version+s.Retired) + 2
	case s.Sized:
		return 3*s.Version + 1
	}
	return 3 * s.Version
}

// Inodes are those of one asset. The zero value is ready.
type Inodes struct {
	Retired  atomic.Uint64 // whole ones that were opened in part
	Visitors Visitors
	Unsized  atomic.Bool // it shows 0, and that was logged
	sizes    sync.Map    // *Sizes by generation
}

// Sizes are those that the kernel was told of an inode, by whatever it asked. Each
// look-up makes a file of its own, of which go-fuse keeps the first: this is what
// they share.
type Sizes struct {
	Telling sync.Mutex // held while the kernel is told by us

	mu    sync.Mutex // guards what follows
	last  uint64
	least uint64 // the kernel drops an answer that another one overtook, so it may be this
}

// Sizes returns those of the inode of a generation.
func (n *Inodes) Sizes(gen uint64) *Sizes {
	s, _ := n.sizes.LoadOrStore(gen, &Sizes{least: math.MaxInt64})
	return s.(*Sizes)
}

// Told notes the size that the kernel is told.
func (s *Sizes) Told(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.least = size, min(s.least, size)
}

// Last returns the size that the kernel was told last, and whether it may believe in
// less than size.
func (s *Sizes) Last(size int64) (last int64, doubtful bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(s.last), size > int64(s.least)
}

// Grown notes that the kernel has taken over size.
func (s *Sizes) Grown(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.least = uint64(size), uint64(size)
}

// Visitors are the threads whose last open was turned away, to look a name up
// again. A thread that comes back has none (/proc/self/fd, O_PATH, a bind mount of
// one file), or found another state again. It must not be turned away twice: that
// would be the end of it.
type Visitors struct {
	mu     sync.Mutex          // guards what follows
	turned map[uint32]struct{} // by thread ID
}

// maxVisitors bounds the threads that are remembered. It takes that many which
// never came back, as those who were killed.
const maxVisitors = 4096

// Admit reports whether the open of an inode may go on. All threads that another
// pid namespace hides are 0: that one stays until the present inode is opened.
func (v *Visitors) Admit(tid uint32, present bool) bool {
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
