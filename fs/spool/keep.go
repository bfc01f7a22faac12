package spool

import "assetfs/fs/ranges"

// Pinned reports whether the asset stays in the spool whatever room is needed.
func (f *File) Pinned() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pinned
}

// SetPinned keeps the asset in the spool whatever room is needed, or no longer.
// It is on the disk when SetPinned returns without an error. It writes to the
// index.
func (f *File) SetPinned(pinned bool) error {
	d := f.d
	d.syncMu.Lock()
	defer d.syncMu.Unlock()
	d.logMu.Lock()
	defer d.logMu.Unlock()
	if d.closing.Load() {
		return ErrClosed
	}
	f.mu.Lock()
	same := f.pinned == pinned
	f.mu.Unlock()
	if same {
		return nil
	}
	if err := d.log.append(pinRecord(nil, f.id, pinned)); err != nil {
		return err
	}
	f.mu.Lock()
	f.pinned = pinned
	f.markLocked(true) // a compaction finds it among those that are recorded
	f.mu.Unlock()
	return d.log.sync()
}

// Free gives back the room that the asset takes. Of one that is in use all goes
// that can, and what is needed again comes again; but of a whole one nothing
// does, since the kernel may be reading its file: then busy is true.
func (f *File) Free() (freed int64, busy bool) {
	d := f.d
	d.roomMu.Lock()
	defer d.roomMu.Unlock()
	if freed = d.evict(f); freed > 0 {
		return freed, false
	}
	f.mu.Lock()
	used, whole := f.alloc.Len() > 0 && !f.idleLocked(), f.wholeLocked()
	f.mu.Unlock()
	if !used {
		return 0, false
	}
	if whole || d.noPunch.Load() {
		return 0, true
	}
	freed = d.punchOut(f, maxOffset, func() []ranges.Range { return f.spareLocked(ranges.Range{End: maxOffset}) })
	return freed, d.noPunch.Load()
}
