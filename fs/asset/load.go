package asset

import (
	"errors"
	"maps"
	"os"
	"slices"
	"syscall"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// loader is the reading of the journal.
type loader struct {
	s       *Store
	boot    string            // of the last boot record
	refused int               // records whose content is not acceptable
	types   map[string]string // of media: there are few
}

// apply takes over one record. If its content is not acceptable, that costs the
// bytes of the asset that it is about, and nothing else.
func (r *loader) apply(payload []byte) {
	d := &decoder{b: payload}
	s := r.s
	switch kind := d.byte(); kind {
	case kindBoot:
		if r.boot = d.string(); !d.done() {
			r.boot = ""
		}
	case kindAsset:
		id, incarnation, f := d.string(), d.uvarint(), d.facts()
		if !d.done() {
			r.forget(id)
			break
		}
		if t, ok := r.types[f.info.Type]; ok { // there are few
			f.info.Type = t
		}
		r.types[f.info.Type] = f.info.Type
		a := s.assets[id]
		if a == nil {
			a = s.newAsset(id)
			a.recorded = true
			s.order = append(s.order, a)
		}
		if a.incarnation != incarnation {
			a.incarnation = incarnation
			a.present.Clear()
			a.unsynced.Clear()
		}
		f.pinned = a.pinned
		a.facts = f
	case kindClaim, kindDurable, kindRemove:
		id, incarnation, set := string(d.bytes()), d.uvarint(), d.ranges()
		a := s.assets[id]
		if !d.done() || a == nil {
			r.forget(id)
			d.fail()
			break
		}
		if a.incarnation == incarnation && (kind != kindClaim || r.boot == s.bootID) {
			a.claim(kind, set)
		}
	case kindRange:
		if works := d.bool(); d.done() {
			s.ranging = rangingOf(works)
		}
	case kindRequest:
		if t := d.time(); d.done() {
			s.calls[Download] = append(s.calls[Download], t)
		}
	case kindCall:
		if call, t := d.string(), d.time(); d.done() {
			s.calls[call] = append(s.calls[call], t)
		}
	case kindNote:
		if name, value := d.string(), d.string(); d.done() {
			s.notes[name] = value
		}
	case kindPin:
		id, pinned := d.string(), d.bool()
		if !d.done() {
			break
		}
		a := s.assets[id]
		if a == nil {
			a = s.newAsset(id)
			a.recorded = true
			s.order = append(s.order, a)
		}
		a.pinned = pinned
	default:
		s.unknown = append(s.unknown, slices.Clone(payload))
	}
	if d.bad {
		r.refused++
	}
}

// forget makes nothing of an asset's bytes present, whatever earlier records
// claim: its blob gets another name.
func (r *loader) forget(id string) {
	if a := r.s.assets[id]; a != nil {
		a.incarnation++
		a.present.Clear()
		a.unsynced.Clear()
	}
}

// claim takes over the ranges of a record. What is claimed for this boot only is
// yet to be synced.
func (a *Asset) claim(kind byte, set []ranges.Range) {
	for _, r := range set {
		switch kind {
		case kindClaim:
			for at := r.Start; at < r.End; {
				gap := a.present.Gap(ranges.Range{Start: at, End: r.End})
				a.unsynced.Add(gap)
				at = gap.End
			}
			a.present.Add(r)
		case kindDurable:
			a.present.Add(r)
			a.unsynced.Remove(r)
		case kindRemove:
			a.present.Remove(r)
			a.unsynced.Remove(r)
		}
	}
}

// snapshot appends the shortest journal that tells the same: a cut, in which each
// asset is as it is under its lock.
func (s *Store) snapshot(b []byte) []byte {
	b = bootRecord(b, s.bootID)
	s.mu.Lock()
	for call := range s.calls {
		s.recentLocked(call)
	}
	b = rangeRecord(b, s.ranging)
	for _, name := range slices.Sorted(maps.Keys(s.notes)) {
		b = noteRecord(b, name, s.notes[name])
	}
	for _, call := range slices.Sorted(maps.Keys(s.calls)) {
		for _, t := range s.calls[call] {
			b = callRecord(b, call, t)
		}
	}
	s.mu.Unlock()
	for _, a := range s.known() {
		a.mu.Lock()
		b = a.appendRecordsLocked(b)
		a.mu.Unlock()
	}
	for _, payload := range s.unknown {
		b = spool.AppendFrame(b, func(b []byte) []byte { return append(b, payload...) })
	}
	return b
}

func (a *Asset) appendRecordsLocked(b []byte) []byte {
	b = assetRecord(b, a.id, a.incarnation, &a.facts)
	if a.pinned {
		b = pinRecord(b, a.id, true)
	}
	if a.unsynced.Len() == 0 && a.syncing.Len() == 0 {
		return rangesRecords(b, kindDurable, a.id, a.incarnation, a.present.Ranges())
	}
	durable := a.present.Clone()
	var claim ranges.Set
	for _, notYet := range []*ranges.Set{&a.unsynced, &a.syncing} {
		for _, r := range notYet.Ranges() {
			durable.Remove(r)
			claim.Add(r)
		}
	}
	b = rangesRecords(b, kindDurable, a.id, a.incarnation, durable.Ranges())
	return rangesRecords(b, kindClaim, a.id, a.incarnation, claim.Ranges())
}

// adopt compares what the journal claims with the blobs that are there, and
// removes those of which nothing is claimed.
func (s *Store) adopt() error {
	claimed := make(map[string]*Asset, len(s.order))
	for _, a := range s.order {
		if a.present.Len() > 0 {
			claimed[spool.BlobName(a.id, a.incarnation)] = a
		}
	}
	err := s.dir.Sweep(func(name string, info os.FileInfo) bool {
		a := claimed[name]
		if a == nil || !a.adoptBlob(info) {
			return false
		}
		delete(claimed, name)
		return true
	})
	for name, a := range claimed {
		s.o.Log.Info("spool file gone, its bytes are forgotten", "file", name, "asset", a.id, "bytes", a.present.Len())
		a.dropLocked()
	}
	return err
}

// adoptBlob takes the file that info describes for what is claimed. It returns false
// if the file can't hold that.
func (a *Asset) adoptBlob(info os.FileInfo) bool {
	runs := a.present.Ranges()
	if info.Size() < runs[len(runs)-1].End {
		return false
	}
	for _, r := range runs {
		a.alloc.Add(a.store.blocks(r))
	}
	a.store.bytes += a.alloc.Len()
	if a.unsynced.Len() > 0 {
		a.store.pending[a] = struct{}{}
	}
	a.unchecked = a.store.holes
	// Fewer blocks than bytes: look for holes before anything is promised. The
	// file is opened once; most never need to be.
	if st, ok := info.Sys().(*syscall.Stat_t); ok && a.unchecked && st.Blocks*512 < a.present.Len() {
		blob := a.blobLocked() // it may go
		_ = a.check()          // what can't be opened now may be later
		blob.Close()
	}
	return true
}

// reviewSize is the size of the largest asset that StoreOptions.Impostor is asked
// about, in bytes: an error is no longer.
const reviewSize = 64 << 10

// review drops what an older program took for an asset. What this one has stored
// was judged with its header, and is not judged again.
func (s *Store) review() {
	if s.o.Impostor == nil {
		return
	}
	for _, a := range s.order {
		if a.info.Size > reviewSize || !a.wholeLocked() || a.recall() {
			continue
		}
		p := make([]byte, a.info.Size)
		if _, err := a.readAt(p, 0); err != nil && !errors.Is(err, ErrAbsent) {
			s.o.Log.Warn("spooled bytes not read", "asset", a.id, "error", err)
			continue
		}
		a.mu.Lock()
		a.markLocked(true)
		a.mu.Unlock()
		if !s.o.Impostor(p) {
			continue
		}
		s.o.Log.Warn("what was spooled is no asset, and is dropped", "asset", a.id, "bytes", len(p))
		a.drop(func() bool { return true }, func() {
			a.info = Info{Size: -1}
			a.version++
		})
	}
}
