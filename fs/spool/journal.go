package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
)

const (
	// headroom is reserved after the journal's end, so that what must be recorded can be, even on a
	// full disk.
	headroom = 64 << 10
	// compactAbove is a length below which garbage doesn't matter.
	compactAbove = 1 << 20
)

// A Journal is a log of records. Its methods may be called concurrently.
type Journal struct {
	d *Dir

	mu    sync.Mutex // guards queue; a leaf
	queue []byte     // frames that are not written yet

	// syncing is held during a sync or a compaction, turn while the file is written. syncing is taken
	// first. f is replaced only with both held.
	syncing, turn chan struct{}
	f             *os.File

	unsure atomic.Bool // a sync failed: what it was for may be lost, and the next would not tell

	// turn guards what follows.
	size    int64 // good records end here
	taken   int64 // blocks are taken up to here
	base    int64 // size right after the last compaction
	failing bool  // the last write failed, and a log line said so
	closed  bool  // with the directory
}

// Replay calls apply with each record; a record is valid until apply returns. Then it makes the journal
// ready for new records: everything from the first damaged record on is cut off. It returns false if
// something was damaged. If a newer assetfs wrote the journal it returns an error that says so, and
// changes nothing. Call it once.
func (j *Journal) Replay(apply func(payload []byte)) (whole bool, err error) {
	good, err := replay(j.f, j.d.Path(), apply)
	if err != nil && !errors.Is(err, errDamaged) {
		return false, err
	}
	if whole = err == nil; !whole {
		j.d.o.Log.Warn("spool index damaged: what follows is forgotten", "dir", j.d.Path(), "good", good)
		if _, err := j.f.WriteAt(header(), 0); err != nil {
			return false, err
		}
	}
	j.size = good
	if whole { // truncated it would only lose its headroom
		j.base = good
	} else if err := j.f.Truncate(good); err != nil { // a power cut may bring it back, so the next compaction is not idle
		return false, err
	}
	j.reserve()
	return whole, nil
}

// reserve takes headroom if much of it was used. This only helps on a full disk; not all file systems can
// do it.
func (j *Journal) reserve() {
	if j.size > j.taken-headroom/4 && preallocate(j.f, j.size, headroom) == nil {
		j.taken = j.size + headroom
	}
}

// Queue adds frames to what will be written. It does no I/O, and may be called with locks held: they
// are written in the order of the calls.
func (j *Journal) Queue(frames []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queue = append(j.queue, frames...)
}

// Write returns when everything queued before is in the file, so that it outlives the process. After an
// error it stays queued for the next Write.
func (j *Journal) Write() error {
	defer hold(j.turn)()
	return j.write()
}

// Sync is like Write, but returns when it is on the disk. Writes meanwhile don't wait for that. After a
// failed sync all later ones fail, and after the file's name has gone, until a compaction has written
// everything again.
func (j *Journal) Sync() error {
	defer hold(j.syncing)() // an error of the disk is told to one of several at a time
	if err := j.Write(); err != nil {
		return err
	}
	if j.unsure.Load() || !j.named(j.f) { // records may have been lost on their way
		return errors.New("spool index not on the disk, after an error of it, or since it was removed")
	}
	err := j.d.step("index-sync", "index-synced", indexName, j.f.Sync)
	if err == nil && !j.d.synced.Load() {
		err = j.d.Sync() // the index may be new
	}
	j.unsure.Store(err != nil)
	return err
}

// write is Write; the caller holds turn.
func (j *Journal) write() error {
	if j.closed {
		return ErrClosed
	}
	j.mu.Lock()
	b := j.queue
	j.mu.Unlock()
	if len(b) == 0 {
		return nil
	}
	err := j.d.step("append", "appended", indexName, func() error { return j.append(b) })
	if err == nil {
		j.mu.Lock()
		j.queue = bytes.Clone(j.queue[len(b):])
		j.mu.Unlock()
	}
	switch {
	case err != nil && !j.failing:
		j.d.o.Log.Warn("spool index not written: the latest changes may be lost", "error", err)
	case err == nil && j.failing:
		j.d.o.Log.Info("spool index written again")
	}
	j.failing = err != nil
	return err
}

// append writes frames behind the last good one, or behind a header. After an error
// some may be there: the next call begins with the same, and writes over them.
func (j *Journal) append(b []byte) error {
	if j.size == 0 {
		b = append(header(), b...)
	}
	if _, err := j.f.WriteAt(b, j.size); err != nil {
		return err
	}
	j.size += int64(len(b))
	j.reserve()
	return nil
}

// Garbage reports whether the journal should be compacted: most of it may be out of date, or it may not
// be on the disk.
func (j *Journal) Garbage() bool {
	defer hold(j.turn)()
	return j.unsure.Load() || j.size > max(compactAbove, 4*j.base) || !j.named(j.f)
}

// Compact replaces the journal by what snapshot appends, which must be frames with the same meaning, if
// anything was written since the last compaction. What is queued after the call begins is kept behind
// them: snapshot must include what was written before, and may include what is queued meanwhile, which
// is then replayed twice. Writes don't wait for the disk during this, syncs do.
func (j *Journal) Compact(snapshot func([]byte) []byte) error {
	defer hold(j.syncing)()
	cut, idle := j.cut()
	if idle && !j.unsure.Load() {
		return nil
	}
	b := snapshot(header())
	_ = j.d.root.Remove(newIndexName) // whatever it is
	f, err := j.d.root.OpenFile(newIndexName, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("compact the index: %w", err)
	}
	writeInPlace(f)
	err = j.d.step("compact", "compacted", newIndexName, func() error {
		if _, err := f.WriteAt(b, 0); err != nil {
			return err
		}
		return f.Sync()
	})
	if err == nil {
		err = j.replace(f, int64(len(b)), cut)
	}
	if err != nil {
		return fmt.Errorf("compact the index: %w", errors.Join(err, f.Close(), j.d.root.Remove(newIndexName)))
	}
	err = j.d.Sync()
	j.unsure.Store(err != nil) // the old one may be back after a power cut
	return err
}

// named reports whether f is what has the journal's name.
func (j *Journal) named(f *os.File) bool {
	there, _ := j.d.root.Lstat(indexName)
	fi, _ := f.Stat()
	return os.SameFile(there, fi) // not if one is nil, after an error
}

// cut writes what is queued. It returns where that ends, and whether nothing was added since the last
// compaction.
func (j *Journal) cut() (end int64, idle bool) {
	defer hold(j.turn)()
	err := j.write() // it logs; what could not be written comes behind the cut
	return j.size, err == nil && j.size == j.base && j.named(j.f)
}

// replace makes f, which holds n bytes, the journal's file, and adds what was written after cut. No sync
// has promised yet that this is on the disk.
func (j *Journal) replace(f *os.File, n, cut int64) error {
	defer hold(j.turn)()
	behind, err := io.Copy(io.NewOffsetWriter(f, n), io.NewSectionReader(j.f, cut, j.size-cut))
	if err != nil {
		return err
	}
	err = j.d.step("rename", "renamed", indexName, func() error { return j.d.root.Rename(newIndexName, indexName) })
	if err != nil && !j.named(f) { // on NFS it may have been done all the same
		return err
	}
	_ = j.f.Close() // it has no name any more
	j.f, j.size, j.base, j.taken = f, n+behind, n, 0
	j.reserve()
	return nil
}
