package spool

import (
	"cmp"
	"errors"
	iofs "io/fs"
	"os"
	"slices"

	"assetfs/fs/ranges"
)

// candidates are files that can give room.
type candidates struct {
	files []*File
	bytes int64 // that they can give together
}

// candidates returns what can go: closed as whole assets, the least recently
// used first, behind and ahead in part, those that can give most behind and
// furthest ahead first. f is in use although nobody may have acquired it; ahead
// go only bytes further from their readers than far, none if that is negative.
func (d *Dir) candidates(f *File, far int64) (closed, behind, ahead candidates) {
	type candidate struct {
		f   *File
		key int64
	}
	var c, b, a []candidate
	for _, o := range d.allFiles() {
		o.mu.Lock()
		if o.alloc.Len() > 0 && !o.pinned {
			if o != f && o.idleLocked() {
				c = append(c, candidate{o, o.meta.LastUse.UnixMicro()})
				closed.bytes += o.alloc.Len()
			} else if !d.noPunch.Load() {
				if n := total(o.behindLocked()); n > 0 {
					b = append(b, candidate{o, -n})
					behind.bytes += n
				}
				if rs := o.aheadLocked(far); len(rs) > 0 {
					a = append(a, candidate{o, o.span.End - rs[0].End})
					ahead.bytes += total(rs)
				}
			}
		}
		o.mu.Unlock()
	}
	sorted := func(c []candidate) (files []*File) {
		slices.SortStableFunc(c, func(a, b candidate) int { return int(min(1, max(-1, a.key-b.key))) })
		for _, x := range c {
			files = append(files, x.f)
		}
		return files
	}
	closed.files, behind.files, ahead.files = sorted(c), sorted(b), sorted(a)
	return closed, behind, ahead
}

// idleLocked reports whether nobody uses f.
func (f *File) idleLocked() bool { return f.users == 0 && len(f.writing) == 0 }

// behindLocked returns what lies behind all readers and can go.
func (f *File) behindLocked() []ranges.Range {
	return f.spareLocked(ranges.Range{End: f.span.Start})
}

// aheadLocked returns those that lie more than far ahead of all readers, the
// furthest first: it is longest until somebody may come there.
func (f *File) aheadLocked(far int64) []ranges.Range {
	if far < 0 || f.span.Empty() {
		return nil
	}
	out := f.spareLocked(ranges.Range{Start: f.span.End + far, End: maxOffset})
	slices.Reverse(out)
	return out
}

// distanceLocked returns how far ahead of all readers off is, -1 if unknown. What
// is behind them is as near as can be: a stream may be on its way to one.
func (f *File) distanceLocked(off int64) int64 {
	if f.users == 0 || f.span.Empty() {
		return -1
	}
	return max(0, off-f.span.End)
}

// spareLocked returns the whole blocks of present bytes of an open asset within
// r where nobody writes. Of a whole asset there are none: the kernel may be
// reading its file.
func (f *File) spareLocked(within ranges.Range) []ranges.Range {
	if f.users == 0 || within.Empty() || f.wholeLocked() {
		return nil
	}
	spare := ranges.Of(f.present.Within(within)...)
	for _, w := range f.writing {
		spare.Remove(w)
	}
	var out []ranges.Range
	for _, r := range spare.Ranges() {
		if r = f.d.inner(r); !r.Empty() {
			out = append(out, r)
		}
	}
	return out
}

func total(rs []ranges.Range) (n int64) {
	for _, r := range rs {
		n += r.Len()
	}
	return n
}

// evict drops all bytes of f unless it came into use. It returns the room that
// they took.
func (d *Dir) evict(f *File) int64 {
	freed, err := d.drop(f, f.idleLocked, func(*Meta) {})
	if err != nil {
		d.o.Log.Warn("evicted, but not recorded yet", "asset", f.id, "error", err)
	}
	if freed > 0 {
		d.o.Log.Debug("evicted", "asset", f.id, "bytes", freed)
	}
	return freed
}

// lose drops all bytes of an incarnation whose spool file is not what it
// should be.
func (d *Dir) lose(f *File, incarnation uint64, reason string) {
	lost := false
	_, err := d.drop(f, func() bool {
		lost = f.incarnation == incarnation
		return lost
	}, func(*Meta) {})
	if lost {
		d.o.Log.Warn("spool file unusable, its bytes are forgotten", "asset", f.id, "reason", reason, "error", err)
	}
}

// drop forgets all bytes of f, if that is right, and then removes its spool
// file. The index is told first. If that fails, the bytes go all the same: a
// claim on a missing file counts for nothing. It returns the room that they
// took.
func (d *Dir) drop(f *File, right func() bool, change func(*Meta)) (freed int64, err error) {
	d.logMu.Lock()
	_ = d.flushLocked() // it logs, and tries again
	f.mu.Lock()
	if !right() {
		f.mu.Unlock()
		d.logMu.Unlock()
		return 0, nil
	}
	fd, exists, name := f.fd, f.exists, spoolName(f.id, f.incarnation)
	freed = f.dropLocked()
	change(&f.meta)
	record := assetRecord(nil, f.id, f.incarnation, &f.meta)
	f.mu.Unlock()
	err = d.log.append(record)
	d.logMu.Unlock()
	d.room.add(-freed)
	d.closeFile(f, fd)
	if !exists {
		return freed, err
	}
	rerr := d.fault("unlink", name)
	if rerr == nil {
		rerr = d.root.Remove(name)
	}
	if rerr != nil && !errors.Is(rerr, iofs.ErrNotExist) {
		err = errors.Join(err, rerr)
	}
	return freed, err
}

// withdraw makes ranges of f cease to be present and tells the index. The bytes
// stay in the spool file. On an error they are present as before, and only
// reads that were under way look again.
func (d *Dir) withdraw(f *File, set []ranges.Range) error {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	_ = d.flushLocked() // it logs, and tries again
	f.mu.Lock()
	defer f.mu.Unlock()
	_, err := d.withdrawLocked(f, set)
	return err
}

// withdrawLocked is withdraw with logMu and f.mu held. It releases f.mu while it
// writes, and returns whether some of the bytes were claimed for ever.
func (d *Dir) withdrawLocked(f *File, set []ranges.Range) (durable bool, err error) {
	type kept struct {
		set *ranges.Set
		rs  []ranges.Range
	}
	var before []kept
	var volatile int64
	for _, s := range []*ranges.Set{&f.present, &f.fresh, &f.unsynced} {
		var k []ranges.Range
		for _, r := range set {
			k = append(k, s.Within(r)...)
		}
		before = append(before, kept{s, k})
	}
	volatile = total(before[2].rs)
	durable = total(before[0].rs) > volatile // or being synced: the same
	for _, r := range set {
		f.removeLocked(r)
	}
	incarnation := f.incarnation
	var record []byte
	if f.dirty { // the record must find its asset
		record = assetRecord(record, f.id, incarnation, &f.meta)
	}
	record = rangesRecords(record, kindRemove, f.id, incarnation, set)
	f.mu.Unlock()
	err = d.log.append(record)
	f.mu.Lock()
	if err == nil || f.incarnation != incarnation {
		return durable, err
	}
	for _, k := range before {
		for _, r := range k.rs {
			k.set.Add(r)
		}
	}
	for _, r := range before[0].rs { // what was being synced has to be synced again
		f.unsynced.Add(r)
	}
	return durable, err
}

// holdOffLocked lets no write begin in r until letInLocked. The caller holds
// roomMu.
func (f *File) holdOffLocked(r ranges.Range) {
	f.punching, f.punched = r, make(chan struct{})
}

func (f *File) letInLocked() {
	f.punching = ranges.Range{}
	close(f.punched)
}

// punchOut makes holes of up to goal bytes in f where f.mu held which says, the
// first ones first. It returns how many bytes that freed.
func (d *Dir) punchOut(f *File, goal int64, which func() []ranges.Range) int64 {
	fd, err := f.descriptor()
	if err != nil {
		return 0
	}
	d.syncMu.Lock()
	defer d.syncMu.Unlock()
	set, durable, err := d.giveUp(f, fd, goal, which)
	if len(set) == 0 {
		return 0
	}
	var freed int64
	if err == nil && durable {
		err = d.log.sync()
	}
	for _, r := range set {
		if err == nil {
			err = d.fault("punch", f.id)
		}
		if err == nil {
			err = punch(fd, r.Start, r.Len())
		}
		if err != nil {
			break
		}
		f.mu.Lock()
		before := f.alloc.Len()
		f.alloc.Remove(r)
		freed += before - f.alloc.Len()
		f.mu.Unlock()
	}
	if err == nil {
		err = d.fault("punched", f.id)
	}
	f.mu.Lock()
	f.letInLocked()
	f.mu.Unlock()
	d.room.add(-freed)
	if errors.Is(err, errors.ErrUnsupported) && !d.noPunch.Swap(true) {
		d.o.Log.Warn("the spool's file system has no holes: open assets keep what they have", "dir", d.path)
	} else if err != nil && !errors.Is(err, os.ErrClosed) {
		d.o.Log.Warn("no room made in an open asset", "asset", f.id, "error", err)
	}
	return freed
}

// giveUp chooses up to goal bytes of f where which says and makes them cease to
// be present. Unless it chose none, no write begins there until letInLocked.
func (d *Dir) giveUp(f *File, fd *os.File, goal int64, which func() []ranges.Range) (set []ranges.Range, durable bool, err error) {
	d.logMu.Lock()
	defer d.logMu.Unlock()
	_ = d.flushLocked() // it logs, and tries again
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fd != fd {
		return nil, false, nil
	}
	for _, r := range which() {
		if goal <= 0 {
			break
		}
		n := min(r.Len(), d.blocks(ranges.Range{End: goal}).End)
		if r.Start < f.span.Start {
			r.End = r.Start + n
		} else {
			r.Start = r.End - n
		}
		goal -= r.Len()
		set = append(set, r)
	}
	if len(set) == 0 {
		return nil, false, nil
	}
	slices.SortFunc(set, func(a, b ranges.Range) int { return cmp.Compare(a.Start, b.Start) }) // as a record wants it
	f.holdOffLocked(ranges.Range{Start: set[0].Start, End: set[len(set)-1].End})
	durable, err = d.withdrawLocked(f, set)
	return set, durable, err
}
