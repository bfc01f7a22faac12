package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"syscall"

	"assetfs/fs/ranges"
)

// readIndex reads the index and makes it ready to be appended to: what is
// behind the first damaged record is cut off. It returns false if there was
// one.
func (d *Dir) readIndex() (whole bool, err error) {
	f, err := d.root.OpenFile(indexName, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return false, err
	}
	d.log = indexLog{d: d, f: f}
	c, err := replay(f, d.bootID)
	var version *VersionError
	if errors.As(err, &version) {
		version.Dir = d.path
		return false, version
	}
	d.contents = *c
	d.log.size, d.log.base = c.lengthOfIndex, c.lengthOfIndex
	switch {
	case errors.Is(err, errHeader):
		d.o.Log.Warn("spool index damaged: its header is written anew", "dir", d.path, "assets", len(c.order))
		if _, err := f.WriteAt(header(), 0); err != nil && d.log.size > 0 {
			return false, err
		}
	case errors.Is(err, errRecord):
		d.o.Log.Warn("spool index damaged: what follows is forgotten", "dir", d.path, "error", err, "assets", len(c.order))
	case err != nil:
		return false, fmt.Errorf("read the spool index: %w", err)
	}
	if c.refused > 0 || len(c.unknown) > 0 {
		d.o.Log.Warn("spool index has records that are not understood", "dir", d.path, "dropped", c.refused, "kept", len(c.unknown))
	}
	whole = err == nil
	if err := f.Truncate(d.log.size); err != nil {
		return false, err
	}
	if d.log.size == 0 {
		d.log.first = header()
	}
	if d.boot != d.bootID {
		d.rebooted = len(d.order) > 0
		d.boot = d.bootID
		d.log.first = bootRecord(d.log.first, d.bootID)
	}
	if err := d.log.append(nil); full(err) {
		d.o.Log.Warn("no room for the spool index: what is there can be read", "dir", d.path, "error", err)
	} else if err != nil {
		return false, err
	}
	if d.log.size > compactAbove { // it may be garbage that no Close took away
		d.log.base = int64(len(d.snapshot(d.bootID)))
	}
	return whole, nil
}

// look compares what the index claims with the spool files that are there, and
// removes those of which nothing is claimed.
func (d *Dir) look() error {
	claimed := make(map[string]*File, len(d.order))
	for _, f := range d.order {
		f.d = d
		if f.present.Len() > 0 {
			claimed[spoolName(f.id, f.incarnation)] = f
		}
	}
	entries, err := d.self.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		f := claimed[name]
		if f == nil && !isSpoolName(name) && name != newIndexName {
			continue
		}
		info, err := e.Info()
		if err == nil && f != nil && info.Mode().IsRegular() && f.adopt(info) {
			delete(claimed, name)
			continue
		}
		if err := d.root.Remove(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			d.o.Log.Warn("leftover in the spool not removed", "dir", d.path, "file", name, "error", err)
		}
	}
	for name, f := range claimed {
		d.o.Log.Info("spool file gone, its bytes are forgotten", "file", name, "asset", f.id, "bytes", f.present.Len())
		f.dropLocked()
	}
	return nil
}

// acceptSize is the size of the largest asset that Options.Accept is asked about,
// in bytes: an error is no longer.
const acceptSize = 64 << 10

// review asks Options.Accept about what is there.
func (d *Dir) review() {
	if d.o.Accept == nil {
		return
	}
	for _, f := range d.order {
		m := f.Meta()
		if !f.Whole() || m.Size > acceptSize {
			continue
		}
		accepted := d.o.Accept(&m, func() []byte {
			p := make([]byte, m.Size)
			n, err := f.ReadAt(p, 0)
			if err != nil {
				d.o.Log.Warn("spooled bytes not read", "asset", f.id, "error", err)
			}
			return p[:n]
		})
		switch {
		case !accepted:
			d.o.Log.Warn("what was spooled is no asset, and is dropped", "asset", f.id, "bytes", m.Size)
			_, err := d.drop(f, func() bool { return true }, func(m *Meta) {
				*m = Meta{Name: m.Name, Size: -1, FirstSeen: m.FirstSeen, Version: m.Version + 1, Cost: m.Cost}
			})
			if err != nil {
				d.o.Log.Warn("dropped, but not recorded yet", "asset", f.id, "error", err)
			}
		case m != f.Meta():
			f.Update(func(old *Meta) { *old = m })
		}
	}
}

// adopt takes the spool file that info describes for what the index claims. It
// returns false if the file can't hold that.
func (f *File) adopt(info os.FileInfo) bool {
	runs := f.present.Ranges()
	if info.Size() < runs[len(runs)-1].End {
		return false
	}
	for _, r := range runs {
		f.alloc.Add(f.d.blocks(r))
	}
	f.exists = true
	f.d.room.add(f.alloc.Len())
	if f.unsynced.Len() > 0 {
		f.d.unsynced[f] = struct{}{}
	}
	// Fewer blocks than bytes: look for holes before anything is promised. The
	// file is opened once; most never need to be.
	if st, ok := info.Sys().(*syscall.Stat_t); ok && st.Blocks*512 < f.present.Len() {
		if _, err := f.descriptor(); err == nil {
			f.closeDescriptor()
		}
	}
	return true
}

// blocks is r extended to whole blocks.
func (d *Dir) blocks(r ranges.Range) ranges.Range {
	return ranges.Range{Start: r.Start / d.block * d.block, End: (r.End + d.block - 1) / d.block * d.block}
}

// inner is the whole blocks of r; it may be empty.
func (d *Dir) inner(r ranges.Range) ranges.Range {
	return ranges.Range{Start: (r.Start + d.block - 1) / d.block * d.block, End: r.End / d.block * d.block}
}
