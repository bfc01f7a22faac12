package asset

import (
	"os"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// turn calls do, which uses the disk, when it is its turn.
func (s *Store) turn(do func()) {
	if turns := s.reading.Turns; turns != nil {
		turns <- struct{}{}
		defer func() { <-turns }()
	}
	do()
}

// growthLocked returns the most room that a write of r can take.
func (a *Asset) growthLocked(r ranges.Range) int64 {
	blocks := r.Outer(a.store.block)
	return blocks.Len() - a.store.size(a.present.Within(blocks))
}

// putLocked stores p, bytes at off of the present content, and then marks them present. It releases
// the lock while it writes, and makes room if necessary. The error wraps ErrNoSpace if there was no room
// for all of p, and is ErrChanged if the content changed meanwhile.
func (a *Asset) putLocked(p []byte, off int64) error {
	s := a.store
	if off < 0 || off+int64(len(p)) > maxSize {
		return &os.PathError{Op: "write", Path: a.id, Err: os.ErrInvalid}
	}
	version := a.version
	for round := 1; len(p) > 0; {
		r := ranges.Range{Start: off, End: off + int64(len(p))}
		switch {
		case a.version != version:
			return ErrChanged
		case !a.punching.Intersect(r).Empty():
			a.mu.Unlock()
			hold(s.making)() // whoever punches has it
			a.mu.Lock()
			continue
		}
		var why error
		need := a.growthLocked(r)
		if s.take(need) {
			blob, incarnation, failed := a.blobLocked(), a.incarnation, a.failedSyncs
			a.writing = append(a.writing, r)
			a.mu.Unlock()
			s.askDiskNowAndThen()
			n := 0
			s.turn(func() { n, why = blob.WriteAt(p, off) })
			if gone(why) {
				a.lose(incarnation)
			}
			a.mu.Lock()
			lost := a.failedSyncs != failed
			if lost || why != nil && !full(why) {
				n = 0
			}
			if again := a.wroteLocked(r, n, incarnation, need); again || lost {
				continue
			}
			if !full(why) {
				return why
			}
			p, off = p[n:], off+int64(n)
			r.Start = off
			need = a.growthLocked(r)
		}
		a.mu.Unlock()
		err := s.makeRoom(need, a, r, round, why)
		a.mu.Lock()
		if err != nil {
			return err
		}
		if why != nil || s.o.MinFree > 0 {
			round++ // it is the disk that is full; of our own limit we are master
		}
	}
	return nil
}

// wroteLocked ends a write of r, for which need was counted, and marks its first n bytes present. It
// returns again if the blob is gone, but perhaps not the content.
func (a *Asset) wroteLocked(r ranges.Range, n int, incarnation uint64, need int64) (again bool) {
	s := a.store
	i := slices.Index(a.writing, r)
	a.writing = slices.Delete(a.writing, i, i+1)
	r.End = r.Start + int64(n)
	if a.incarnation != incarnation || n == 0 {
		s.add(-need)
		return a.incarnation != incarnation
	}
	grown := a.growthLocked(r)
	a.bytes += grown
	if grown != need { // another write took some of these blocks
		s.add(grown - need)
	}
	a.present.Add(r)
	first := a.unsynced.Len() == 0
	if first {
		a.unsyncedSince = time.Now()
	}
	a.unsynced.Add(r)
	switch {
	case first:
		a.pendLocked()
	case a.muchLocked(), a.wholeLocked():
		nudge(s.due)
	}
	a.info.Stored = true
	a.markLocked()
	if s.newBytes.Add(r.Len()) >= flushBytes {
		nudge(s.much)
	}
	return false
}
