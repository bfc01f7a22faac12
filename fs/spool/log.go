package spool

import (
	"errors"
	"fmt"
	"os"
	"slices"
)

const (
	indexName    = "index"
	newIndexName = "index.new"

	// headroom is taken ahead of the log's end, so that what must be noted can
	// be noted on a full disk.
	headroom = 64 << 10
	// compactAbove is a log's length below which garbage doesn't matter.
	compactAbove = 1 << 20
)

// indexLog is the index on disk. It is not safe for concurrent use: logMu
// guards all but sync, which syncMu guards.
type indexLog struct {
	d      *Dir
	f      *os.File
	size   int64  // good records end here
	taken  int64  // blocks are taken up to here
	base   int64  // size right after the last compaction
	first  []byte // has to be appended before anything else
	broken bool   // what is behind size could not be cut off
	copied bool   // a compaction is under way:
	tail   []byte // what was appended since it began
}

// append writes whole records behind the last good one. On an error nothing was
// appended.
func (l *indexLog) append(b []byte) error {
	if b = slices.Concat(l.first, b); len(b) == 0 {
		return nil
	}
	if err := l.d.fault("append", indexName); err != nil {
		return err
	}
	if l.broken {
		if err := l.f.Truncate(l.size); err != nil {
			return err
		}
		l.broken, l.taken = false, 0
	}
	if _, err := l.f.WriteAt(b, l.size); err != nil {
		l.broken = true
		return err
	}
	l.size += int64(len(b))
	l.first = nil
	if l.copied {
		l.tail = append(l.tail, b...)
	}
	if l.size > l.taken-headroom/4 {
		// Only a convenience for a full disk: not all file systems can.
		if preallocate(l.f, l.size, headroom) == nil {
			l.taken = l.size + headroom
		}
	}
	return l.d.fault("appended", indexName)
}

// sync returns when all that was appended is on the disk.
func (l *indexLog) sync() error {
	if err := l.d.fault("index-sync", indexName); err != nil {
		return err
	}
	if err := datasync(l.f); err != nil {
		return err
	}
	return l.d.fault("index-synced", indexName)
}

// garbage reports whether most of the log may be out of date.
func (l *indexLog) garbage() bool {
	return l.size > max(compactAbove, 4*l.base)
}

// compact replaces the log by a snapshot. Records may be appended meanwhile,
// but no bytes are punched out for which a record would have to be on the disk.
func (d *Dir) compact() error {
	d.syncMu.Lock()
	defer d.syncMu.Unlock()
	l := &d.log

	d.logMu.Lock()
	for call := range d.calls {
		d.recentLocked(call)
	}
	d.mu.Lock()
	now := d.contents
	now.order = slices.Clone(now.order)
	d.mu.Unlock()
	snapshot := now.snapshot(d.bootID)
	l.copied, l.tail = true, nil
	d.logMu.Unlock()

	f, err := d.writeNewIndex(snapshot)

	d.logMu.Lock()
	tail := l.tail
	l.copied, l.tail = false, nil
	if err == nil {
		_, err = f.WriteAt(tail, int64(len(snapshot)))
	}
	if err == nil {
		err = d.fault("rename", indexName)
	}
	if err == nil {
		err = d.root.Rename(newIndexName, indexName)
	}
	if err != nil {
		d.logMu.Unlock()
		if f != nil {
			err = errors.Join(err, f.Close(), d.root.Remove(newIndexName))
		}
		return fmt.Errorf("compact the index: %w", err)
	}
	old := l.f
	l.f, l.first, l.broken, l.taken = f, nil, false, 0
	l.size, l.base = int64(len(snapshot)+len(tail)), int64(len(snapshot))
	d.logMu.Unlock()

	err = errors.Join(d.fault("renamed", indexName), old.Close())
	if len(tail) > 0 {
		err = errors.Join(err, l.sync())
	}
	return errors.Join(err, d.syncDirectory())
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

// syncDirectory returns when the names in the directory are on the disk.
func (d *Dir) syncDirectory() error {
	if err := d.fault("directory-sync", "."); err != nil {
		return err
	}
	if err := d.self.Sync(); err != nil {
		return err
	}
	return d.fault("directory-synced", ".")
}
