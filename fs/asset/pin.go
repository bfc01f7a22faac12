package asset

// SetPinned pins assets, so that they are never dropped to make room, or unpins them: first all, and
// then it waits for the disk. If it returns no error, that is on the disk; otherwise nothing has changed.
func (s *Store) SetPinned(pinned bool, assets ...*Asset) error {
	defer hold(s.pinning)() // who finds one pinned can rely on it, too
	var changed []*Asset
	each(assets, func(a *Asset) {
		if a.pinned != pinned {
			a.pinLocked(pinned)
			changed = append(changed, a)
		}
	})
	if len(changed) == 0 {
		return nil
	}
	err := s.journal.Sync()
	if err != nil {
		each(changed, func(a *Asset) { a.pinLocked(!pinned) })
	}
	return err
}

func (a *Asset) pinLocked(pinned bool) {
	if a.pinned == pinned {
		return
	}
	a.pinned = pinned
	a.markLocked() // a compaction finds it among those that are recorded
	a.store.journal.Queue(appendRecord(nil, kindPin, a.id, pinned))
}

// PinsChanged returns a channel that has an element when a pinned asset has new content, or has lost its
// bytes, which must be fetched.
func (s *Store) PinsChanged() <-chan struct{} { return s.pinsChanged }

// AbsentPins returns the IDs of pinned assets that are not whole.
func (s *Store) AbsentPins() (ids []string) {
	each(s.all(), func(a *Asset) {
		if a.pinned && !a.wholeLocked() {
			ids = append(ids, a.id)
		}
	})
	return ids
}

// Free drops the asset's bytes. Of an asset in use everything goes that can, and is fetched again if
// needed. Of a whole asset in use nothing goes, since the kernel may be reading its blob: then busy
// is true. Of a pinned asset nothing goes. Streams that nobody reads or waits for end first, and what
// their sockets hold is not stored.
func (a *Asset) Free() (freed int64, busy bool) {
	a.stop(func(*stream) bool { return len(a.readers) == 0 && len(a.waiters) == 0 }, (*stream).discardLocked)
	s := a.store
	defer hold(s.making)()
	if freed = a.evict(); freed > 0 {
		return freed, false
	}
	a.mu.Lock()
	used, whole, spare := a.bytes > 0 && !a.idleLocked(), a.wholeLocked(), a.spareLocked()
	a.mu.Unlock()
	if !used {
		return 0, false
	}
	if whole || s.noPunch.Load() {
		return 0, true
	}
	freed = a.punchOut(spare, -maxSize)
	return freed, s.noPunch.Load()
}
