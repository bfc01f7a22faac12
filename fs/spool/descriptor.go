package spool

import (
	"errors"
	iofs "io/fs"
	"os"
	"syscall"
)

// maxOpen bounds the descriptors of a Dir, far below the usual limit of 1024.
const maxOpen = 128

// descriptor returns the descriptor of the spool file, which is opened, or made,
// if need be. It may be closed at any time, when the caller tries again. The
// first time, holes in what is claimed are looked for and forgotten. It
// returns ErrAbsent if the file turned out to have gone.
func (f *File) descriptor() (*os.File, error) {
	f.openMu.Lock()
	defer f.openMu.Unlock()
	f.mu.Lock()
	fd, incarnation, exists, verified := f.fd, f.incarnation, f.exists, f.verified
	end := int64(0)
	if runs := f.present.Ranges(); len(runs) > 0 {
		end = runs[len(runs)-1].End
	}
	f.mu.Unlock()
	if fd != nil {
		return fd, nil
	}
	if f.d.closed.Load() {
		return nil, ErrClosed
	}
	fd, err := f.openSpoolFile(spoolName(f.id, incarnation), exists, end)
	if errors.Is(err, iofs.ErrNotExist) && exists {
		f.d.lose(f, incarnation, "gone or too short")
		return nil, ErrAbsent
	}
	if err != nil {
		return nil, err
	}
	if exists && !verified && f.d.holes {
		f.d.forgetHoles(f, fd)
	}
	f.mu.Lock()
	if f.incarnation != incarnation {
		f.mu.Unlock()
		return nil, errors.Join(ErrAbsent, fd.Close())
	}
	f.fd, f.exists, f.verified = fd, true, true
	f.mu.Unlock()
	f.d.opened(f)
	return fd, nil
}

// openSpoolFile opens a spool file that exists and is at least size bytes long,
// or makes it.
func (f *File) openSpoolFile(name string, exists bool, size int64) (*os.File, error) {
	if !exists {
		if err := f.d.fault("create", name); err != nil {
			return nil, err
		}
		fd, err := f.d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, iofs.ErrExist) { // of a time that the index has forgotten
			if err := f.d.root.Remove(name); err != nil {
				return nil, err
			}
			fd, err = f.d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		}
		return fd, err
	}
	fd, err := f.d.root.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := fd.Stat()
	if err == nil && (!st.Mode().IsRegular() || st.Size() < size) {
		err = iofs.ErrNotExist
	}
	if err != nil {
		return nil, errors.Join(err, fd.Close())
	}
	return fd, nil
}

// forgetHoles forgets claimed bytes of f that are holes in its spool file fd.
func (d *Dir) forgetHoles(f *File, fd *os.File) {
	f.mu.Lock()
	present := f.present.Clone()
	f.mu.Unlock()
	holes := holesIn(fd, present.Ranges())
	if holes.Len() == 0 {
		return
	}
	d.o.Log.Warn("holes where the spool should have bytes: forgotten", "asset", f.id, "bytes", holes.Len())
	if err := d.withdraw(f, holes.Ranges()); err != nil {
		d.o.Log.Warn("spool index not written", "error", err)
		f.mu.Lock()
		for _, r := range holes.Ranges() {
			f.removeLocked(r) // the next Open finds them again
		}
		f.mu.Unlock()
	}
	f.mu.Lock()
	before := f.alloc.Len()
	for _, r := range holes.Ranges() {
		f.alloc.Remove(d.inner(r))
	}
	freed := before - f.alloc.Len()
	f.mu.Unlock()
	d.room.add(-freed)
}

// opened notes that f has a descriptor, and closes another one if they are too
// many, rather one that is not in use.
func (d *Dir) opened(f *File) {
	var victim *File
	d.mu.Lock()
	if d.open == nil { // closed meanwhile
		victim = f
	} else {
		d.open[f] = struct{}{}
	}
	if len(d.open) > maxOpen {
		for o := range d.open {
			if o != f {
				victim = o
				break
			}
		}
	}
	d.mu.Unlock()
	if victim != nil {
		victim.closeDescriptor()
	}
}

// closeDescriptor closes the descriptor of f, if it has one. What reads or
// writes with it ends first; what comes later opens another.
func (f *File) closeDescriptor() {
	f.mu.Lock()
	fd := f.fd
	f.fd = nil
	f.mu.Unlock()
	f.d.closeFile(f, fd)
}

// closeFile closes fd, which was that of f.
func (d *Dir) closeFile(f *File, fd *os.File) {
	if fd == nil {
		return
	}
	d.mu.Lock()
	delete(d.open, f)
	d.mu.Unlock()
	if err := fd.Close(); err != nil {
		d.o.Log.Warn("spool file not closed", "asset", f.id, "error", err)
	}
}

// Backing returns a read-only descriptor of the spool file of a whole asset,
// for the kernel to read from, or ErrAbsent if it is not whole. The caller
// closes it, and must have acquired f.
func (f *File) Backing() (*os.File, error) {
	if _, err := f.descriptor(); err != nil { // holes are found by now
		return nil, err
	}
	f.mu.Lock()
	whole, incarnation := f.wholeLocked(), f.incarnation
	f.mu.Unlock()
	if !whole {
		return nil, ErrAbsent
	}
	fd, err := f.d.root.OpenFile(spoolName(f.id, incarnation), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, iofs.ErrNotExist) {
		f.d.lose(f, incarnation, "gone")
		return nil, ErrAbsent
	}
	return fd, err
}
