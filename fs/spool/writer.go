package spool

import (
	"errors"
	"os"
	"slices"
	"sync"
	"time"

	"assetfs/fs/ranges"
)

const (
	flushAfter = time.Second // what a kill may cost
	flushBytes = 4 << 20     // the same, in bytes
	syncAfter  = 30 * time.Second
	syncBytes  = 256 << 20
)

// writer records what is new, within a second or flushBytes. It ends with stop.
func (d *Dir) writer() {
	timer := time.NewTimer(flushAfter)
	for {
		select {
		case <-d.changed:
		case <-d.stop:
			return
		}
		timer.Reset(flushAfter)
		select {
		case <-timer.C:
		case <-d.much:
		case <-d.stop:
			return
		}
		if d.flush() != nil {
			nudge(d.changed) // in a second
		}
		if d.o.MinFree > 0 {
			d.askDisk()
		}
		d.logMu.Lock()
		garbage := d.log.garbage()
		d.logMu.Unlock()
		if garbage {
			if err := d.compact(); err != nil {
				d.o.Log.Warn("spool index not compacted", "error", err)
			}
		}
	}
}

// flush records what is new. After an error it is still to be recorded.
func (d *Dir) flush() error {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	return d.flushLocked()
}

// flushLocked is flush with logMu held.
func (d *Dir) flushLocked() error {
	d.mu.Lock()
	files, settings, works := d.dirty, d.settings, d.rangeWorks
	d.dirty, d.settings = nil, false
	d.mu.Unlock()
	d.newBytes.Store(0)
	if len(files) == 0 && !settings {
		return nil
	}
	var b []byte
	if settings {
		b = rangeSupportRecord(b, works)
	}
	type taken struct {
		fresh []ranges.Range
		meta  bool
	}
	took := make([]taken, len(files))
	for i, f := range files {
		f.mu.Lock()
		took[i] = taken{slices.Clone(f.fresh.Ranges()), f.dirty}
		if f.dirty {
			b = assetRecord(b, f.id, f.incarnation, &f.meta)
		}
		b = rangesRecords(b, kindClaim, f.id, f.incarnation, f.fresh.Ranges())
		f.fresh.Clear()
		f.dirty, f.queued = false, false
		f.mu.Unlock()
	}
	err := d.log.append(b)
	if err == nil {
		if d.unrecorded {
			d.o.Log.Info("spool index written again")
		}
		d.unrecorded = false
		return nil
	}
	if !d.unrecorded {
		d.o.Log.Warn("spool index not written: what is new may be forgotten", "error", err)
	}
	d.unrecorded = true
	for i, f := range files { // bytes cease to be present only under logMu
		f.mu.Lock()
		for _, r := range took[i].fresh {
			f.fresh.Add(r)
		}
		f.markLocked(took[i].meta)
		f.mu.Unlock()
	}
	d.mu.Lock()
	d.settings = d.settings || settings
	d.mu.Unlock()
	return err
}

// syncer makes claims last: of an asset that is whole or that nobody uses at
// once, of others each syncBytes or syncAfter. It ends with stop.
func (d *Dir) syncer() {
	timer := time.NewTimer(syncAfter)
	for {
		select {
		case <-d.due:
		case <-timer.C:
		case <-d.stop:
			return
		}
		if err := d.syncFiles(time.Now().Add(-syncAfter)); err != nil {
			d.o.Log.Warn("spool not synced", "error", err)
		}
		d.closeIdle()
		d.mu.Lock()
		pending := len(d.unsynced) > 0
		d.mu.Unlock()
		if pending {
			timer.Reset(syncAfter / 3)
		}
	}
}

// syncFiles makes the claims of files last that are due: whole, not in use,
// with much to sync, or with something not newer than old.
func (d *Dir) syncFiles(old time.Time) error {
	d.syncerMu.Lock()
	defer d.syncerMu.Unlock()
	d.mu.Lock()
	files := make([]*File, 0, len(d.unsynced))
	for f := range d.unsynced {
		files = append(files, f)
	}
	d.mu.Unlock()
	due := slices.DeleteFunc(files, func(f *File) bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.users > 0 && !f.wholeLocked() && f.unsynced.Len() < syncBytes && f.since.After(old)
	})
	synced, errs := d.syncEach(due)
	if len(synced) == 0 {
		return errors.Join(errs...)
	}
	if err := d.syncDirectory(); err != nil { // the files may be new
		errs = append(errs, err)
	}
	if err := d.claimForEver(synced); err != nil {
		errs = append(errs, err)
	}
	d.syncMu.Lock()
	defer d.syncMu.Unlock()
	return errors.Join(append(errs, d.log.sync())...)
}

// syncEach brings files to the disk, some at a time, since the disk writes its
// journal for several together. It returns those that it did.
func (d *Dir) syncEach(files []*File) (synced []*File, errs []error) {
	const atOnce = 8
	var wg sync.WaitGroup
	var mu sync.Mutex // guards next, synced and errs
	next := 0
	for range min(atOnce, len(files)) {
		wg.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for next < len(files) {
				f := files[next]
				next++
				mu.Unlock()
				err := d.syncFile(f)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					synced = append(synced, f)
				}
			}
		})
	}
	wg.Wait()
	return synced, errs
}

// syncFile brings what f has to sync to the disk. After success syncing is
// what can be claimed. A disk that can't write loses bytes that were pending:
// they are forgotten.
func (d *Dir) syncFile(f *File) error {
	f.mu.Lock()
	f.syncing, f.unsynced = f.unsynced, ranges.Set{}
	incarnation, empty := f.incarnation, f.syncing.Len() == 0
	f.mu.Unlock()
	if empty {
		d.synced(f)
		return nil
	}
	err := d.fault("sync", spoolName(f.id, incarnation))
	for err == nil {
		var fd *os.File
		if fd, err = f.descriptor(); err != nil {
			break
		}
		if err = datasync(fd); !errors.Is(err, os.ErrClosed) {
			break
		}
		err = nil
	}
	if err == nil {
		err = d.fault("synced", spoolName(f.id, incarnation))
	}
	if err == nil || errors.Is(err, ErrAbsent) {
		return nil
	}
	f.mu.Lock()
	lost := slices.Clone(f.syncing.Ranges())
	f.mu.Unlock()
	d.o.Log.Error("spool file not synced, what was written since is forgotten", "asset", f.id, "error", err)
	return errors.Join(err, d.withdraw(f, lost))
}

// claimForEver claims what was synced of files and is still present.
func (d *Dir) claimForEver(files []*File) error {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	_ = d.flushLocked() // it logs, and tries again
	var b []byte
	for _, f := range files {
		f.mu.Lock()
		if f.dirty { // the claim must find its asset
			b = assetRecord(b, f.id, f.incarnation, &f.meta)
		}
		b = rangesRecords(b, kindDurable, f.id, f.incarnation, f.syncing.Ranges())
		f.mu.Unlock()
	}
	err := d.log.append(b)
	for _, f := range files {
		f.mu.Lock()
		for _, r := range f.syncing.Ranges() {
			if err == nil {
				f.fresh.Remove(r)
			} else {
				f.unsynced.Add(r)
			}
		}
		f.syncing.Clear()
		f.mu.Unlock()
		d.synced(f)
	}
	return err
}

// synced forgets about f if nothing of it is left to sync.
func (d *Dir) synced(f *File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.since = time.Now()
	if f.unsynced.Len() > 0 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.unsynced, f)
}

// closeIdle closes descriptors of files that nobody uses.
func (d *Dir) closeIdle() {
	d.mu.Lock()
	files := make([]*File, 0, len(d.open))
	for f := range d.open {
		files = append(files, f)
	}
	d.mu.Unlock()
	for _, f := range files {
		f.mu.Lock()
		idle := f.idleLocked() && f.unsynced.Len() == 0
		f.mu.Unlock()
		if idle {
			f.closeDescriptor()
		}
	}
}
