package spool

import (
	"sync"

	"assetfs/fs/ranges"
)

// room counts the bytes that the spool takes. What a write needs is counted
// before it is written.
type room struct {
	size, minFree int64

	mu    sync.Mutex // a leaf
	used  int64      // blocks of assets
	free  int64      // estimate of what the disk has left
	since int64      // taken since the disk was asked
}

// askAgain is how much may be taken before the disk is asked for its free
// space: little against the 1 GiB that is left free by default, and much
// against what asking costs.
const askAgain = 16 << 20

func (r *room) held() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.used
}

// add counts n bytes, which may be negative.
func (r *room) add(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used += n
	r.free -= n
}

// take counts n bytes if there is room for them.
func (r *room) take(n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.shortageLocked(n) > 0 {
		return false
	}
	r.used += n
	r.free -= n
	r.since += n
	return true
}

func (r *room) shortage(n int64) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shortageLocked(n)
}

// shortageLocked is how many bytes must go before n more fit.
func (r *room) shortageLocked(n int64) int64 {
	var short int64
	if r.size > 0 {
		short = r.used + n - r.size
	}
	if r.minFree > 0 {
		short = max(short, r.minFree-(r.free-n))
	}
	return max(0, short)
}

// stale reports whether the disk should be asked again.
func (r *room) stale() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.minFree > 0 && r.since >= min(askAgain, max(1<<20, (r.free-r.minFree)/4))
}

func (r *room) setFree(free int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.free, r.since = free, 0
}

// askDisk asks the disk for its free space.
func (d *Dir) askDisk() {
	st, err := statfs(d.self)
	if err != nil {
		return // the estimate goes on
	}
	d.room.setFree(available(&st))
}

// reserve counts need bytes for a write of r to f, and makes room for them.
func (d *Dir) reserve(f *File, r ranges.Range, need int64) error {
	if d.room.stale() {
		d.askDisk()
	}
	for !d.room.take(need) {
		if err := d.makeRoom(need, f, r, nil); err != nil {
			return err
		}
	}
	return nil
}

// slack is what is freed at a time if there is a choice, so that room is not
// made anew for each write: a part of the whole, but no more than some seconds
// of a fast download.
func (d *Dir) slack(part int64) int64 {
	const most = 64 << 20
	if d.o.Size == 0 {
		return most
	}
	return min(most, d.o.Size/part)
}

// makeRoom lets bytes go until need more fit, or, when the disk said full with
// the error why, until that much went. Assets that nobody uses go first, the
// least recently used before others, then ranges behind the readers of others,
// then those ahead of all readers, but none that is nearer to them than r, which
// is to be written to f, is to those of f: two streams must not take turns in
// dropping what the other has just paid for. f does not go as a whole. If all
// that together is not enough nothing goes, and the error is a *NoSpaceError.
func (d *Dir) makeRoom(need int64, f *File, r ranges.Range, why error) error {
	d.roomMu.Lock()
	defer d.roomMu.Unlock()
	if d.o.MinFree > 0 {
		d.askDisk()
	}
	short := d.room.shortage(need)
	if why != nil {
		short = max(short, need, d.block)
	}
	if short == 0 {
		return nil // another write made it
	}
	far := int64(-1)
	if f != nil {
		f.mu.Lock()
		far = f.distanceLocked(r.End)
		f.mu.Unlock()
	}
	closed, behind, ahead := d.candidates(f, far)
	if closed.bytes+behind.bytes+ahead.bytes < short {
		return d.noSpace(need, f, why)
	}
	var freed int64
	goal := max(short, d.slack(64))
	for _, c := range closed.files {
		if freed >= goal {
			return nil
		}
		freed += d.evict(c)
	}
	goal = max(short, d.slack(8))
	for _, c := range behind.files {
		if freed >= short {
			return nil
		}
		freed += d.punchOut(c, goal-freed, c.behindLocked)
	}
	goal = max(short, d.slack(64))
	for _, c := range ahead.files {
		if freed >= short {
			return nil
		}
		freed += d.punchOut(c, goal-freed, func() []ranges.Range { return c.aheadLocked(far) })
	}
	if freed < short {
		// What was counted on came into use meanwhile, or can't be punched out.
		return d.noSpace(need, f, why)
	}
	return nil
}

func (d *Dir) noSpace(need int64, f *File, why error) error {
	e := &NoSpaceError{ID: "nothing", Need: need, Held: d.room.held(), Limit: d.o.Size, Err: why}
	for _, o := range d.allFiles() {
		o.mu.Lock()
		if o.pinned {
			e.Pinned += o.alloc.Len()
		}
		o.mu.Unlock()
	}
	if f != nil {
		e.ID = f.id
	}
	return e
}
