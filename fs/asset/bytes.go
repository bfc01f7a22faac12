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

// held is an asset's blob and what is known of its bytes. The asset's mu guards all of it.
type held struct {
	incarnation   uint64         // of the blob, part of its name
	blob          *spool.Blob    // nil until it is needed
	present       ranges.Set     // bytes that can be read
	bytes         int64          // of the disk that present takes, in blocks
	unsynced      ranges.Set     // present, yet to be synced: claimed for this boot
	unsyncedSince time.Time      // when unsynced ceased to be empty
	epoch         uint64         // grows when present bytes cease to be
	failedSyncs   uint64         // of the blob: what was being written then may be lost
	writing       []ranges.Range // writes under way
	punching      ranges.Range   // no write may start here until Store.making is free
	unchecked     bool           // the blob may have holes where bytes are claimed
	recorded      bool           // the journal knows of the asset, or will
	queued        bool           // in Store.dirty, to be recorded
}

// full reports whether err says that the disk, or this user's quota on it, is full.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// gone reports whether err says that a blob is missing.
func gone(err error) bool { return errors.Is(err, iofs.ErrNotExist) }

// size returns how many bytes the blocks of runs take. runs are in order, and two may share a
// block.
func (s *Store) size(runs []ranges.Range) (n int64) {
	end := int64(0)
	for _, r := range runs {
		r = r.Outer(s.block)
		r.Start = max(r.Start, end)
		n += r.Len()
		end = r.End
	}
	return n
}

// blobLocked returns the blob of the present incarnation.
func (a *Asset) blobLocked() *spool.Blob {
	if a.blob == nil {
		a.blob = a.store.dir.Blob(a.id, a.incarnation, a.bytes > 0)
	}
	return a.blob
}

// usersLocked returns how many have the asset open.
func (a *Asset) usersLocked() int {
	if a.engine == nil {
		return 0
	}
	return len(a.readers)
}

// idleLocked reports whether nobody uses the asset's bytes.
func (a *Asset) idleLocked() bool { return a.usersLocked() == 0 && len(a.writing) == 0 }

// Runs returns the runs of present bytes.
func (a *Asset) Runs() []ranges.Range {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.present.Ranges())
}

// readAt fills p with the bytes at off. It returns ErrAbsent if one of them is absent, or was
// removed during the read. With an error, the contents of p mean nothing.
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

// readLocked reads present bytes, and releases the lock meanwhile. It returns again if bytes were
// removed meanwhile. They are always marked absent first, so if none were, p is right.
func (a *Asset) readLocked(p []byte, off int64) (n int, again bool, err error) {
	blob, epoch, incarnation := a.blobLocked(), a.epoch, a.incarnation
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
		a.lose(incarnation)
		a.mu.Lock()
		return 0, true, nil
	case errors.Is(err, syscall.EIO): // the place is bad: it is worth another download, if there is a network
		a.mu.Unlock()
		bad := ranges.Range{Start: off, End: off + int64(len(p))}
		werr := a.forget([]ranges.Range{bad.Outer(a.store.block)}, incarnation)
		if werr == nil {
			a.store.o.Log.Warn("can't read spooled bytes: they are forgotten", "asset", a.id, "offset", off, "error", err)
		}
		a.mu.Lock()
		if werr != nil {
			return 0, false, err
		}
		return 0, true, nil
	case err != nil:
		return 0, false, err
	}
	return n, false, nil
}

// check looks for holes where bytes are claimed, in a blob that has not been opened before, and
// forgets those bytes.
func (a *Asset) check() error {
	a.mu.Lock()
	blob, incarnation, want := a.blobLocked(), a.incarnation, a.info.Size
	runs := slices.Clone(a.present.Ranges())
	a.mu.Unlock()
	holes, size, err := blob.Holes(runs)
	switch {
	case gone(err), err == nil && len(runs) > 0 && (size < runs[len(runs)-1].End || want >= 0 && size > max(want, runs[len(runs)-1].End)):
		a.lose(incarnation)
		return nil
	case err != nil:
		return err
	case holes.Len() > 0:
		if err := a.forget(holes.Ranges(), incarnation); err != nil {
			return err // the next one finds them again
		}
		a.store.o.Log.Warn("the spool has holes where bytes should be: these bytes are forgotten", "asset", a.id, "bytes", holes.Len())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.unchecked = false
	return nil
}

// forget makes bytes of an incarnation absent that its blob does not have.
func (a *Asset) forget(set []ranges.Range, incarnation uint64) error {
	if err := a.store.journal.Write(); err != nil { // as in flush
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.incarnation != incarnation {
		return nil
	}
	err := a.withdrawLocked(set)
	a.recountLocked()
	a.missedLocked()
	return err
}

// Backing returns a read-only descriptor of a whole asset's blob, from which the kernel reads, or
// ErrAbsent if the asset is not whole. The caller must close it, and must have the asset open
// until then.
func (a *Asset) Backing() (*os.File, error) {
	for {
		a.mu.Lock()
		whole, unchecked, blob, incarnation := a.wholeLocked(), a.unchecked, a.blobLocked(), a.incarnation
		size := a.info.Size
		if whole {
			a.given++
		}
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
			if serr == nil && st.Size() == size {
				return f, nil
			}
			err = errors.Join(serr, f.Close(), iofs.ErrNotExist)
		}
		if !gone(err) {
			return nil, err
		}
		a.lose(incarnation)
	}
}
