package asset

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// Kinds of records in the journal. A payload is a kind and fields. Numbers are varints, and strings
// follow their length.
const (
	kindBoot    = 1 + iota // boot ID: the claims for one boot that follow are for this one
	kindAsset              // ID, incarnation, facts: replaces what was known; another incarnation has no bytes
	kindClaim              // ID, incarnation, ranges: present in this boot
	kindDurable            // ID, incarnation, ranges: present for ever
	kindRemove             // ID, incarnation, ranges: no longer present
	kindRange              // whether the server honours Range
	kindRequest            // when a download was requested; older programs write it
	kindNote               // name, value: replaces what was noted under the name
	kindCall               // name of a call of the API, when it was made
	kindPin                // ID, whether it is pinned
)

const (
	// maxRanges to a record: two varints of at most ten bytes each.
	maxRanges = spool.MaxRecord / 32
	// maxText limits the strings of facts. They come from one response header, which is at most
	// 64 KiB.
	maxText = spool.MaxRecord / 2
)

// facts is what the journal keeps of an asset, apart from its bytes.
type facts struct {
	info      Info
	name      string    // of its directory entry, given for ever; "" none yet
	version   uint64    // of the content
	cost      int64     // bytes downloaded of it so far, over all partial downloads
	firstSeen time.Time // the content
	lastUse   time.Time
	pinned    bool // it never goes
}

// acceptable reports whether a record can hold f. It must be asked before facts are changed, so that
// everything written can be read.
func (f *facts) acceptable() bool {
	i := &f.info
	text := len(f.name) + len(i.Name) + len(i.Type) + len(i.ETag) + len(i.LastModified)
	for _, v := range i.Seen { // as JSON
		text += 6 * len(v)
	}
	return i.Size >= -1 && i.Size <= maxSize && f.version <= math.MaxInt64 && f.cost >= 0 && text < maxText
}

// appendRecord appends a record of kind with fields. A time has microseconds, and the
// zero time is 0.
func appendRecord(b []byte, kind byte, fields ...any) []byte {
	return spool.AppendFrame(b, func(b []byte) []byte {
		b = append(b, kind)
		for _, f := range fields {
			switch f := f.(type) {
			case string:
				b = append(binary.AppendUvarint(b, uint64(len(f))), f...)
			case uint64:
				b = binary.AppendUvarint(b, f)
			case int64:
				b = binary.AppendVarint(b, f)
			case bool:
				if f {
					b = append(b, 1)
				} else {
					b = append(b, 0)
				}
			case time.Time:
				if f.IsZero() {
					b = append(b, 0)
				} else {
					b = binary.AppendVarint(b, f.UnixMicro())
				}
			case []ranges.Range:
				b = binary.AppendUvarint(b, uint64(len(f)))
				pos := int64(0)
				for _, r := range f {
					b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(r.Start-pos)), uint64(r.Len()))
					pos = r.End
				}
			}
		}
		return b
	})
}

func assetRecord(b []byte, id string, incarnation uint64, f *facts) []byte {
	i := &f.info
	return appendRecord(b, kindAsset, id, incarnation, f.name, i.Name, i.Type, i.ETag, i.LastModified, i.text(),
		i.ModTime, f.firstSeen, f.lastUse, i.Size, f.version, f.cost, i.Header)
}

// rangesRecords appends as many records of a kind as set needs.
func rangesRecords(b []byte, kind byte, id string, incarnation uint64, set []ranges.Range) []byte {
	for part := range slices.Chunk(set, maxRanges) {
		b = appendRecord(b, kind, id, incarnation, part)
	}
	return b
}

// decode reads what appendRecord has written after the kind. It returns false if a field is wrong or
// something is left over; the fields before are set all the same.
func decode(b []byte, fields ...any) bool {
	for _, f := range fields {
		n := 0 // bytes of b that it takes
		switch f := f.(type) {
		case *string:
			var length uint64
			if length, n = binary.Uvarint(b); n <= 0 || length > uint64(len(b)-n) {
				return false
			}
			*f = string(b[n : n+int(length)])
			n += int(length)
		case *uint64:
			*f, n = binary.Uvarint(b)
		case *int64:
			*f, n = binary.Varint(b)
		case *bool:
			if len(b) > 0 && b[0] <= 1 {
				*f, n = b[0] == 1, 1
			}
		case *time.Time:
			var us int64
			if us, n = binary.Varint(b); us != 0 {
				*f = time.UnixMicro(us)
			}
		case *[]ranges.Range:
			*f, n = decodeRanges(b)
		}
		if n <= 0 {
			return false
		}
		b = b[n:]
	}
	return len(b) == 0
}

// decodeRanges reads ranges that are not empty, in order, and within maxSize. It returns how many
// bytes they take; 0 if b holds anything else.
func decodeRanges(b []byte) (set []ranges.Range, n int) {
	count, n := binary.Uvarint(b)
	pos := uint64(0)
	for range count {
		gap, g := binary.Uvarint(b[max(n, 0):])
		length, l := binary.Uvarint(b[max(n+g, 0):])
		if n <= 0 || g <= 0 || l <= 0 || length == 0 || max(gap, length) > maxSize || pos+gap+length > maxSize {
			return nil, 0
		}
		n += g + l
		r := ranges.Range{Start: int64(pos + gap), End: int64(pos + gap + length)}
		pos = uint64(r.End)
		set = append(set, r)
	}
	return set, n
}
