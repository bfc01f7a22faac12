package asset

import (
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"assetfs/fs/spool"
)

const (
	flushAfter = time.Second // what a kill may cost
	flushBytes = 4 << 20     // the same, in bytes
	syncAfter  = 30 * time.Second
	syncAgain  = syncAfter / 3 // when something is left to sync
	syncBytes  = 256 << 20
	syncRanges = 1000 // each flush claims all of them again
	// compactAgain is how long to wait after a compaction that failed: each writes everything.
	compactAgain = time.Minute
)

// updateLocked lets change alter the facts, which are recorded within a second. If no record can hold
// them, they are not changed.
func (a *Asset) updateLocked(change func(*facts)) bool {
	f := a.facts
	change(&f)
	if f == a.facts || !f.acceptable() {
		return false
	}
	a.facts = f
	a.markLocked()
	if a.unsynced.Len() > 0 && a.wholeLocked() {
		nudge(a.store.due)
	}
	return true
}

// markLocked makes the next flush record a.
func (a *Asset) markLocked() {
	if a.queued {
		return
	}
	a.queued, a.recorded = true, true
	s := a.store
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dirty = append(s.dirty, a)
	nudge(s.changed)
}

// queueLocked queues in the journal what a flush would record of a: its facts, and claims of what is not
// claimed for ever.
func (a *Asset) queueLocked() {
	b := assetRecord(nil, a.id, a.incarnation, &a.facts)
	a.store.journal.Queue(rangesRecords(b, kindClaim, a.id, a.incarnation, a.unsynced.Ranges()))
}

// pendLocked makes the keeper look at a.
func (a *Asset) pendLocked() {
	s := a.store
	s.mu.Lock()
	s.pending[a] = struct{}{}
	s.mu.Unlock()
	nudge(s.due)
}

// writer records changes, at the latest after a second or flushBytes. It ends with stop.
func (s *Store) writer() {
	timer := time.NewTimer(flushAfter)
	for {
		select {
		case <-s.changed:
		case <-s.stop:
			return
		}
		timer.Reset(flushAfter)
		select {
		case <-timer.C:
		case <-s.much:
		case <-s.stop:
			return
		}
		if s.flush() != nil {
			nudge(s.changed) // in a second
		}
		if s.o.MinFree > 0 {
			s.askDisk()
		}
		if s.journal.Garbage() {
			nudge(s.due)
		}
	}
}

// flush records all changes, also those that another flush has just begun to record. After an error
// they remain to be recorded; the journal logs it.
func (s *Store) flush() error {
	defer hold(s.flushing)()
	if err := s.journal.Write(); err != nil {
		return err // nothing is queued behind what can't be written, or the queue would grow
	}
	s.mu.Lock()
	for name := range s.newNotes {
		s.journal.Queue(appendRecord(nil, kindNote, name, s.notes[name]))
	}
	clear(s.newNotes)
	assets := s.dirty
	s.dirty = nil
	s.mu.Unlock()
	s.newBytes.Store(0)
	for _, a := range assets {
		a.mu.Lock()
		a.queued = false
		a.queueLocked()
		a.mu.Unlock()
	}
	return s.journal.Write()
}

// muchLocked reports whether so much is unsynced that it should be synced now.
func (a *Asset) muchLocked() bool {
	return a.unsynced.Len() >= syncBytes || len(a.unsynced.Ranges()) >= syncRanges
}

// keeper makes claims permanent: at once for an asset that is whole, not in use, or has much to sync,
// otherwise every syncAfter. While that fails, it tries again every syncAgain. It also compacts the
// journal when most of it is garbage. It ends with stop.
func (s *Store) keeper() {
	timer := time.NewTimer(syncAfter)
	var failed time.Time // when the last compaction did
	var unsynced string  // why the last sync failed; "": it did not
	for {
		due := s.due
		if unsynced != "" {
			due = nil // each write to an asset with much to sync would try again
		}
		select {
		case <-due:
		case <-timer.C:
		case <-s.stop:
			return
		}
		was := unsynced
		unsynced = ""
		if err := s.sync(time.Now().Add(-syncAfter)); err != nil {
			unsynced = err.Error()
			timer.Reset(syncAgain)
		}
		if unsynced != was && unsynced != "" {
			s.o.Log.Warn("spool not synced", "error", unsynced)
		}
		if s.journal.Garbage() && time.Since(failed) >= compactAgain {
			if err := s.journal.Compact(s.snapshot); err != nil {
				s.o.Log.Warn("spool index not compacted", "error", err)
				failed = time.Now()
				timer.Reset(compactAgain)
			}
		}
		s.mu.Lock()
		pending := len(s.pending) > 0
		s.mu.Unlock()
		if pending {
			timer.Reset(syncAgain)
		}
	}
}

// sync makes claims permanent of assets that are whole, not in use, have much to sync, or have
// something to sync that is not newer than old.
func (s *Store) sync(old time.Time) error {
	s.mu.Lock()
	pending := slices.Collect(maps.Keys(s.pending))
	s.mu.Unlock()
	var claimed atomic.Bool
	var group errgroup.Group
	group.SetLimit(8) // the disk writes its journal for several together
	for _, a := range pending {
		group.Go(func() error {
			claims, err := a.sync(old)
			if claims {
				claimed.Store(true)
			}
			return err
		})
	}
	err := group.Wait()
	if claimed.Load() {
		err = errors.Join(err, s.journal.Sync())
	}
	return err
}

// sync brings the unsynced bytes of a to the disk, if it is time, and then claims them for ever, except
// if some were removed meanwhile. It closes the blob if nobody needs it. If the disk fails, all unsynced
// bytes may be lost, so they are forgotten, whatever the journal can record of that now.
func (a *Asset) sync(old time.Time) (claims bool, err error) {
	a.mu.Lock()
	blob, incarnation, epoch := a.blobLocked(), a.incarnation, a.epoch
	pending := slices.Clone(a.unsynced.Ranges())
	early := a.usersLocked() > 0 && !a.wholeLocked() && !a.muchLocked() && a.unsyncedSince.After(old)
	a.mu.Unlock()
	if early {
		return false, nil
	}
	if len(pending) > 0 {
		err = blob.Sync()
	}
	lost := err != nil && !gone(err) && !errors.Is(err, spool.ErrClosed)
	switch {
	case gone(err):
		a.lose(incarnation)
		err = nil
	case lost:
		a.store.o.Log.Error("spool file not synced, what was written since is forgotten", "asset", a.id, "error", err)
	case err == nil && len(pending) > 0:
		err = a.store.dir.Sync() // the file may be new
	}
	a.mu.Lock()
	if lost && a.incarnation == incarnation {
		// The kernel reports the failure once: also for what was written meanwhile, and not to another
		// sync, which may have claimed what was pending.
		a.failedSyncs++
		for _, r := range pending {
			a.unsynced.Add(r)
		}
		a.absentLocked(slices.Clone(a.unsynced.Ranges()))
		a.recountLocked()
	}
	if claims = err == nil && len(pending) > 0 && a.epoch == epoch; claims {
		if a.queued {
			a.queueLocked() // the claim must find its asset
		}
		a.store.journal.Queue(rangesRecords(nil, kindDurable, a.id, incarnation, pending))
		for _, r := range pending {
			a.unsynced.Remove(r)
		}
	}
	if err == nil {
		a.unsyncedSince = time.Now() // else it must be tried again
	}
	synced := a.unsynced.Len() == 0
	idle := synced && a.idleLocked()
	if synced {
		a.store.mu.Lock()
		delete(a.store.pending, a)
		a.store.mu.Unlock()
	}
	a.mu.Unlock()
	if lost {
		_ = a.store.journal.Write() // at once, in case of a kill; it logs, and tries again
	}
	if idle {
		blob.Close()
	}
	return claims, err
}
