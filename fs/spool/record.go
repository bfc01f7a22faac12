package spool

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"assetfs/fs/ranges"
)

// The index is a header and then records. A record is framed by the length of
// its payload and the CRC32C of length and payload, both 32 bits, little
// endian. A payload is a kind and fields: numbers as varints, strings behind
// their length.
const (
	kindBoot    = 1 + iota // boot ID: the claims for one boot that follow are for this one
	kindAsset              // ID, incarnation, Meta: replaces what was known; another incarnation has no bytes
	kindClaim              // ID, incarnation, ranges: present in this boot
	kindDurable            // ID, incarnation, ranges: present for ever
	kindRemove             // ID, incarnation, ranges: no longer present
	kindRange              // whether the server honours Range
	kindRequest            // when a download was requested
	kindNote               // name, value: replaces what was noted under the name
	kindCall               // name of a call of the API, when it was made
	kindPin                // ID, whether it is pinned
)

const (
	frameLen = 8
	// maxPayload bounds what a damaged length can make us read. A Meta has six
	// strings that come from one response header, which is bounded to 64 KiB.
	maxPayload = 1 << 20
	// maxRanges to a record: two varints of at most ten bytes each.
	maxRanges = maxPayload / 32
	// maxOffset bounds offsets, so that sums of them can't overflow.
	maxOffset = 1 << 60
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// frame appends a record to b; payload appends the payload.
func frame(b []byte, payload func([]byte) []byte) []byte {
	start := len(b)
	b = payload(append(b, make([]byte, frameLen)...))
	body := b[start+frameLen:]
	if len(body) > maxPayload {
		return b[:start] // never from what a response header can hold
	}
	binary.LittleEndian.PutUint32(b[start:], uint32(len(body)))
	binary.LittleEndian.PutUint32(b[start+4:], checksum(b[start:start+4], body))
	return b
}

func checksum(length, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli), castagnoli, body)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// appendTime keeps microseconds. The zero time is 0.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMicro())
}

func bootRecord(b []byte, bootID string) []byte {
	return frame(b, func(b []byte) []byte { return appendString(append(b, kindBoot), bootID) })
}

func assetRecord(b []byte, id string, incarnation uint64, m *Meta) []byte {
	return frame(b, func(b []byte) []byte {
		b = appendString(append(b, kindAsset), id)
		b = binary.AppendUvarint(b, incarnation)
		for _, s := range []string{m.Name, m.Original, m.Type, m.ETag, m.LastModified, m.Learnt} {
			b = appendString(b, s)
		}
		for _, t := range []time.Time{m.ModTime, m.FirstSeen, m.LastUse} {
			b = appendTime(b, t)
		}
		b = binary.AppendVarint(b, m.Size)
		b = binary.AppendUvarint(b, m.Version)
		b = binary.AppendVarint(b, m.Cost)
		if m.Resolved {
			return append(b, 1)
		}
		return append(b, 0)
	})
}

// rangesRecords appends as many records of a kind as set needs.
func rangesRecords(b []byte, kind byte, id string, incarnation uint64, set []ranges.Range) []byte {
	for len(set) > 0 {
		part := set[:min(len(set), maxRanges)]
		set = set[len(part):]
		b = frame(b, func(b []byte) []byte {
			b = appendString(append(b, kind), id)
			b = binary.AppendUvarint(b, incarnation)
			b = binary.AppendUvarint(b, uint64(len(part)))
			pos := int64(0)
			for _, r := range part {
				b = binary.AppendUvarint(b, uint64(r.Start-pos))
				b = binary.AppendUvarint(b, uint64(r.Len()))
				pos = r.End
			}
			return b
		})
	}
	return b
}

func rangeSupportRecord(b []byte, supported bool) []byte {
	return frame(b, func(b []byte) []byte {
		if supported {
			return append(b, kindRange, 1)
		}
		return append(b, kindRange, 0)
	})
}

// callRecord tells that a call of the API was made. Downloads have a kind of
// their own, as the first indexes had them.
func callRecord(b []byte, call string, t time.Time) []byte {
	return frame(b, func(b []byte) []byte {
		if call == Download {
			return appendTime(append(b, kindRequest), t)
		}
		return appendTime(appendString(append(b, kindCall), call), t)
	})
}

func noteRecord(b []byte, name, value string) []byte {
	return frame(b, func(b []byte) []byte { return appendString(appendString(append(b, kindNote), name), value) })
}

// pinRecord tells whether an asset is pinned. It needs no other record of it.
func pinRecord(b []byte, id string, pinned bool) []byte {
	return frame(b, func(b []byte) []byte {
		b = appendString(append(b, kindPin), id)
		if pinned {
			return append(b, 1)
		}
		return append(b, 0)
	})
}

// A decoder takes fields off a payload. The first one that is not right sets
// bad, and what follows is zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) bool() bool {
	c := d.byte()
	if c > 1 {
		d.fail()
	}
	return c == 1
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bytes() []byte {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return nil
	}
	s := d.b[:n]
	d.b = d.b[n:]
	return s
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) time() time.Time {
	us := d.varint()
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us)
}

func (d *decoder) meta() Meta {
	m := Meta{Name: d.string(), Original: d.string(), Type: d.string(), ETag: d.string(), LastModified: d.string(), Learnt: d.string()}
	m.ModTime, m.FirstSeen, m.LastUse = d.time(), d.time(), d.time()
	m.Size, m.Version, m.Cost, m.Resolved = d.varint(), d.uvarint(), d.varint(), d.bool()
	if !m.acceptable() {
		d.fail()
	}
	return m
}

// acceptable reports whether a record can hold m. It is asked before m is taken
// over, from whomever, so what is written can be read.
func (m *Meta) acceptable() bool {
	text := len(m.Name) + len(m.Original) + len(m.Type) + len(m.ETag) + len(m.LastModified) + len(m.Learnt)
	return m.Size >= -1 && m.Size <= maxOffset && m.Version <= math.MaxInt64 && m.Cost >= 0 && text < maxPayload/2
}

// ranges calls do with each range: not empty, in order, apart, within
// maxOffset.
func (d *decoder) ranges(do func(ranges.Range)) {
	n := d.uvarint()
	pos := uint64(0)
	for range n {
		gap, length := d.uvarint(), d.uvarint()
		if d.bad || length == 0 || gap > maxOffset || length > maxOffset || pos+gap+length > maxOffset {
			d.fail()
			return
		}
		r := ranges.Range{Start: int64(pos + gap), End: int64(pos + gap + length)}
		pos = uint64(r.End)
		do(r)
	}
}
