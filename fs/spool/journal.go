package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
)

const (
	indexName    = "index"
	newIndexName = "index.new"

	noFollow = syscall.O_NOFOLLOW
	nonBlock = syscall.O_NONBLOCK

	// headroom is taken ahead of the journal's end, so that what must be noted
	// can be noted on a full disk.
	headroom = 64 << 10
	// compactAbove is a length below which garbage doesn't matter.
	compactAbove = 1 << 20
)

// A Journal is a log of records. Its methods may be called concurrently.
type Journal struct {
	d *Dir

	mu    sync.Mutex // guards queue; a leaf
	queue []byte     // frames that are not written yet

	syncing chan struct{} // has an element during a sync; taken before turn

	// turn has an element while the file is worked on. Whoever put it there may
	// use what follows.
	turn    chan struct{}
	f       *os.File
	size    int64 // good records end here
	taken   int64 // blocks are taken up to here
	base    int64 // size right after the last compaction
	broken  bool  // what is behind size could not be cut off
	unsure  bool  // a sync failed: what it was for may be lost, and the next would not tell
	failing bool  // the last write failed, and a log line said so
}

// Queue adds frames to what is to be written. It does no I/O, and may be called
// under the caller's locks: the order of the calls is the order on the disk.
func (j *Journal) Queue(frames []byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queue = append(j.queue, frames...)
}

// Write returns when all that was queued before is in the file, so that the death
// of the process can't unmake it. After an error it stays queued, for the next
// Write.
func (j *Journal) Write() error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	return j.write()
}

// Sync is Write, and returns when it is on the disk. Other writes need not wait for
// that. Once one has failed all do, until a compaction has written everything anew.
func (j *Journal) Sync() error {
	j.syncing <- struct{}{} // an error of the disk is told to one of several at a time
	defer func() { <-j.syncing }()
	var f *os.File
	for {
		j.turn <- struct{}{}
		err := j.write()
		if err == nil && j.unsure {
			err = errUnsure
		}
		same := f == j.f
		f = j.f
		<-j.turn
		if err != nil {
			return err
		}
		if err = j.d.fault("index-sync", indexName); err == nil {
			err = datasync(f)
		}
		switch {
		case err == nil:
			return j.d.fault("index-synced", indexName)
		case !errors.Is(err, os.ErrClosed):
			j.turn <- struct{}{}
			j.unsure = j.unsure || f == j.f
			<-j.turn
			return err
		case same: // else a compaction has replaced it
			return err
		}
	}
}

// errUnsure means that records may have been lost on their way to the disk.
var errUnsure = errors.New("spool index not on the disk, after an error of it")

// write is Write by whoever has the turn.
func (j *Journal) write() error {
	j.mu.Lock()
	b := j.queue
	j.queue = nil
	j.mu.Unlock()
	if len(b) == 0 {
		return nil
	}
	err := j.append(b)
	if err != nil {
		j.mu.Lock()
		j.queue = slices.Concat(b, j.queue)
		j.mu.Unlock()
	}
	switch {
	case err != nil && !j.failing:
		j.d.o.Log.Warn("spool index not written: what is new may be forgotten", "error", err)
	case err == nil && j.failing:
		j.d.o.Log.Info("spool index written again")
	}
	j.failing = err != nil
	return err
}

// append writes frames behind the last good one. On an error nothing was
// appended.
func (j *Journal) append(b []byte) error {
	if err := j.d.fault("append", indexName); err != nil {
		return err
	}
	if j.broken {
		if err := j.f.Truncate(j.size); err != nil {
			return err
		}
		j.broken, j.taken = false, 0
	}
	if _, err := j.f.WriteAt(b, j.size); err != nil {
		j.broken = true
		return err
	}
	j.size += int64(len(b))
	if j.size > j.taken-headroom/4 {
		// Only a convenience for a full disk: not all file systems can.
		if preallocate(j.f, j.size, headroom) == nil {
			j.taken = j.size + headroom
		}
	}
	return j.d.fault("appended", indexName)
}

// Garbage reports whether the journal had better be compacted: most of it may be out
// of date, or not be on the disk.
func (j *Journal) Garbage() bool {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	return j.unsure || j.size > max(compactAbove, 4*j.base)
}

// Idle reports whether nothing was written since the last compaction.
func (j *Journal) Idle() bool {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	return j.size == j.base
}

// Compact replaces the journal by what snapshot appends: frames that tell the
// same. What is queued while it does so comes behind: snapshot must hold what was
// written before, and may hold what is queued meanwhile, which is then replayed
// again. Other writes wait.
func (j *Journal) Compact(snapshot func([]byte) []byte) error {
	j.turn <- struct{}{}
	defer func() { <-j.turn }()
	_ = j.write() // it logs; what could not be written comes behind the snapshot
	b := snapshot(header())
	f, err := j.d.writeNewIndex(b)
	if err == nil {
		err = j.d.fault("rename", indexName)
	}
	if err == nil {
		err = j.d.root.Rename(newIndexName, indexName)
	}
	if err != nil {
		if f != nil {
			err = errors.Join(err, f.Close(), j.d.root.Remove(newIndexName))
		}
		return fmt.Errorf("compact the index: %w", err)
	}
	old := j.f
	j.f, j.broken, j.taken = f, false, 0
	j.size, j.base = int64(len(b)), int64(len(b))
	err = errors.Join(j.d.fault("renamed", indexName), old.Close(), j.d.Sync())
	j.unsure = err != nil // the old one may be back after a power cut
	return err
}

// writeNewIndex writes b and returns when it is on the disk. The caller closes
// the file, if there is one.
func (d *Dir) writeNewIndex(b []byte) (*os.File, error) {
	if err := d.fault("compact", newIndexName); err != nil {
		return nil, err
	}
	f, err := d.root.OpenFile(newIndexName, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(b, 0); err != nil {
		return f, err
	}
	if err := datasync(f); err != nil {
		return f, err
	}
	return f, d.fault("compacted", newIndexName)
}
