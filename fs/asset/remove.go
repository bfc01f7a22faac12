package asset

import (
	"assetfs/fs/ranges"
)

// removeLocked makes the bytes of r cease to be present. Reads of them that are
// under way will see that.
func (a *Asset) removeLocked(r ranges.Range) {
	a.epoch++
	for _, s := range []*ranges.Set{&a.present, &a.fresh, &a.unsynced} {
		s.Remove(r)
	}
}

// dropLocked forgets all bytes and the blob. What it returns is to be called with the
// lock released: it removes the blob, and returns the room that it took. The journal says so
// first. If that fails, the bytes go all the same: a claim on a missing blob
// counts for nothing.
func (a *Asset) dropLocked() (remove func() int64) {
	blob, freed := a.blobLocked(), a.bytes
	for _, s := range []*ranges.Set{&a.present, &a.fresh, &a.unsynced} {
		s.Clear()
	}
	a.bytes = 0
	a.epoch++
	a.incarnation++
	a.blob, a.unchecked = nil, false
	a.markLocked(true)
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

// drop forgets all bytes if that is right, which is asked with mu held, and returns
// the room that they took.
func (a *Asset) drop(right func() bool) (freed int64) {
	a.mu.Lock()
	if !right() {
		a.mu.Unlock()
		return 0
	}
	remove := a.dropLocked()
	a.mu.Unlock()
	return remove()
}

// lose drops all bytes of an incarnation whose blob has gone or is too short.
func (a *Asset) lose(incarnation uint64) {
	lost := false
	a.drop(func() bool {
		lost = a.incarnation == incarnation
		return lost
	})
	if lost {
		a.store.o.Log.Warn("spool file gone or too short, its bytes are forgotten", "asset", a.id)
	}
}

// withdraw is withdrawLocked for bytes that leave no room behind.
func (a *Asset) withdraw(set []ranges.Range) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.withdrawLocked(set)
	a.recountLocked()
	return err
}

// withdrawLocked makes ranges cease to be present, and returns when that is on the
// disk, with the lock released meanwhile. The bytes stay in the blob. On an error they
// are present as before.
func (a *Asset) withdrawLocked(set []ranges.Range) error {
	if a.dirty || a.fresh.Len() > 0 { // the record must find its asset
		a.queueLocked()
	}
	var were []ranges.Range
	for _, r := range set {
		were = append(were, a.present.Within(r)...)
		a.removeLocked(r)
	}
	journal, incarnation := a.store.journal, a.incarnation
	journal.Queue(rangesRecords(nil, kindRemove, a.id, incarnation, set))
	a.mu.Unlock()
	err := journal.Sync()
	a.mu.Lock()
	if err != nil && a.incarnation == incarnation {
		// Claimed again, behind the record, should that be written.
		for _, r := range were {
			for _, s := range []*ranges.Set{&a.present, &a.fresh, &a.unsynced} {
				s.Add(r)
			}
		}
		a.markLocked(false)
		a.pendLocked()
	}
	return err
}

// recountLocked counts what the present bytes take, after some have gone.
func (a *Asset) recountLocked() {
	s := a.store
	freed := a.bytes - s.size(a.present.Ranges())
	a.bytes -= freed
	s.add(-freed)
}
