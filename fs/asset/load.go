package asset

import (
	"errors"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// loader reads the journal.
type loader struct {
	s       *Store
	boot    string            // of the last boot record
	refused int               // records whose content is not acceptable
	types   map[string]string // of media: there are few
	old     map[*Asset]bool   // an older program wrote their latest record
}

// apply applies one record. If its content is not acceptable, the asset that it is about loses its
// bytes, and nothing else happens.
func (r *loader) apply(payload []byte) {
	s, kind, fields := r.s, payload[0], payload[1:]
	var id, name, value, learnt string
	var incarnation uint64
	var set []ranges.Range
	var at time.Time
	var yes, good bool
	switch kind {
	case kindBoot:
		r.boot = ""
		if good = decode(fields, &id); good {
			r.boot = id
		}
	case kindAsset:
		f := facts{info: Info{Size: -1}}
		i := &f.info
		good = decode(fields, &id, &incarnation, &f.name, &i.Name, &i.Type, &i.ETag, &i.LastModified, &learnt,
			&i.ModTime, &f.firstSeen, &f.lastUse, &i.Size, &f.version, &f.cost, &i.Header)
		old := !i.recall(learnt)
		if good = good && f.acceptable(); !good {
			r.forget(id)
			break
		}
		if t, ok := r.types[i.Type]; ok {
			i.Type = t
		}
		r.types[i.Type] = i.Type
		a := r.asset(id)
		if a.incarnation != incarnation {
			r.forget(id)
			a.incarnation = incarnation
		}
		f.pinned = a.pinned
		a.facts = f
		if f.lastUse.After(s.lastUse) {
			s.lastUse = f.lastUse
		}
		delete(r.old, a)
		if old {
			r.old[a] = true
		}
	case kindClaim, kindDurable, kindRemove:
		good = decode(fields, &id, &incarnation, &set)
		a := s.assets[id]
		if good = good && a != nil; !good {
			r.forget(id)
		} else if a.incarnation == incarnation && (kind != kindClaim || r.boot == s.bootID) {
			a.claim(kind, set)
		}
	case kindRange:
		if good = decode(fields, &yes); good {
			s.ranging = RangeNo
			if yes {
				s.ranging = RangeYes
			}
		}
	case kindRequest:
		if good = decode(fields, &at); good {
			s.calls[Download] = append(s.calls[Download], at)
		}
	case kindCall:
		if good = decode(fields, &id, &at); good {
			s.calls[id] = append(s.calls[id], at)
		}
	case kindNote:
		if good = decode(fields, &name, &value); good {
			s.notes[name] = value
		}
	case kindPin:
		if good = decode(fields, &id, &yes); good {
			r.asset(id).pinned = yes
		}
	default:
		good = true
		s.unknown = append(s.unknown, slices.Clone(payload))
	}
	if !good {
		r.refused++
	}
}

// asset returns the asset of a record.
func (r *loader) asset(id string) *Asset {
	a := r.s.assets[id]
	if a == nil {
		a = r.s.newAsset(id)
		a.recorded = true
	}
	return a
}

// forget makes all bytes of an asset absent, whatever earlier records claim: its blob gets another
// name.
func (r *loader) forget(id string) {
	if a := r.s.assets[id]; a != nil {
		a.incarnation++
		a.present.Clear()
		a.unsynced.Clear()
	}
}

// claim applies the ranges of a record. Those claimed only for this boot must still be synced.
func (a *Asset) claim(kind byte, set []ranges.Range) {
	for _, r := range set {
		switch kind {
		case kindClaim:
			for gap := a.present.Gap(r); !gap.Empty(); gap = a.present.Gap(r) {
				a.present.Add(gap)
				a.unsynced.Add(gap)
			}
		case kindDurable:
			a.present.Add(r)
			a.unsynced.Remove(r)
		case kindRemove:
			a.present.Remove(r)
			a.unsynced.Remove(r)
		}
	}
}

// snapshot appends the shortest journal with the same meaning. Each asset is written as it is under
// its lock.
func (s *Store) snapshot(b []byte) []byte {
	b = appendRecord(b, kindBoot, s.bootID)
	s.mu.Lock()
	for call := range s.calls {
		s.recentLocked(call)
	}
	if s.ranging != RangeUnknown {
		b = appendRecord(b, kindRange, s.ranging == RangeYes)
	}
	for _, name := range slices.Sorted(maps.Keys(s.notes)) {
		b = appendRecord(b, kindNote, name, s.notes[name])
	}
	for _, call := range slices.Sorted(maps.Keys(s.calls)) {
		for _, t := range s.calls[call] {
			b = appendRecord(b, kindCall, call, t)
		}
	}
	s.mu.Unlock()
	each(s.all(), func(a *Asset) {
		if a.recorded {
			b = a.appendRecordsLocked(b)
		}
	})
	for _, payload := range s.unknown {
		b = spool.AppendFrame(b, func(b []byte) []byte { return append(b, payload...) })
	}
	return b
}

func (a *Asset) appendRecordsLocked(b []byte) []byte {
	b = assetRecord(b, a.id, a.incarnation, &a.facts)
	if a.pinned {
		b = appendRecord(b, kindPin, a.id, true)
	}
	durable := a.present.Clone()
	for _, r := range a.unsynced.Ranges() {
		durable.Remove(r)
	}
	b = rangesRecords(b, kindDurable, a.id, a.incarnation, durable.Ranges())
	return rangesRecords(b, kindClaim, a.id, a.incarnation, a.unsynced.Ranges())
}

// adopt compares what the journal claims with the blobs, and removes blobs of which nothing is
// claimed.
func (s *Store) adopt() error {
	claimed := make(map[string]*Asset, len(s.list))
	for _, a := range s.list {
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

// adoptBlob accepts the file that info describes as the asset's blob. It returns false if the file
// can't hold what is claimed.
func (a *Asset) adoptBlob(info os.FileInfo) bool {
	runs := a.present.Ranges()
	if info.Size() < runs[len(runs)-1].End {
		return false
	}
	a.bytes = a.store.size(runs)
	a.store.bytes += a.bytes
	if a.unsynced.Len() > 0 {
		a.store.pending[a] = struct{}{}
	}
	a.unchecked = a.store.holes
	// Fewer blocks than bytes: look for holes now, before anything is promised. Few files need
	// to be opened for this.
	if st, ok := info.Sys().(*syscall.Stat_t); ok && a.unchecked && st.Blocks*512 < a.present.Len() {
		blob := a.blobLocked() // it may go
		_ = a.check()          // what can't be opened now may be later
		blob.Close()
	} else if ok && st.Blocks*512-a.bytes >= excess {
		a.trim(info.Size())
	}
	return true
}

// excess is how much more than what is claimed a blob may take of the disk, in bytes. File systems count
// what they need themselves, too.
const excess = 1 << 20

// trim makes holes where nothing is claimed of a blob of that size: what was written right before a kill,
// or had been removed, but not yet punched out. Nobody counts the room that it takes.
func (a *Asset) trim(size int64) {
	if a.store.journal.Sync() != nil {
		return // older claims might come back
	}
	blob := a.blobLocked()
	defer blob.Close()
	for at := int64(0); at < size; {
		gap := a.present.Gap(ranges.Range{Start: at, End: size})
		if hole := gap.Inner(a.store.block); !hole.Empty() && blob.Punch(hole) != nil {
			return // such a file system has no holes, or the blob is gone
		}
		at = gap.End
	}
}

// reviewSize is the size of the largest asset that StoreOptions.Impostor is asked about, in bytes:
// error messages are no longer.
const reviewSize = 64 << 10

// review drops what an older program wrongly took for an asset. What this program has stored was
// judged with its header, and is not judged again.
func (s *Store) review(old map[*Asset]bool) {
	if s.o.Impostor == nil {
		return
	}
	for a := range old {
		if a.info.Size > reviewSize || !a.wholeLocked() {
			continue
		}
		p := make([]byte, a.info.Size)
		if _, err := a.readAt(p, 0); err != nil && !errors.Is(err, ErrAbsent) {
			s.o.Log.Warn("can't read spooled bytes", "asset", a.id, "error", err)
			continue
		}
		a.mu.Lock()
		a.markLocked()
		a.mu.Unlock()
		if !s.o.Impostor(p) {
			continue
		}
		s.o.Log.Warn("dropped spooled bytes that are not an asset", "asset", a.id, "bytes", len(p))
		a.mu.Lock()
		a.info = Info{Size: -1}
		a.version++
		remove := a.dropLocked()
		a.mu.Unlock()
		remove()
	}
}
