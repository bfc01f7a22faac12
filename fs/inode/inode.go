// Package inode records what the kernel knows about the inodes of an asset: which states have
// an inode of their own, which sizes the kernel was told, and which threads were sent away
// from an outdated inode. It imports no other package of assetfs.
package inode

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// State is what decides which inode an asset has.
type State struct {
	Version uint64 // of the content
	Retired uint64 // whole inodes of the asset that are used no more
	Sized   bool   // its size is known
	Whole   bool
}

// Generation returns the number of the state: 3 x the version, plus 1 if the size is known,
// plus 2 if the asset is whole. Neither Version nor Retired ever falls, so no two states of
// an asset have the same number.
func (s State) Generation() uint64 {
	switch {
	case s.Whole:
		return 3*(s.Version+s.Retired) + 2
	case s.Sized:
		return 3*s.Version + 1
	}
	return 3 * s.Version
}

// Inodes are the inodes of one asset. The zero value is ready.
type Inodes struct {
	Retired  atomic.Uint64 // whole ones that were opened in part
	Visitors Visitors
	Unsized  atomic.Bool // it shows 0, and that was logged

	mu    sync.Mutex // guards sizes
	sizes []*Sizes   // one for each inode, the newest last; most assets have one
}

// Sizes are the sizes that the kernel was told for one inode. Every lookup makes a new file, of which
// go-fuse keeps the first, so no file keeps them.
type Sizes struct {
	gen     uint64     // of the inode
	Telling sync.Mutex // held while the kernel is told by us

	mu    sync.Mutex // guards what follows
	last  uint64
	least uint64 // the kernel drops an answer that another one overtook, so it may be this
}

// Sizes returns the sizes of the inode with a generation.
func (n *Inodes) Sizes(gen uint64) *Sizes {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range slices.Backward(n.sizes) {
		if s.gen == gen {
			return s
		}
	}
	s := &Sizes{gen: gen, least: math.MaxInt64}
	n.sizes = append(n.sizes, s)
	return s
}

// Told records that the kernel was told a size.
func (s *Sizes) Told(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.least = size, min(s.least, size)
}

// Last returns the size that the kernel was told last, and whether it may still believe in
// a smaller one than size.
func (s *Sizes) Last(size int64) (last int64, doubtful bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(s.last), size > int64(s.least)
}

// Grown records that the kernel has adopted a size.
func (s *Sizes) Grown(size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last, s.least = uint64(size), uint64(size)
}

// Visitors are the threads whose last open was sent away to look the name up again. If a
// thread comes back, either it has no name (/proc/self/fd, O_PATH, a bind mount of one file),
// or the state has changed once more. It must not be sent away twice, because its open would
// fail for good.
type Visitors struct {
	mu     sync.Mutex          // guards what follows
	turned map[uint32]struct{} // by thread ID
}

// maxVisitors limits how many threads are remembered. Only threads that never came back,
// such as killed ones, fill it.
const maxVisitors = 4096

// Admit reports whether a thread may open this inode. All threads of foreign pid namespaces
// have the ID 0, which is remembered until the present inode is opened.
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
