package spool

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// errHeader means that the header is damaged. What follows it counts.
var errHeader = errors.New("damaged header")

// errRecord means that a record is damaged; what stands before it counts.
var errRecord = errors.New("damaged record")

// contents is what an index tells.
type contents struct {
	files         map[string]*File
	order         []*File // those with a record, as first recorded
	boot          string  // of the last boot record
	rangeKnown    bool
	rangeWorks    bool
	calls         map[string][]time.Time // by name of the call
	unknown       [][]byte               // payloads of other kinds, of a newer version: kept
	refused       int                    // records whose content is not acceptable
	notes         map[string]string
	lengthOfIndex int64 // header and good records
}

// replay reads an index. Claims for another boot than bootID don't count. An
// error is errHeader, errRecord, a *VersionError, or one of r; what was read is
// returned and holds.
func replay(r io.Reader, bootID string) (*contents, error) {
	c := &contents{files: map[string]*File{}, calls: map[string][]time.Time{}, notes: map[string]string{}}
	in := bufio.NewReaderSize(r, 1<<16)
	head := make([]byte, headerLen)
	var broken error
	switch n, err := io.ReadFull(in, head); {
	case n == 0 && errors.Is(err, io.EOF):
		return c, nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return c, err
	case newer(head[:n]) > 0:
		return c, &VersionError{Version: newer(head)}
	case string(head[:n]) != string(header()):
		broken = errHeader
	}
	c.lengthOfIndex = headerLen
	types := map[string]string{}
	var buf []byte
	for {
		payload, err := readFrame(in, &buf)
		if errors.Is(err, io.EOF) {
			return c, broken
		}
		if err != nil {
			if broken != nil && c.lengthOfIndex == headerLen {
				c.lengthOfIndex = 0
			}
			return c, fmt.Errorf("at byte %d: %w", c.lengthOfIndex, err)
		}
		if !c.apply(payload, bootID, types) {
			c.refused++
		}
		c.lengthOfIndex += int64(frameLen + len(payload))
	}
}

// readFrame returns the next payload, valid until the next call; io.EOF after
// the last one.
func readFrame(in *bufio.Reader, buf *[]byte) ([]byte, error) {
	var head [frameLen]byte
	n, err := io.ReadFull(in, head[:])
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		return nil, io.EOF
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, errRecord
	case err != nil:
		return nil, err
	}
	length := binary.LittleEndian.Uint32(head[:])
	if length == 0 || length > maxPayload {
		return nil, errRecord
	}
	if int(length) > cap(*buf) {
		*buf = make([]byte, max(length, 4096))
	}
	payload := (*buf)[:length]
	if _, err := io.ReadFull(in, payload); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = errRecord
		}
		return nil, err
	}
	if checksum(head[:4], payload) != binary.LittleEndian.Uint32(head[4:]) {
		return nil, errRecord
	}
	return payload, nil
}

// apply takes over one record. If its content is not acceptable it returns false;
// that costs the bytes of the asset that it is about, and nothing else. types
// holds the media types seen, of which there are few.
func (c *contents) apply(payload []byte, bootID string, types map[string]string) bool {
	d := &decoder{b: payload}
	switch kind := d.byte(); kind {
	case kindBoot:
		if c.boot = d.string(); !d.done() {
			c.boot = ""
		}
	case kindAsset:
		id, incarnation, meta := d.string(), d.uvarint(), d.meta()
		if !d.done() {
			c.forget(id)
			return false
		}
		if t, ok := types[meta.Type]; ok {
			meta.Type = t
		} else {
			types[meta.Type] = meta.Type
		}
		f := c.files[id]
		if f == nil {
			f = &File{id: id, recorded: true}
			c.files[id] = f
			c.order = append(c.order, f)
		}
		if f.incarnation != incarnation {
			f.incarnation = incarnation
			f.present.Clear()
			f.unsynced.Clear()
		}
		f.meta = meta
	case kindClaim, kindDurable, kindRemove:
		id := string(d.bytes())
		f := c.files[id]
		incarnation := d.uvarint()
		var set []ranges.Range
		d.ranges(func(r ranges.Range) { set = append(set, r) })
		if !d.done() || f == nil {
			c.forget(id)
			return false
		}
		if f.incarnation != incarnation || kind == kindClaim && c.boot != bootID {
			return true
		}
		for _, r := range set {
			f.replay(kind, r)
		}
	case kindRange:
		if works := d.bool(); d.done() {
			c.rangeKnown, c.rangeWorks = true, works
		}
	case kindRequest:
		if t := d.time(); d.done() {
			c.calls[Download] = append(c.calls[Download], t)
		}
	case kindCall:
		if call, t := d.string(), d.time(); d.done() {
			c.calls[call] = append(c.calls[call], t)
		}
	case kindNote:
		if name, value := d.string(), d.string(); d.done() {
			c.notes[name] = value
		}
	case kindPin:
		id, pinned := d.string(), d.bool()
		if !d.done() {
			return false
		}
		f := c.files[id]
		if f == nil {
			f = &File{id: id, recorded: true, incarnation: 1, meta: Meta{Size: -1, FirstSeen: seenNow()}}
			c.files[id] = f
			c.order = append(c.order, f)
		}
		f.pinned = pinned
	default:
		c.unknown = append(c.unknown, slices.Clone(payload))
	}
	return !d.bad
}

// forget makes nothing of an asset's bytes present, whatever earlier records
// claim: its spool file gets another name.
func (c *contents) forget(id string) {
	if f := c.files[id]; f != nil {
		f.incarnation++
		f.present.Clear()
		f.unsynced.Clear()
	}
}

// done reports whether all fields were right and nothing is left over.
func (d *decoder) done() bool {
	if len(d.b) > 0 {
		d.fail()
	}
	return !d.bad
}

// replay takes over one range of a record. What is claimed for this boot only
// is yet to be synced.
func (f *File) replay(kind byte, r ranges.Range) {
	switch kind {
	case kindClaim:
		for at := r.Start; at < r.End; {
			gap := f.present.Gap(ranges.Range{Start: at, End: r.End})
			f.unsynced.Add(gap)
			at = gap.End
		}
		f.present.Add(r)
	case kindDurable:
		f.present.Add(r)
		f.unsynced.Remove(r)
	case kindRemove:
		f.present.Remove(r)
		f.unsynced.Remove(r)
	}
}

// snapshot is the shortest index that tells the same. The caller holds logMu.
func (c *contents) snapshot(bootID string) []byte {
	b := bootRecord(header(), bootID)
	if c.rangeKnown {
		b = rangeSupportRecord(b, c.rangeWorks)
	}
	for _, name := range slices.Sorted(maps.Keys(c.notes)) {
		b = noteRecord(b, name, c.notes[name])
	}
	for _, call := range slices.Sorted(maps.Keys(c.calls)) {
		for _, t := range c.calls[call] {
			b = callRecord(b, call, t)
		}
	}
	for _, f := range c.order {
		f.mu.Lock()
		b = f.appendRecordsLocked(b)
		f.mu.Unlock()
	}
	for _, payload := range c.unknown {
		b = frame(b, func(b []byte) []byte { return append(b, payload...) })
	}
	return b
}

func (f *File) appendRecordsLocked(b []byte) []byte {
	b = assetRecord(b, f.id, f.incarnation, &f.meta)
	if f.pinned {
		b = pinRecord(b, f.id, true)
	}
	if f.unsynced.Len() == 0 && f.syncing.Len() == 0 {
		return rangesRecords(b, kindDurable, f.id, f.incarnation, f.present.Ranges())
	}
	durable := f.present.Clone()
	var claim ranges.Set
	for _, notYet := range []*ranges.Set{&f.unsynced, &f.syncing} {
		for _, r := range notYet.Ranges() {
			durable.Remove(r)
			claim.Add(r)
		}
	}
	b = rangesRecords(b, kindDurable, f.id, f.incarnation, durable.Ranges())
	return rangesRecords(b, kindClaim, f.id, f.incarnation, claim.Ranges())
}
