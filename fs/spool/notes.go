package spool

import (
	"slices"
	"time"
)

// requestsKept is how long request times are remembered: longer than any
// request window.
const requestsKept = 2 * time.Minute

// NoteRequest records that a request is made at t. It is in the index when
// NoteRequest returns, so that the death of the process can't unmake it.
func (d *Dir) NoteRequest(t time.Time) error {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	if d.closing.Load() {
		return ErrClosed
	}
	d.requests = append(d.requests, t)
	return d.log.append(requestRecord(nil, t))
}

// Requests returns when the requests of the last two minutes were made.
func (d *Dir) Requests() []time.Time {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	return slices.Clone(d.requestsLocked())
}

// requestsLocked forgets what is too old. The caller holds logMu.
func (d *Dir) requestsLocked() []time.Time {
	oldest := time.Now().Add(-requestsKept)
	d.requests = slices.DeleteFunc(d.requests, func(t time.Time) bool { return t.Before(oldest) })
	return d.requests
}

// RangeSupport tells whether it is known if the server honours Range, and if it
// does.
func (d *Dir) RangeSupport() (known, supported bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rangeKnown, d.rangeWorks
}

// SetRangeSupport records whether the server honours Range.
func (d *Dir) SetRangeSupport(supported bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.rangeKnown && d.rangeWorks == supported {
		return
	}
	d.rangeKnown, d.rangeWorks, d.settings = true, supported, true
	nudge(d.changed)
}

// Usage is what a spool holds.
type Usage struct {
	Path    string
	Bytes   int64 // of assets, as the blocks that they take
	Limit   int64 // 0 none
	MinFree int64
	Free    int64 // what this user may still write to the disk
	Files   int   // assets of which bytes are present
	Whole   int   // assets of which all bytes are
}

// Usage returns what the spool holds now.
func (d *Dir) Usage() Usage {
	u := Usage{Path: d.path, Limit: d.o.Size, MinFree: d.o.MinFree}
	for _, f := range d.allFiles() {
		f.mu.Lock()
		if f.present.Len() > 0 {
			u.Files++
		}
		if f.wholeLocked() {
			u.Whole++
		}
		f.mu.Unlock()
	}
	if st, err := statfs(d.self); err == nil {
		u.Free = available(&st)
	}
	u.Bytes = d.room.held()
	return u
}

func (d *Dir) allFiles() []*File {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.order)
}
