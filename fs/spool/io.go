package spool

import (
	"errors"
	"io"
	"os"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// ReadAt fills p with the bytes at off. It returns ErrAbsent if one of them is
// not present or ceased to be while it was read, and then or after another
// error 0: nothing of p counts. It does I/O and holds no lock meanwhile.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	r := ranges.Range{Start: off, End: off + int64(len(p))}
	for {
		f.mu.Lock()
		present, epoch, incarnation, fd := f.present.Contains(r), f.epoch, f.incarnation, f.fd
		f.mu.Unlock()
		switch {
		case r.Empty():
			return 0, nil
		case off < 0 || !present:
			return 0, ErrAbsent
		case fd == nil:
			if _, err := f.descriptor(); err != nil {
				return 0, err
			}
			continue
		}
		if err := f.d.fault("read", f.id); err != nil {
			return 0, err
		}
		n, err := fd.ReadAt(p, off)
		if errors.Is(err, os.ErrClosed) {
			continue // the descriptor was taken for another file
		}
		// Room may have been made in between. Bytes cease to be present before
		// they go, so if none did until now p is right.
		f.mu.Lock()
		same := f.epoch == epoch
		f.mu.Unlock()
		switch {
		case !same:
			continue
		case errors.Is(err, io.EOF):
			f.d.lose(f, incarnation, "too short")
			return 0, ErrAbsent
		case err != nil:
			return 0, err
		}
		return n, nil
	}
}

// WriteAt stores p, which is of the current content, at off, and then marks it
// present. It makes room if need be. On an error nothing of p is claimed:
// *NoSpaceError if there was no room, ErrReset if the content was reset
// meanwhile. Writes may run concurrently. It does I/O.
func (f *File) WriteAt(p []byte, off int64) error {
	r := ranges.Range{Start: off, End: off + int64(len(p))}
	if r.Empty() {
		return nil
	}
	if off < 0 || r.End > maxOffset {
		return &os.PathError{Op: "write", Path: f.id, Err: os.ErrInvalid}
	}
	version := f.Meta().Version
	for {
		need := f.growth(r)
		if err := f.d.reserve(f, r, need); err != nil {
			return err
		}
		w, err := f.begin(r, version, need)
		if err != nil {
			f.d.room.add(-need)
		} else {
			var grown int64
			grown, err = f.write(w, p, off)
			f.d.room.add(grown - need)
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, errAgain):
			continue
		case !full(err):
			return err
		}
		if err := f.d.makeRoom(need, f, r, err); err != nil {
			return err
		}
	}
}

// errAgain means that what a write was based on has gone, but not the content.
var errAgain = errors.New("again")

// growth returns what a write of r takes at most.
func (f *File) growth(r ranges.Range) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.growthLocked(r)
}

func (f *File) growthLocked(r ranges.Range) int64 {
	blocks := f.d.blocks(r)
	n := blocks.Len()
	for _, have := range f.alloc.Within(blocks) {
		n -= have.Len()
	}
	return n
}

// write is a write under way.
type write struct {
	fd          *os.File
	incarnation uint64
	r           ranges.Range
}

// begin registers a write, so that room is not made where it writes. If it
// takes more than reserved by now, the error is errAgain.
func (f *File) begin(r ranges.Range, version uint64, reserved int64) (write, error) {
	for {
		if f.d.closing.Load() {
			return write{}, ErrClosed
		}
		f.mu.Lock()
		switch {
		case f.meta.Version != version:
			f.mu.Unlock()
			return write{}, ErrReset
		case !f.punching.Intersect(r).Empty():
			punched := f.punched
			f.mu.Unlock()
			<-punched
		case f.fd == nil:
			f.mu.Unlock()
			if _, err := f.descriptor(); err != nil && !errors.Is(err, ErrAbsent) {
				return write{}, err
			}
		case f.growthLocked(r) > reserved:
			f.mu.Unlock()
			return write{}, errAgain
		default:
			f.writing = append(f.writing, r)
			w := write{f.fd, f.incarnation, r}
			f.mu.Unlock()
			return w, nil
		}
	}
}

// write does what begin registered. It returns how many bytes more of the
// spool are taken.
func (f *File) write(w write, p []byte, off int64) (grown int64, err error) {
	name := spoolName(f.id, w.incarnation)
	if err = f.d.fault("write", name); err == nil {
		_, err = w.fd.WriteAt(p, off)
	}
	if err == nil {
		err = f.d.fault("written", name)
	}
	if full(err) {
		f.tidy(w)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writing = slices.Delete(f.writing, slices.Index(f.writing, w.r), slices.Index(f.writing, w.r)+1)
	switch {
	case f.incarnation != w.incarnation, errors.Is(err, os.ErrClosed):
		return 0, errAgain // begin finds out whether the content is the same
	case err != nil:
		return 0, err
	}
	before := f.alloc.Len()
	f.alloc.Add(f.d.blocks(w.r))
	f.present.Add(w.r)
	f.fresh.Add(w.r)
	if f.unsynced.Len() == 0 {
		f.since = time.Now()
		f.d.mu.Lock()
		if f.d.unsynced != nil {
			f.d.unsynced[f] = struct{}{}
		}
		f.d.mu.Unlock()
		nudge(f.d.due)
	}
	f.unsynced.Add(w.r)
	if f.wholeLocked() || f.unsynced.Len() >= syncBytes {
		nudge(f.d.due)
	}
	f.markLocked(false)
	if f.d.newBytes.Add(int64(len(p))) >= flushBytes {
		nudge(f.d.much)
	}
	return f.alloc.Len() - before, nil
}

// tidy gives back the blocks that the failed write w took: those in which no
// byte is present or being written by another.
func (f *File) tidy(w write) {
	if f.d.noPunch.Load() {
		return
	}
	f.d.roomMu.Lock()
	defer f.d.roomMu.Unlock()
	f.mu.Lock()
	var mine ranges.Set
	mine.Add(f.d.inner(w.r))
	for _, r := range f.alloc.Within(w.r) {
		mine.Remove(r)
	}
	me := slices.Index(f.writing, w.r)
	for i, r := range f.writing {
		if i != me {
			mine.Remove(f.d.blocks(r))
		}
	}
	f.holdOffLocked(w.r)
	f.mu.Unlock()
	for _, r := range mine.Ranges() {
		if punch(w.fd, r.Start, r.Len()) != nil {
			break // the next write there takes them
		}
	}
	f.mu.Lock()
	f.letInLocked()
	f.mu.Unlock()
}
