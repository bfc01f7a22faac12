package asset

import (
	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// Pinned reports whether the asset stays whatever room is needed.
func (a *Asset) Pinned() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pinned
}

// SetPinned keeps the asset whatever room is needed, or no longer. It is on the
// disk when SetPinned returns without an error.
func (a *Asset) SetPinned(pinned bool) error {
	if a.store.closing.Load() {
		return spool.ErrClosed
	}
	a.mu.Lock()
	was := a.pinned
	a.pinLocked(pinned)
	a.mu.Unlock()
	if was == pinned {
		return nil
	}
	err := a.store.journal.Sync()
	if err != nil {
		a.mu.Lock()
		a.pinLocked(was)
		a.mu.Unlock()
	}
	return err
}

func (a *Asset) pinLocked(pinned bool) {
	if a.pinned == pinned {
		return
	}
	a.pinned = pinned
	a.markLocked(true) // a compaction finds it among those that are recorded
	a.store.journal.Queue(pinRecord(nil, a.id, pinned))
}

// AbsentPins returns the IDs of pinned assets of which not all is present.
func (s *Store) AbsentPins() (ids []string) {
	for _, a := range s.known() {
		a.mu.Lock()
		if a.pinned && !a.wholeLocked() {
			ids = append(ids, a.id)
		}
		a.mu.Unlock()
	}
	return ids
}

// Free gives back the room that the asset takes. Of one that is in use all goes
// that can, and what is needed again comes again; but of a whole one nothing
// does, since the kernel may be reading its blob: then busy is true.
func (a *Asset) Free() (freed int64, busy bool) {
	s := a.store
	s.making <- struct{}{}
	defer func() { <-s.making }()
	if freed = a.drop(a.idleLocked, func() {}); freed > 0 {
		return freed, false
	}
	a.mu.Lock()
	used, whole, spare := a.alloc.Len() > 0 && !a.idleLocked(), a.wholeLocked(), a.spareLocked()
	a.mu.Unlock()
	if !used {
		return 0, false
	}
	if whole || s.noPunch.Load() {
		return 0, true
	}
	freed = a.punchOut(spare, func(ranges.Range) bool { return true })
	return freed, s.noPunch.Load()
}
