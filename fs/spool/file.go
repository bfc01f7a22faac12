package spool

import (
	"os"
	"sync"
	"time"

	"assetfs/fs/ranges"
)

// Meta is what is known of an asset. Times are kept to the microsecond.
type Meta struct {
	Name         string    // of its directory entry, given for ever; "" none yet
	Original     string    // name as the response gave it
	Size         int64     // bytes, -1 unknown
	Type         string    // media type, "" unknown
	ModTime      time.Time // zero unknown
	FirstSeen    time.Time // of this content
	LastUse      time.Time
	ETag         string // as sent
	LastModified string // as sent
	Learnt       string // what the reader of the bytes has learnt, in words of its own
	Version      uint64 // of the content; only Reset changes it
	Cost         int64  // bytes downloaded of it so far, over all partial downloads
	Resolved     bool   // a response has told of it
}

// A File is the spool's part of one asset. Its methods may be called
// concurrently. Those that don't say otherwise do no I/O and may be called
// under the caller's locks.
type File struct {
	d  *Dir
	id string

	openMu sync.Mutex // held while the spool file is opened

	mu          sync.Mutex // guards what follows; a leaf but for Dir.mu
	meta        Meta
	incarnation uint64         // of the spool file, part of its name
	present     ranges.Set     // bytes that can be read
	alloc       ranges.Set     // blocks taken
	fresh       ranges.Set     // present, not yet claimed
	unsynced    ranges.Set     // present, yet to be synced
	syncing     ranges.Set     // present, being synced
	epoch       uint64         // grows when present bytes cease to be
	users       int            // Acquires without Release
	span        ranges.Range   // of the readers, empty if unknown
	writing     []ranges.Range // writes under way
	punching    ranges.Range   // no write may start here now
	punched     chan struct{}  // closed when punching ends
	fd          *os.File       // nil when not open
	pinned      bool           // it stays whatever room is needed
	exists      bool           // there is a spool file of this incarnation
	verified    bool           // it has been looked at for holes
	recorded    bool           // the index knows of it, or will
	dirty       bool           // meta or incarnation have to be recorded
	queued      bool           // in Dir.dirty
	since       time.Time      // when unsynced ceased to be empty
}

// ID returns the ID of the asset.
func (f *File) ID() string { return f.id }

// Meta returns what is known of the asset.
func (f *File) Meta() Meta {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.meta
}

// Update lets change alter what is known. It is recorded within a second.
// change must not call methods of f, and can't alter Version. What no record can
// hold is not taken over.
func (f *File) Update(change func(*Meta)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.meta
	change(&m)
	if m.Version = f.meta.Version; !m.acceptable() {
		return
	}
	f.meta = m
	f.markLocked(true)
	if f.unsynced.Len() > 0 && f.wholeLocked() {
		nudge(f.d.due)
	}
}

// UpdateNow is Update for what must be in the index before it is relied on. It
// writes to the index; if that fails a log line says so, and it is tried again.
func (f *File) UpdateNow(change func(*Meta)) {
	f.Update(change)
	_ = f.d.flush() // it logs, and tries again
}

// markLocked has f recorded at the next flush; meta tells whether more than
// fresh ranges is new.
func (f *File) markLocked(meta bool) {
	f.dirty = f.dirty || meta || !f.recorded
	if f.queued {
		return
	}
	f.queued = true
	d := f.d
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dirty = append(d.dirty, f)
	if !f.recorded {
		f.recorded = true
		d.order = append(d.order, f)
	}
	nudge(d.changed)
}

// Gap returns the first run of absent bytes inside within, or an empty range at
// within.End.
func (f *File) Gap(within ranges.Range) ranges.Range {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.present.Gap(within)
}

// RunEnd returns the end of the run of present bytes at off, or off.
func (f *File) RunEnd(off int64) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.present.RunEnd(off)
}

// Within returns the runs of present bytes inside r.
func (f *File) Within(r ranges.Range) []ranges.Range {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.present.Within(r)
}

// Next returns the first run of present bytes that begins at or after off, with
// none an empty one at the largest offset.
func (f *File) Next(off int64) ranges.Range {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.present.Next(off)
}

// Len returns the number of present bytes.
func (f *File) Len() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.present.Len()
}

// Whole reports whether the size is known and all bytes are present.
func (f *File) Whole() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wholeLocked()
}

func (f *File) wholeLocked() bool {
	return f.meta.Size >= 0 && f.present.Contains(ranges.Range{End: f.meta.Size})
}

// Acquire notes that the asset is in use: it is not evicted as a whole until as
// many Releases.
func (f *File) Acquire() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
	f.usedLocked()
}

// Release ends what Acquire began. With the last one, what is not yet on disk
// is synced soon and the descriptor is closed.
func (f *File) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.users == 0 {
		panic("spool: Release without Acquire")
	}
	f.users--
	f.usedLocked()
	if f.users == 0 {
		f.span = ranges.Range{}
		if f.fd != nil || f.unsynced.Len() > 0 {
			nudge(f.d.due)
		}
	}
}

// usedLocked notes the time. Use alone makes no record of an asset of which
// nothing is known.
func (f *File) usedLocked() {
	f.meta.LastUse = time.Now()
	if f.recorded {
		f.markLocked(true)
	}
}

// SetSpan tells where the readers are: bytes below r lie behind all of them, and
// those above it ahead of all, so that they may go when room is needed and the
// asset is in use. An empty r at 0 is none.
func (f *File) SetSpan(r ranges.Range) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.span = r
}

// Reset forgets all bytes, since the content is another now: Version grows by
// one, size, validators and what was learnt are unknown, the name stays. The next bytes go into
// a new inode. It writes to the index and removes the file; after an error the
// bytes are forgotten all the same.
func (f *File) Reset() error {
	_, err := f.d.drop(f, func() bool { return true }, func(m *Meta) {
		m.Version++
		m.Size, m.FirstSeen = -1, seenNow()
		m.ETag, m.LastModified, m.Learnt = "", "", ""
	})
	return err
}

// removeLocked makes the bytes of r cease to be present. Reads of them that are
// under way will see that.
func (f *File) removeLocked(r ranges.Range) {
	f.epoch++
	for _, s := range []*ranges.Set{&f.present, &f.fresh, &f.unsynced, &f.syncing} {
		s.Remove(r)
	}
}

// dropLocked forgets all bytes and the spool file. It returns the room that
// they took.
func (f *File) dropLocked() int64 {
	freed := f.alloc.Len()
	for _, s := range []*ranges.Set{&f.present, &f.alloc, &f.fresh, &f.unsynced, &f.syncing} {
		s.Clear()
	}
	f.epoch++
	f.incarnation++
	f.fd, f.exists, f.verified = nil, false, false
	f.markLocked(true)
	return freed
}
