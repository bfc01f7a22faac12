package asset

import (
	"os"
	"slices"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// turn calls do, which uses the disk, when it is its turn.
func (s *Store) turn(do func()) {
	if turns := s.engine.Turns; turns != nil {
		turns <- struct{}{}
		defer func() { <-turns }()
	}
	do()
}

// growthLocked returns the most room that a write of r can take.
func (a *Asset) growthLocked(r ranges.Range) int64 {
	blocks := a.store.blocks(r)
	return blocks.Len() - a.store.size(a.present.Within(blocks))
}

// putLocked stores p, bytes at off of the present content, and then marks them present. It releases
// the lock while it writes, and makes room if necessary. With an error nothing of p is claimed. The
// error wraps ErrNoSpace if there was no room, and is ErrChanged if the content changed meanwhile.
func (a *Asset) putLocked(p []byte, off int64) error {
	r := ranges.Range{Start: off, End: off + int64(len(p))}
	s := a.store
	if off < 0 || r.End > maxSize {
		return &os.PathError{Op: "write", Path: a.id, Err: os.ErrInvalid}
	}
	version := a.version
	for round := 1; ; {
		switch {
		case s.closing.Load():
			return spool.ErrClosed
		case a.version != version:
			return ErrChanged
		case r.Empty():
			return nil
		case !a.punching.Intersect(r).Empty():
			a.mu.Unlock()
			s.making <- struct{}{} // whoever punches has it
			<-s.making
			a.mu.Lock()
			continue
		}
		var why error
		need := a.growthLocked(r)
		if s.take(need) {
			blob, incarnation := a.blobLocked(), a.incarnation
			a.writing = append(a.writing, r)
			a.mu.Unlock()
			s.askDiskNowAndThen()
			var err error
			s.turn(func() { err = blob.WriteAt(p, off) })
			if full(err) {
				a.tidy(blob, r)
			}
			if gone(err) {
				a.lose(incarnation)
			}
			a.mu.Lock()
			if again := a.wroteLocked(r, incarnation, need, err); again {
				continue
			}
			if !full(err) {
				return err
			}
			why = err
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
}

// wroteLocked ends a write of r, for which need was counted. It returns again if the blob is gone,
// but perhaps not the content.
func (a *Asset) wroteLocked(r ranges.Range, incarnation uint64, need int64, err error) (again bool) {
	s := a.store
	i := slices.Index(a.writing, r)
	a.writing = slices.Delete(a.writing, i, i+1)
	if a.incarnation != incarnation || err != nil {
		s.add(-need)
		return a.incarnation != incarnation
	}
	grown := a.growthLocked(r)
	a.bytes += grown
	if grown != need { // another write took some of these blocks
		s.add(grown - need)
	}
	a.present.Add(r)
	a.fresh.Add(r)
	first := a.unsynced.Len() == 0
	if first {
		a.unsyncedSince = time.Now()
	}
	a.unsynced.Add(r)
	switch {
	case first:
		a.pendLocked()
	case a.unsynced.Len() >= syncBytes, a.wholeLocked():
		nudge(s.due)
	}
	a.markLocked(false)
	if s.newBytes.Add(r.Len()) >= flushBytes {
		nudge(s.much)
	}
	return false
}

// tidy frees the blocks that a failed write of r took, as far as they hold no present byte and are
// not being written by another.
func (a *Asset) tidy(blob *spool.Blob, r ranges.Range) {
	s := a.store
	if s.noPunch.Load() {
		return
	}
	s.making <- struct{}{}
	defer func() { <-s.making }()
	a.mu.Lock()
	mine := ranges.Of(s.inner(r))
	for _, have := range a.present.Within(r) {
		mine.Remove(s.blocks(have))
	}
	me := slices.Index(a.writing, r)
	for i, w := range a.writing {
		if i != me {
			mine.Remove(s.blocks(w))
		}
	}
	a.punching = r
	a.mu.Unlock()
	for _, r := range mine.Ranges() {
		_ = blob.Punch(r) // or the next write there takes them
	}
	a.mu.Lock()
	a.punching = ranges.Range{}
	a.mu.Unlock()
}
