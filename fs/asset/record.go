package asset

import (
	"encoding/binary"
	"math"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// Kinds of records in the journal. A payload is a kind and fields: numbers as
// varints, strings behind their length.
const (
	kindBoot    = 1 + iota // boot ID: the claims for one boot that follow are for this one
	kindAsset              // ID, incarnation, facts: replaces what was known; another incarnation has no bytes
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
	// maxRanges to a record: two varints of at most ten bytes each.
	maxRanges = spool.MaxRecord / 32
	// maxText bounds the strings of facts, which come from one response header,
	// that is bounded to 64 KiB.
	maxText = spool.MaxRecord / 2
)

// facts is all that the journal keeps of an asset beside its bytes.
type facts struct {
	info      Info
	name      string    // of its directory entry, given for ever; "" none yet
	version   uint64    // of the content
	cost      int64     // bytes downloaded of it so far, over all partial downloads
	firstSeen time.Time // the content
	lastUse   time.Time
	pinned    bool   // it never goes
	learnt    string // of info, as it was read; "": Info tells
}

// acceptable reports whether a record can hold f. It is asked before f is taken
// over, from whomever, so what is written can be read.
func (f *facts) acceptable() bool {
	i := &f.info
	text := len(f.name) + len(i.Name) + len(i.Type) + len(i.ETag) + len(i.LastModified) + len(f.learnt)
	for _, v := range i.Validators.Seen { // as JSON
		text += 6 * len(v)
	}
	return i.Size >= -1 && i.Size <= maxSize && f.version <= math.MaxInt64 && f.cost >= 0 && text < maxText
}

// recall makes info of what was learnt, if that is not done yet. It returns false
// if what was kept is not of this program.
func (f *facts) recall() bool {
	if f.learnt == "" {
		return true
	}
	ours := f.info.Recall(f.learnt)
	f.learnt = ""
	return ours
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// appendTime keeps microseconds. The zero time is 0.
func appendTime(b []byte, t time.Time) []byte {
	if t.IsZero() {
		return binary.AppendVarint(b, 0)
	}
	return binary.AppendVarint(b, t.UnixMicro())
}

func bootRecord(b []byte, bootID string) []byte {
	return spool.AppendFrame(b, func(b []byte) []byte { return appendString(append(b, kindBoot), bootID) })
}

func assetRecord(b []byte, id string, incarnation uint64, f *facts) []byte {
	return spool.AppendFrame(b, func(b []byte) []byte {
		b = appendString(append(b, kindAsset), id)
		b = binary.AppendUvarint(b, incarnation)
		learnt := f.learnt
		if learnt == "" {
			learnt = f.info.Learnt()
		}
		for _, s := range []string{f.name, f.info.Name, f.info.Type, f.info.ETag, f.info.LastModified, learnt} {
			b = appendString(b, s)
		}
		for _, t := range []time.Time{f.info.ModTime, f.firstSeen, f.lastUse} {
			b = appendTime(b, t)
		}
		b = binary.AppendVarint(b, f.info.Size)
		b = binary.AppendUvarint(b, f.version)
		b = binary.AppendVarint(b, f.cost)
		return appendBool(b, f.info.Header)
	})
}

// rangesRecords appends as many records of a kind as set needs.
func rangesRecords(b []byte, kind byte, id string, incarnation uint64, set []ranges.Range) []byte {
	for len(set) > 0 {
		part := set[:min(len(set), maxRanges)]
		set = set[len(part):]
		b = spool.AppendFrame(b, func(b []byte) []byte {
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

func rangeRecord(b []byte, r Ranging) []byte {
	if r == RangeUnknown {
		return b
	}
	return spool.AppendFrame(b, func(b []byte) []byte { return appendBool(append(b, kindRange), r == RangeYes) })
}

// callRecord notes that a call of the API was made. Downloads have a kind of
// their own, as the first indexes had them.
func callRecord(b []byte, call string, t time.Time) []byte {
	return spool.AppendFrame(b, func(b []byte) []byte {
		if call == Download {
			return appendTime(append(b, kindRequest), t)
		}
		return appendTime(appendString(append(b, kindCall), call), t)
	})
}

func noteRecord(b []byte, name, value string) []byte {
	return spool.AppendFrame(b, func(b []byte) []byte { return appendString(appendString(append(b, kindNote), name), value) })
}

func pinRecord(b []byte, id string, pinned bool) []byte {
	return spool.AppendFrame(b, func(b []byte) []byte { return appendBool(appendString(append(b, kindPin), id), pinned) })
}

// A decoder takes fields off a payload. The first one that is not right sets
// bad, and what follows is zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

// done reports whether all fields were right and nothing is left over.
func (d *decoder) done() bool {
	if len(d.b) > 0 {
		d.fail()
	}
	return !d.bad
}

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

func (d *decoder) facts() facts {
	f := facts{name: d.string(), info: Info{Name: d.string(), Type: d.string(), ETag: d.string(), LastModified: d.string()}, learnt: d.string()}
	f.info.ModTime, f.firstSeen, f.lastUse = d.time(), d.time(), d.time()
	f.info.Size, f.version, f.cost, f.info.Header = d.varint(), d.uvarint(), d.varint(), d.bool()
	if f.learnt == "" {
		f.learnt = "-" // of an older program
	}
	if !f.acceptable() {
		d.fail()
	}
	return f
}

// ranges returns ranges: not empty, in order, apart, within maxSize.
func (d *decoder) ranges() (set []ranges.Range) {
	n := d.uvarint()
	pos := uint64(0)
	for range n {
		gap, length := d.uvarint(), d.uvarint()
		if d.bad || length == 0 || gap > maxSize || length > maxSize || pos+gap+length > maxSize {
			d.fail()
			return nil
		}
		r := ranges.Range{Start: int64(pos + gap), End: int64(pos + gap + length)}
		pos = uint64(r.End)
		set = append(set, r)
	}
	return set
}
