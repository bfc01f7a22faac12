package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"strconv"
	"sync/atomic"

	"assetfs/fs/ranges"
)

// maxOpen bounds the descriptors of a Dir, far below the usual limit of 1024.
const maxOpen = 128

// A Blob is a sparse file of the spool. Its methods may be called concurrently.
// Reads and writes take no lock. A file that should be there and has gone is
// os.ErrNotExist.
type Blob struct {
	d      *Dir
	name   string
	exists atomic.Bool
	gone   atomic.Bool             // Remove was called
	fd     atomic.Pointer[os.File] // nil when not open
}

// BlobName is the name of the file for an ID and a number.
func BlobName(id string, number uint64) string {
	return escape(id, "") + "." + strconv.FormatUint(number, 10)
}

// Blob returns the file for an ID and a number. If there is none yet, which
// exists tells, the first write makes it.
func (d *Dir) Blob(id string, number uint64, exists bool) *Blob {
	b := &Blob{d: d, name: BlobName(id, number)}
	b.exists.Store(exists)
	return b
}

// ReadAt reads as io.ReaderAt does.
func (b *Blob) ReadAt(p []byte, off int64) (n int, err error) {
	if b.d.o.Dry {
		clear(p)
		return len(p), nil
	}
	err = b.with(func(f *os.File) (err error) {
		if err := b.d.fault("read", b.name); err != nil {
			return err
		}
		n, err = f.ReadAt(p, off)
		return err
	})
	return n, err
}

// WriteAt writes p. After an error any part of it may have been written.
func (b *Blob) WriteAt(p []byte, off int64) error {
	return b.with(func(f *os.File) error {
		if err := b.d.fault("write", b.name); err != nil {
			return err
		}
		if _, err := f.WriteAt(p, off); err != nil {
			return err
		}
		return b.d.fault("written", b.name)
	})
}

// Sync returns when what was written is on the disk.
func (b *Blob) Sync() error {
	if err := b.d.fault("sync", b.name); err != nil {
		return err
	}
	if err := b.with(datasync); err != nil {
		return err
	}
	return b.d.fault("synced", b.name)
}

// Punch makes holes of set, range after range, and calls done after each. It
// returns errors.ErrUnsupported where the file system has no holes.
func (b *Blob) Punch(set []ranges.Range, done func(ranges.Range)) error {
	for _, r := range set {
		err := b.with(func(f *os.File) error {
			if err := b.d.fault("punch", b.name); err != nil {
				return err
			}
			return punch(f, r.Start, r.Len())
		})
		if err != nil {
			return err
		}
		done(r)
	}
	return b.d.fault("punched", b.name)
}

// Holes returns the parts of set that are holes, and how long the file is.
func (b *Blob) Holes(set []ranges.Range) (holes ranges.Set, size int64, err error) {
	err = b.with(func(f *os.File) error {
		st, err := f.Stat()
		if err != nil {
			return err
		}
		size, holes = st.Size(), holesIn(f, set)
		return nil
	})
	return holes, size, err
}

// Remove closes the file and removes it, if there is one. What uses it then, or
// still does, may get os.ErrNotExist.
func (b *Blob) Remove() error {
	b.gone.Store(true)
	b.d.opening <- struct{}{} // who opens it now ends first, and nobody does later
	<-b.d.opening
	b.Close()
	if !b.exists.Load() {
		return nil
	}
	err := b.d.fault("unlink", b.name)
	if err == nil {
		err = b.d.root.Remove(b.name)
	}
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	return err
}

// Reader returns another descriptor of the file, for reading only. The caller
// closes it.
func (b *Blob) Reader() (*os.File, error) {
	return b.d.root.OpenFile(b.name, os.O_RDONLY|noFollow, 0)
}

// Open reports whether the file has a descriptor.
func (b *Blob) Open() bool { return b.fd.Load() != nil }

// Close closes the descriptor, if there is one. What reads or writes with it
// ends first; what comes later opens another.
func (b *Blob) Close() {
	f := b.fd.Swap(nil)
	if f == nil {
		return
	}
	b.d.mu.Lock()
	delete(b.d.open, b)
	b.d.mu.Unlock()
	if err := f.Close(); err != nil {
		b.d.o.Log.Warn("spool file not closed", "file", b.name, "error", err)
	}
}

// with calls do with the descriptor, which is opened if need be, and again if it
// was closed meanwhile, to make place for another.
func (b *Blob) with(do func(*os.File) error) error {
	if b.d.o.Dry {
		return nil
	}
	for {
		f := b.fd.Load()
		if f == nil {
			var err error
			if f, err = b.open(); err != nil {
				return err
			}
		}
		if err := do(f); !errors.Is(err, os.ErrClosed) {
			return err
		}
		if b.fd.CompareAndSwap(f, nil) {
			return ErrClosed // by no one else
		}
	}
}

// open opens the file, or makes it. One is opened at a time.
func (b *Blob) open() (*os.File, error) {
	b.d.opening <- struct{}{}
	defer func() { <-b.d.opening }()
	if f := b.fd.Load(); f != nil {
		return f, nil
	}
	f, err := b.openFile()
	if err != nil {
		return nil, err
	}
	b.exists.Store(true)
	b.fd.Store(f)
	var victim *Blob
	b.d.mu.Lock()
	if b.d.open == nil {
		b.d.mu.Unlock()
		b.Close()
		return nil, ErrClosed
	}
	b.d.open[b] = struct{}{}
	if len(b.d.open) > maxOpen {
		for o := range b.d.open {
			if o != b {
				victim = o
				break
			}
		}
	}
	b.d.mu.Unlock()
	if victim != nil {
		victim.Close()
	}
	return f, nil
}

func (b *Blob) openFile() (*os.File, error) {
	if b.gone.Load() {
		return nil, iofs.ErrNotExist
	}
	if !b.exists.Load() {
		if err := b.d.fault("create", b.name); err != nil {
			return nil, err
		}
		f, err := b.d.root.OpenFile(b.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, iofs.ErrExist) { // of a time that the journal has forgotten
			if err := b.d.root.Remove(b.name); err != nil {
				return nil, err
			}
			f, err = b.d.root.OpenFile(b.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		}
		if errors.Is(err, iofs.ErrNotExist) { // another blob would be no better
			return nil, fmt.Errorf("spool directory %s has been removed: unmount, and mount again", b.d.path)
		}
		return f, err
	}
	f, err := b.d.root.OpenFile(b.name, os.O_RDWR|noFollow|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(err, iofs.ErrNotExist, f.Close())
	}
	return f, nil
}
