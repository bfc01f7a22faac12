package asset

import (
	"assetfs/fs/ranges"
)

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
	lasting     ranges.Set // claimed for ever
	volatile    ranges.Set // the others
}

// withdrawLocked makes ranges cease to be present.
func (a *Asset) withdrawLocked(set []ranges.Range) withdrawal {
	if a.dirty || a.fresh.Len() > 0 { // the record must find its asset
		a.queueLocked()
	}
	w := withdrawal{a: a, incarnation: a.incarnation}
	for _, r := range set {
		for _, was := range a.present.Within(r) {
			w.lasting.Add(was)
		}
		for _, notYet := range []*ranges.Set{&a.unsynced, &a.syncing} {
			for _, v := range notYet.Within(r) {
				w.lasting.Remove(v)
				w.volatile.Add(v)
			}
		}
		a.removeLocked(r)
	}
	a.store.journal.Queue(rangesRecords(nil, kindRemove, a.id, a.incarnation, set))
	return w
}

// record has the withdrawal recorded: on the disk, if the claim may be there.
func (w *withdrawal) record() error {
	a := w.a
	record := a.store.journal.Write
	if w.lasting.Len() > 0 {
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
	// Claimed again behind the record, should that be written, and as before: the
	// disk may have the old claim only.
	for _, r := range w.lasting.Ranges() {
		a.present.Add(r)
	}
	a.store.journal.Queue(rangesRecords(nil, kindDurable, a.id, a.incarnation, w.lasting.Ranges()))
	for _, r := range w.volatile.Ranges() {
		for _, s := range []*ranges.Set{&a.present, &a.fresh, &a.unsynced} {
			s.Add(r)
		}
	}
	a.markLocked(false)
	a.pendLocked()
	return err
}
