package spool

import (
	"slices"
	"time"
)

// Download names the call that is billed, among those of which NoteCall keeps
// the times.
const Download = "download"

// callsKept is how long the times of calls are remembered: longer than any rate
// limit counts. callsMost bounds how many are, to what a rate limit may be.
const (
	callsKept = time.Hour + time.Minute
	callsMost = 10_000
)

// NoteCall records that the API is called at t. It is in the index when NoteCall
// returns, so that the death of the process can't unmake it.
func (d *Dir) NoteCall(call string, t time.Time) error {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	if d.closing.Load() {
		return ErrClosed
	}
	d.calls[call] = append(d.calls[call], t)
	if len(d.calls[call]) > 2*callsMost {
		d.recentLocked(call)
	}
	return d.log.append(callRecord(nil, call, t))
}

// Calls returns when a call was made in the last hour, the last ten thousand
// times at most.
func (d *Dir) Calls(call string) []time.Time {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	d.recentLocked(call)
	return slices.Clone(d.calls[call])
}

// recentLocked forgets times that are too old. The caller holds logMu.
func (d *Dir) recentLocked(call string) {
	oldest := time.Now().Add(-callsKept)
	recent := slices.DeleteFunc(d.calls[call], func(t time.Time) bool { return t.Before(oldest) })
	d.calls[call] = slices.Delete(recent, 0, max(0, len(recent)-callsMost))
}

// Note returns what was noted under a name, "" if nothing was.
func (d *Dir) Note(name string) string {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	return d.notes[name]
}

// SetNote records a short text that outlives the process, under a name. It is
// for what belongs to the spool and to none of its assets.
func (d *Dir) SetNote(name, value string) error {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	if d.closing.Load() {
		return ErrClosed
	}
	if d.notes[name] == value {
		return nil
	}
	d.notes[name] = value
	return d.log.append(noteRecord(nil, name, value))
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
