package spool

import (
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"

	"assetfs/fs/ranges"
)

// maxOpen limits the open descriptors of a Dir, far below the usual limit of 1024.
const maxOpen = 128

// A Blob is a sparse file in the spool. Its methods may be called concurrently; reads and writes
// take no lock. If a file that should exist is gone, the error is os.ErrNotExist.
type Blob struct {
	d      *Dir
	name   string
	exists bool
	gone   bool                    // Remove was called
	failed error                   // of a close, for the next Sync: on NFS it may be a write's
	wrote  atomic.Bool             // since the last Sync
	fd     atomic.Pointer[os.File] // nil when not open
}

// BlobName returns the name of the file for an ID and a number.
func BlobName(id string, number uint64) string {
	return escape(id, "") + "." + strconv.FormatUint(number, 10)
}

// Blob returns the file for an ID and a number. If exists is false, the first write creates it.
func (d *Dir) Blob(id string, number uint64, exists bool) *Blob {
	return &Blob{d: d, name: BlobName(id, number), exists: exists}
}

// ReadAt reads as io.ReaderAt does.
func (b *Blob) ReadAt(p []byte, off int64) (n int, err error) {
	if b.d.o.Dry {
		clear(p)
		return len(p), nil
	}
	err = b.with("read", "", func(f *os.File) (err error) {
		n, err = f.ReadAt(p, off)
		return err
	})
	return n, err
}

// WriteAt writes as io.WriterAt does. After an error any part of p may have been written; if the disk is
// full, it is the first n bytes.
func (b *Blob) WriteAt(p []byte, off int64) (n int, err error) {
	if b.d.o.Dry {
		return len(p), nil
	}
	b.wrote.Store(true)
	err = b.with("write", "written", func(f *os.File) error {
		return control(f, func(fd int) error { // File.WriteAt does not say how much it wrote before an error
			for n < len(p) {
				m, err := unix.Pwrite(fd, p[n:], off+int64(n))
				if err != nil {
					return os.NewSyscallError("pwrite", err)
				}
				n += m
			}
			return nil
		})
	})
	return n, err
}

// Sync returns when everything written is on the disk.
func (b *Blob) Sync() error {
	b.wrote.Store(false)
	err := b.with("sync", "synced", (*os.File).Sync)
	defer hold(b.d.opening)()
	err, b.failed = errors.Join(err, b.failed), nil
	return err
}

// Punch makes a hole of r. It returns errors.ErrUnsupported if the file system has no holes.
func (b *Blob) Punch(r ranges.Range) error {
	return b.with("punch", "punched", func(f *os.File) error { return punch(f, r.Start, r.Len()) })
}

// Holes returns the parts of set that are holes or beyond the end, and the length of the file. If the
// file system can't tell, there are none.
func (b *Blob) Holes(set []ranges.Range) (holes ranges.Set, size int64, err error) {
	err = b.with("", "", func(f *os.File) error {
		holes = ranges.Of(set...)
		data, err := f.Seek(0, unix.SEEK_DATA)
		for end := int64(0); err == nil; data, err = f.Seek(end, unix.SEEK_DATA) {
			if end, err = f.Seek(data, unix.SEEK_HOLE); err != nil {
				break
			}
			holes.Remove(ranges.Range{Start: data, End: end})
		}
		if !errors.Is(err, unix.ENXIO) { // which says that no data follow
			holes.Clear()
		}
		size, err = f.Seek(0, io.SeekEnd)
		return err
	})
	return holes, size, err
}

// Remove closes the file and removes it, if there is one. Uses of it at that time, or later, may get
// os.ErrNotExist.
func (b *Blob) Remove() error {
	release := hold(b.d.opening) // who opens it now ends first, and nobody does later
	b.gone = true
	b.close()
	release()
	err := b.d.step("unlink", "", b.name, func() error { return b.d.root.Remove(b.name) })
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	return err
}

// Reader returns another descriptor of the file, for reading only. The caller must close it.
func (b *Blob) Reader() (*os.File, error) {
	return openRegular(b.d.root, b.name, os.O_RDONLY)
}

// Open reports whether the file has a descriptor.
func (b *Blob) Open() bool { return b.fd.Load() != nil }

// Close closes the descriptor, if there is one, after running reads and writes. Later ones open
// another.
func (b *Blob) Close() {
	defer hold(b.d.opening)()
	b.close()
}

func (b *Blob) close() {
	f := b.fd.Swap(nil)
	if f == nil {
		return
	}
	delete(b.d.open, b)
	if err := errors.Join(f.Close(), b.d.fault("close", b.name)); err != nil {
		if b.wrote.Load() {
			b.failed = err
		}
		b.d.o.Log.Warn("spool file not closed", "file", b.name, "error", err)
	}
}

// with calls do with the descriptor, between two fault points. It opens the file if necessary, and
// again if it was closed meanwhile so that another one could be opened.
func (b *Blob) with(before, after string, do func(*os.File) error) error {
	if b.d.o.Dry {
		return nil
	}
	for again := false; ; {
		f, err := b.open()
		if err != nil {
			return err
		}
		err = b.d.step(before, after, b.name, func() error { return do(f) })
		switch {
		case errors.Is(err, os.ErrClosed):
		case errors.Is(err, syscall.ESTALE) && !again: // on NFS; there may be a new one of that name
			b.Close()
			again = true
		case errors.Is(err, syscall.EBADF): // it could only be opened for reading; later that may have changed
			b.Close()
			return &iofs.PathError{Op: before, Path: b.name, Err: syscall.EROFS}
		default:
			return err
		}
	}
}

// open returns the descriptor. If there is none it opens the file, or creates it.
func (b *Blob) open() (*os.File, error) {
	if f := b.fd.Load(); f != nil {
		return f, nil
	}
	defer hold(b.d.opening)()
	if f := b.fd.Load(); f != nil {
		return f, nil
	}
	if b.d.open == nil {
		return nil, ErrClosed
	}
	f, err := b.openFile()
	if err != nil {
		return nil, err
	}
	if len(b.d.open) >= maxOpen {
		var least *Blob
		for least = range b.d.open {
			if !least.wrote.Load() { // else an error of the disk might be forgotten with the file's cache
				break
			}
		}
		least.close()
	}
	b.d.open[b], b.exists = struct{}{}, true
	b.fd.Store(f)
	return f, nil
}

func (b *Blob) openFile() (*os.File, error) {
	if b.gone {
		return nil, iofs.ErrNotExist
	}
	if b.exists {
		f, err := openRegular(b.d.root, b.name, os.O_RDWR)
		if errors.Is(err, syscall.EROFS) || errors.Is(err, iofs.ErrPermission) {
			f, err = openRegular(b.d.root, b.name, os.O_RDONLY) // what is there can be read
		}
		return f, err
	}
	if err := b.d.fault("create", b.name); err != nil {
		return nil, err
	}
	f, err := b.d.root.OpenFile(b.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, iofs.ErrExist) { // it is older than what the journal knows
		if err := b.d.root.Remove(b.name); err != nil {
			return nil, err
		}
		f, err = b.d.root.OpenFile(b.name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if errors.Is(err, iofs.ErrNotExist) { // another blob would be no better
		return nil, fmt.Errorf("spool directory %s has been removed: unmount, and mount again", b.d.Path())
	}
	return f, err
}
