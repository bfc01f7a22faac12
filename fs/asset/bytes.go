package asset

import (
	"errors"
	"io"
	iofs "io/fs"
	"os"
	"slices"
	"syscall"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// present and other sets of an asset's bytes. The asset's mu guards all.
type held struct {
	incarnation   uint64         // of the blob, part of its name
	blob          *spool.Blob    // nil until it is needed
	unchecked     bool           // the blob may have holes where bytes are claimed
	present       ranges.Set     // bytes that can be read
	alloc         ranges.Set     // blocks taken
	fresh         ranges.Set     // present, not yet claimed
	unsynced      ranges.Set     // present, yet to be synced
	syncing       ranges.Set     // present, being synced
	unsyncedSince time.Time      // when unsynced ceased to be empty
	epoch         uint64         // grows when present bytes cease to be
	writing       []ranges.Range // writes under way
	punching      ranges.Range   // no write may start here now
	punched       chan struct{}  // closed when punching ends
	recorded      bool           // the journal knows of the asset, or will
	dirty         bool           // facts or incarnation have to be recorded
	queued        bool           // in Store.dirty
}

// full reports whether err says that the disk, or this user's share of it, is
// full.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// gone reports whether err says that a blob that should be there is not.
func gone(err error) bool { return errors.Is(err, iofs.ErrNotExist) }

// blocks is r extended to whole blocks.
func (s *Store) blocks(r ranges.Range) ranges.Range {
	return ranges.Range{Start: r.Start / s.block * s.block, End: (r.End + s.block - 1) / s.block * s.block}
}

// inner is the whole blocks of r; it may be empty.
func (s *Store) inner(r ranges.Range) ranges.Range {
	return ranges.Range{Start: (r.Start + s.block - 1) / s.block * s.block, End: r.End / s.block * s.block}
}

// blobLocked returns the blob of the present incarnation.
func (a *Asset) blobLocked() *spool.Blob {
	if a.blob == nil {
		a.blob = a.store.dir.Blob(a.id, a.incarnation, a.alloc.Len() > 0)
	}
	return a.blob
}

// users is how many have the asset open. The caller holds mu.
func (a *Asset) users() int {
	if a.engine == nil {
		return 0
	}
	return len(a.readers)
}

// idleLocked reports whether nobody uses the asset's bytes.
func (a *Asset) idleLocked() bool { return a.users() == 0 && len(a.writing) == 0 }

// Present returns the number of present bytes.
func (a *Asset) Present() int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.present.Len()
}

// Runs returns the runs of present bytes.
func (a *Asset) Runs() []ranges.Range {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.present.Ranges())
}

// readAt fills p with the bytes at off. It returns ErrAbsent if one of them is
// not present or ceased to be while it was read; with an error nothing of p
// counts.
func (a *Asset) readAt(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		a.mu.Lock()
		if !a.present.Contains(ranges.Range{Start: off, End: off + int64(len(p))}) {
			a.mu.Unlock()
			return 0, ErrAbsent
		}
		n, again, err := a.readLocked(p, off)
		a.mu.Unlock()
		if !again {
			return n, err
		}
	}
}

// readLocked reads what is present, with the lock released meanwhile. again
// means that bytes ceased to be present in between: before they go, they do, so if
// none did p is right.
func (a *Asset) readLocked(p []byte, off int64) (n int, again bool, err error) {
	blob, epoch, incarnation := a.blobLocked(), a.epoch, a.incarnation
	if a.store.closed.Load() {
		return 0, false, spool.ErrClosed
	}
	if a.unchecked {
		a.mu.Unlock()
		err := a.check()
		a.mu.Lock()
		return 0, err == nil, err
	}
	a.mu.Unlock()
	a.store.turn(func() { n, err = blob.ReadAt(p, off) })
	a.mu.Lock()
	switch {
	case a.epoch != epoch:
		return 0, true, nil
	case errors.Is(err, io.EOF), gone(err):
		a.mu.Unlock()
		a.lose(incarnation, "gone or too short")
		a.mu.Lock()
		return 0, true, nil
	case err != nil:
		return 0, false, err
	}
	return n, false, nil
}

// check looks for holes in what is claimed of a blob that has not been opened
// before, and forgets them.
func (a *Asset) check() error {
	a.mu.Lock()
	blob, incarnation := a.blobLocked(), a.incarnation
	runs := slices.Clone(a.present.Ranges())
	a.mu.Unlock()
	holes, size, err := blob.Holes(runs)
	switch {
	case gone(err), err == nil && len(runs) > 0 && size < runs[len(runs)-1].End:
		a.lose(incarnation, "gone or too short")
		return nil
	case err != nil:
		return err
	case holes.Len() > 0:
		a.store.o.Log.Warn("holes where the spool should have bytes: forgotten", "asset", a.id, "bytes", holes.Len())
		if err := a.withdraw(holes.Ranges()); err != nil {
			return err // the next one finds them again
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.incarnation != incarnation {
		return nil
	}
	a.unchecked = false
	before := a.alloc.Len()
	for _, r := range holes.Ranges() {
		a.alloc.Remove(a.store.inner(r))
	}
	a.store.add(a.alloc.Len() - before)
	return nil
}

// turn calls do, which uses the disk, when it may.
func (s *Store) turn(do func()) {
	if turns := s.engine.Turns; turns != nil {
		turns <- struct{}{}
		defer func() { <-turns }()
	}
	do()
}

// growthLocked returns what a write of r takes at most.
func (a *Asset) growthLocked(r ranges.Range) int64 {
	blocks := a.store.blocks(r)
	n := blocks.Len()
	for _, have := range a.alloc.Within(blocks) {
		n -= have.Len()
	}
	return n
}

// putLocked stores p, which is of the content of that version, at off, and then
// marks it present. It releases the lock while it writes. It makes room if need
// be. On an error nothing of p is claimed; it wraps ErrNoSpace if there was no
// room, and is ErrChanged if the content changed meanwhile.
func (a *Asset) putLocked(p []byte, off int64, version uint64) error {
	r := ranges.Range{Start: off, End: off + int64(len(p))}
	s := a.store
	if off < 0 || r.End > maxSize {
		return &os.PathError{Op: "write", Path: a.id, Err: os.ErrInvalid}
	}
	for round := 1; ; {
		switch {
		case s.closing.Load():
			return spool.ErrClosed
		case a.version != version:
			return ErrChanged
		case r.Empty():
			return nil
		case !a.punching.Intersect(r).Empty():
			punched := a.punched
			a.mu.Unlock()
			<-punched
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
				a.lose(incarnation, "gone")
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

// wroteLocked ends a write of r, for which need was counted. again means that the
// blob has gone, but perhaps not the content.
func (a *Asset) wroteLocked(r ranges.Range, incarnation uint64, need int64, err error) (again bool) {
	s := a.store
	i := slices.Index(a.writing, r)
	a.writing = slices.Delete(a.writing, i, i+1)
	if a.incarnation != incarnation || err != nil {
		s.add(-need)
		return a.incarnation != incarnation
	}
	before := a.alloc.Len()
	a.alloc.Add(s.blocks(r))
	if grown := a.alloc.Len() - before; grown != need {
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

// tidy gives back the blocks that a failed write of r took: those in which no
// byte is present or being written by another.
func (a *Asset) tidy(blob *spool.Blob, r ranges.Range) {
	s := a.store
	if s.noPunch.Load() {
		return
	}
	s.making <- struct{}{}
	defer func() { <-s.making }()
	a.mu.Lock()
	mine := ranges.Of(s.inner(r))
	for _, have := range a.alloc.Within(r) {
		mine.Remove(have)
	}
	me := slices.Index(a.writing, r)
	for i, w := range a.writing {
		if i != me {
			mine.Remove(s.blocks(w))
		}
	}
	a.holdOffLocked(r)
	a.mu.Unlock()
	_ = blob.Punch(mine.Ranges(), func(ranges.Range) {}) // or the next write there takes them
	a.mu.Lock()
	a.letInLocked()
	a.mu.Unlock()
}

// holdOffLocked lets no write begin in r until letInLocked. The caller makes
// room.
func (a *Asset) holdOffLocked(r ranges.Range) {
	a.punching, a.punched = r, make(chan struct{})
}

func (a *Asset) letInLocked() {
	a.punching = ranges.Range{}
	close(a.punched)
}

// removeLocked makes the bytes of r cease to be present. Reads of them that are
// under way will see that.
func (a *Asset) removeLocked(r ranges.Range) {
	a.epoch++
	for _, s := range []*ranges.Set{&a.present, &a.fresh, &a.unsynced, &a.syncing} {
		s.Remove(r)
	}
}

// dropLocked forgets all bytes and the blob. It returns the room that they took.
func (a *Asset) dropLocked() int64 {
	freed := a.alloc.Len()
	for _, s := range []*ranges.Set{&a.present, &a.alloc, &a.fresh, &a.unsynced, &a.syncing} {
		s.Clear()
	}
	a.epoch++
	a.incarnation++
	a.blob, a.unchecked = nil, false
	a.markLocked(true)
	return freed
}

// drop forgets all bytes, if that is right, changes the facts, and then removes
// the blob. The journal is told first. If that fails, the bytes go all the same:
// a claim on a missing blob counts for nothing. It returns the room that they
// took.
func (a *Asset) drop(right func() bool, change func()) (freed int64) {
	a.mu.Lock()
	if !right() {
		a.mu.Unlock()
		return 0
	}
	blob := a.blobLocked()
	freed = a.dropLocked()
	change()
	a.queueLocked()
	a.mu.Unlock()
	_ = a.store.journal.Write() // it logs, and tries again
	if err := blob.Remove(); err != nil {
		a.store.o.Log.Warn("spool file not removed", "asset", a.id, "error", err)
	}
	a.store.add(-freed)
	return freed
}

// lose drops all bytes of an incarnation whose blob is not what it should be.
func (a *Asset) lose(incarnation uint64, reason string) {
	lost := false
	a.drop(func() bool {
		lost = a.incarnation == incarnation
		return lost
	}, func() {})
	if lost {
		a.store.o.Log.Warn("spool file unusable, its bytes are forgotten", "asset", a.id, "reason", reason)
	}
}

// withdraw makes ranges cease to be present, and has that recorded. The bytes stay
// in the blob. On an error they are present as before.
func (a *Asset) withdraw(set []ranges.Range) error {
	a.mu.Lock()
	w := a.withdrawLocked(set)
	a.mu.Unlock()
	return w.record()
}

// A withdrawal is of bytes that have ceased to be present.
type withdrawal struct {
	a           *Asset
	incarnation uint64
	was         []ranges.Range // present
	durable     bool           // some of it was claimed for ever
}

// withdrawLocked makes ranges cease to be present.
func (a *Asset) withdrawLocked(set []ranges.Range) withdrawal {
	if a.dirty || a.fresh.Len() > 0 { // the record must find its asset
		a.queueLocked()
	}
	w := withdrawal{a: a, incarnation: a.incarnation}
	var volatile int64
	for _, r := range set {
		w.was = append(w.was, a.present.Within(r)...)
		volatile += total(a.unsynced.Within(r))
		a.removeLocked(r)
	}
	w.durable = total(w.was) > volatile // or being synced: the same
	a.store.journal.Queue(rangesRecords(nil, kindRemove, a.id, a.incarnation, set))
	return w
}

// record has the withdrawal recorded: on the disk, if the claim may be there.
func (w *withdrawal) record() error {
	a := w.a
	record := a.store.journal.Write
	if w.durable {
		record = a.store.journal.Sync
	}
	err := record()
	if err == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.incarnation != w.incarnation {
		return err
	}
	for _, r := range w.was { // claimed again behind the record, should that be written
		for _, s := range []*ranges.Set{&a.present, &a.fresh, &a.unsynced} {
			s.Add(r)
		}
	}
	a.markLocked(false)
	a.pendLocked()
	return err
}

func total(rs []ranges.Range) (n int64) {
	for _, r := range rs {
		n += r.Len()
	}
	return n
}

// Backing returns a read-only descriptor of the blob of a whole asset, for the
// kernel to read from, or ErrAbsent if it is not whole. The caller closes it, and
// must have the asset open meanwhile.
func (a *Asset) Backing() (*os.File, error) {
	for {
		a.mu.Lock()
		whole, unchecked, blob, incarnation := a.wholeLocked(), a.unchecked, a.blobLocked(), a.incarnation
		size := a.info.Size
		a.mu.Unlock()
		switch {
		case !whole:
			return nil, ErrAbsent
		case size == 0:
			if _, _, err := blob.Holes(nil); err != nil { // it makes an empty one
				return nil, err
			}
		case unchecked:
			if err := a.check(); err != nil {
				return nil, err
			}
			continue
		}
		f, err := blob.Reader()
		if err == nil {
			st, serr := f.Stat()
			if serr == nil && st.Size() >= size {
				return f, nil
			}
			err = errors.Join(serr, f.Close(), iofs.ErrNotExist)
		}
		if !gone(err) {
			return nil, err
		}
		a.lose(incarnation, "gone or too short")
	}
}
