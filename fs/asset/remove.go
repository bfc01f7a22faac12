package asset

import "assetfs/fs/ranges"

// removeLocked marks the bytes of r absent. Running reads of them will notice.
func (a *Asset) removeLocked(r ranges.Range) {
	a.epoch++
	a.present.Remove(r)
	a.unsynced.Remove(r)
}

// missedLocked sees to it that bytes that were lost are fetched again if the asset is pinned. It is not for
// what a disk fails to keep: that would be paid for again and again.
func (a *Asset) missedLocked() {
	if a.pinned {
		nudge(a.store.pinsChanged)
	}
}

// dropLocked forgets all bytes and the blob. The caller must call remove after releasing the lock: it
// removes the blob, and returns the room that it took. The journal records that first. If the journal
// can't, the bytes go all the same, since a claim on a missing blob has no effect.
func (a *Asset) dropLocked() (remove func() int64) {
	blob, freed := a.blobLocked(), a.bytes
	a.removeLocked(ranges.Range{End: maxSize})
	a.bytes = 0
	a.incarnation++
	a.blob, a.unchecked = nil, false
	a.missedLocked()
	a.markLocked()
	a.queueLocked()
	return func() int64 {
		_ = a.store.journal.Write() // it logs, and tries again
		if err := blob.Remove(); err != nil {
			a.store.o.Log.Warn("spool file not removed", "asset", a.id, "error", err)
		}
		a.store.add(-freed)
		return freed
	}
}

// evict forgets all bytes, unless a is in use or pinned. It returns the room that they took. The caller
// must be the one that makes room.
func (a *Asset) evict() (freed int64) {
	a.mu.Lock()
	if !a.idleLocked() || a.pinned {
		a.mu.Unlock()
		return 0
	}
	remove := a.dropLocked()
	a.mu.Unlock()
	if freed = remove(); freed > 0 {
		a.store.o.Log.Debug("evicted", "asset", a.id, "bytes", freed)
	}
	return freed
}

// remove calls remove, the result of dropLocked. Whoever needs room meanwhile waits for it.
func (s *Store) remove(remove func() int64) (freed int64) {
	defer hold(s.making)()
	return remove()
}

// lose forgets all bytes of an incarnation whose blob is gone or too short.
func (a *Asset) lose(incarnation uint64) {
	a.mu.Lock()
	if a.incarnation != incarnation {
		a.mu.Unlock()
		return
	}
	remove := a.dropLocked()
	a.mu.Unlock()
	if a.store.remove(remove) > 0 {
		a.store.o.Log.Warn("spool file gone or too short, its bytes are forgotten", "asset", a.id)
	}
}

// absentLocked marks the bytes of set absent, and queues the record of that. It returns those that were
// present. They stay in the blob, and their room is still counted.
func (a *Asset) absentLocked(set []ranges.Range) (were []ranges.Range) {
	for _, r := range set {
		were = append(were, a.present.Within(r)...)
		a.removeLocked(r)
	}
	if a.queued {
		a.queueLocked() // the record must find its asset
	}
	a.store.journal.Queue(rangesRecords(nil, kindRemove, a.id, a.incarnation, set))
	return were
}

// withdrawLocked marks ranges absent, and returns when that is on the disk; the lock is released
// meanwhile. With an error they are present as before.
func (a *Asset) withdrawLocked(set []ranges.Range) error {
	were, incarnation := a.absentLocked(set), a.incarnation
	a.mu.Unlock()
	err := a.store.journal.Sync()
	a.mu.Lock()
	if err != nil && a.incarnation == incarnation {
		// Claim them again, in case the record is written later.
		for _, r := range were {
			a.present.Add(r)
			a.unsynced.Add(r)
		}
		a.finishPresentLocked() // they came meanwhile
		a.markLocked()
		a.pendLocked()
	}
	return err
}

// recountLocked counts the room of the present bytes, after some have gone.
func (a *Asset) recountLocked() {
	s := a.store
	freed := a.bytes - s.size(a.present.Ranges())
	a.bytes -= freed
	s.add(-freed)
}
