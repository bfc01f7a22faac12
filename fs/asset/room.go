package asset

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/dustin/go-humanize"

	"assetfs/fs/ranges"
)

// askAgain is how much may be written before the disk is asked again for its free space: little
// compared with the 1 GiB that is left free by default, and much compared with the cost of asking.
const askAgain = 16 << 20

// held returns how many bytes the blocks of all assets take.
func (s *Store) held() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bytes
}

// add counts n bytes, which may be negative.
func (s *Store) add(n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bytes += n
	s.free -= n
}

// take counts n bytes if there is room for them.
func (s *Store) take(n int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > 0 && s.shortageLocked(n) > 0 {
		return false
	}
	s.bytes += n
	s.free -= n
	s.since += n
	return true
}

// shortageLocked returns how many bytes must go before n more fit.
func (s *Store) shortageLocked(n int64) int64 {
	var short int64
	if s.o.Size > 0 {
		short = s.bytes + n - s.o.Size
	}
	if s.o.MinFree > 0 {
		short = max(short, s.o.MinFree-(s.free-n))
	}
	return max(0, short)
}

// askDisk asks the disk for its free space.
func (s *Store) askDisk() {
	disk, err := s.dir.State()
	if err != nil {
		return // the estimate goes on
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free, s.since = disk.Free, 0
}

// askDiskNowAndThen asks the disk if much was written since it was asked last.
func (s *Store) askDiskNowAndThen() {
	if s.o.MinFree == 0 {
		return
	}
	s.mu.Lock()
	stale := s.since >= min(askAgain, max(1<<20, (s.free-s.o.MinFree)/4))
	s.mu.Unlock()
	if stale {
		s.askDisk()
	}
}

// fullness is a failure to make room.
type fullness struct {
	need int64 // bytes
	why  error // of the disk, nil if there was none
}

// roomLocked makes room for the first bytes of what is needed, if the last attempt to make room failed, and
// releases the lock meanwhile: then again is true. A request is paid for even if nothing of its response can
// be stored.
func (a *Asset) roomLocked(state WaiterState) (again bool, err error) {
	s := a.store
	full := s.full.Load()
	if full == nil || state.Header {
		return false, nil // a header needs no room
	}
	r := a.present.Gap(state.Need).First(block)
	need := max(full.need, a.growthLocked(r))
	a.mu.Unlock()
	defer a.mu.Lock()
	return true, s.makeRoom(need, a, r, 1, full.why)
}

// makeRoom drops bytes until need more fit for a write of r to a. If the disk said that it is full,
// with the error why, and still is, it drops that many. [Reclaim] decides what is dropped. The error
// wraps ErrNoSpace, unless the disk has room, but again and again not for this write.
func (s *Store) makeRoom(need int64, a *Asset, r ranges.Range, round int, why error) error {
	defer hold(s.making)()
	if why != nil && s.diskTakes(need) {
		if round > 2 {
			return fmt.Errorf("the spool's file system has room, but not for bytes %v of %s: %w", r, a.id, why)
		}
		why = nil
	}
	if s.o.MinFree > 0 {
		s.askDisk()
	}
	s.mu.Lock()
	short := s.shortageLocked(need)
	s.mu.Unlock()
	if why != nil {
		short = max(short, need, s.block)
	}
	if short == 0 {
		s.full.Store(nil)
		return nil // another write made it
	}
	assets, h := s.holdings(a, r)
	h.Round = round
	var freed int64
	for _, act := range Reclaim(h, short) {
		if act.Ranges == nil {
			freed += assets[act.Asset].evict()
		} else {
			freed += assets[act.Asset].punchOut(act.Ranges, h.Distance)
		}
	}
	if freed < short {
		// Some of it came into use meanwhile, or can't be punched out.
		s.full.Store(&fullness{need: need, why: why})
		return s.noSpace(need, a, why)
	}
	s.full.Store(nil)
	return nil
}

// diskTakes reports whether the disk takes n bytes more. It is tried: what a disk has free says nothing
// of a user's quota. The caller must be the one that makes room.
func (s *Store) diskTakes(n int64) bool {
	probe, p := s.dir.Blob("", 0, false), make([]byte, n)
	_, _ = rand.Read(p) // some file systems store no zeros
	_, err := probe.WriteAt(p, 0)
	if err == nil {
		err = probe.Sync() // NFS finds out then
	}
	return errors.Join(err, probe.Remove()) == nil
}

// holdings returns what all assets hold, for a write of r to own.
func (s *Store) holdings(own *Asset, r ranges.Range) ([]*Asset, Holdings) {
	assets := s.all()
	h := Holdings{Assets: make([]Holding, len(assets)), Size: s.o.Size, Block: s.block, Distance: maxSize}
	for i, a := range assets {
		a.mu.Lock()
		x := &h.Assets[i]
		x.LastUse, x.Bytes, x.Closed, x.Pinned, x.Own = a.lastUse, a.bytes, a.idleLocked(), a.pinned, a == own
		if a.usersLocked() > 0 {
			x.Span = a.span
			x.Spare = a.spareLocked()
			if x.Own && !x.Span.Empty() {
				// Bytes before all readers count as very near: a stream may be on its way to a
				// reader.
				h.Distance = max(0, r.End-x.Span.End)
			}
		}
		a.mu.Unlock()
	}
	return assets, h
}

// spareLocked returns what may be dropped of an open asset: see Holding.Spare.
func (a *Asset) spareLocked() []ranges.Range {
	if a.pinned || a.usersLocked() == 0 || a.wholeLocked() || a.store.noPunch.Load() {
		return nil
	}
	spare := a.present.Clone()
	for _, w := range a.writing {
		spare.Remove(w)
	}
	var out []ranges.Range
	for _, r := range spare.Ranges() {
		if r = r.Inner(a.store.block); !r.Empty() {
			out = append(out, r)
		}
	}
	return out
}

// punchOut drops those of set that can still go: the bytes before all readers, and those further after
// them than distance. It returns how many bytes that freed. The caller must be the one that makes room.
func (a *Asset) punchOut(set []ranges.Range, distance int64) (freed int64) {
	if a.store.journal.Write() != nil { // as in flush
		return 0
	}
	a.mu.Lock()
	spare := ranges.Of(a.spareLocked()...)
	set = slices.DeleteFunc(set, func(r ranges.Range) bool {
		return !spare.Contains(r) || r.End > a.span.Start && r.Start < a.span.End+distance
	})
	if len(set) == 0 {
		a.mu.Unlock()
		return 0
	}
	blob := a.blobLocked()
	a.punching = ranges.Range{Start: set[0].Start, End: set[len(set)-1].End}
	err := a.withdrawLocked(set)
	a.mu.Unlock()
	for i := 0; err == nil && i < len(set); i++ {
		if err = blob.Punch(set[i]); err == nil {
			freed += set[i].Len()
		}
	}
	a.mu.Lock()
	a.punching = ranges.Range{}
	a.recountLocked()
	a.mu.Unlock()
	s := a.store
	if errors.Is(err, errors.ErrUnsupported) && !s.noPunch.Swap(true) {
		s.o.Log.Warn("the spool's file system has no holes: open assets keep what they have", "dir", s.dir.Path())
	} else if err != nil && !errors.Is(err, os.ErrClosed) && !gone(err) {
		s.o.Log.Warn("can't make room in an open asset", "asset", a.id, "error", err)
	}
	return freed
}

// noSpace returns the error of a write to a for which there was no room; why is the disk's error,
// or nil.
func (s *Store) noSpace(need int64, a *Asset, why error) error {
	held, id, pinned := s.held(), "nothing", int64(0)
	if a != nil {
		id = a.id
	}
	each(s.all(), func(o *Asset) {
		if o.pinned {
			pinned += o.bytes
		}
	})
	holds := "the spool holds " + humanize.IBytes(uint64(max(0, held)))
	if pinned > 0 {
		holds += fmt.Sprintf(" (%s of pinned assets, which assetfs unpin lets go)", humanize.IBytes(uint64(pinned)))
	}
	switch {
	case why != nil:
		return fmt.Errorf("%w for %d bytes of %s, %s: %w", ErrNoSpace, need, id, holds, why)
	case s.o.Size > 0 && held+need > s.o.Size:
		holds += fmt.Sprintf(" of the %s that --spool-size allows, all in use", humanize.IBytes(uint64(s.o.Size)))
	default:
		holds += " and --spool-min-free asks for what is left of the disk"
	}
	return fmt.Errorf("%w for %d bytes of %s, %s", ErrNoSpace, need, id, holds)
}
