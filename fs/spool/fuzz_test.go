package spool

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

// FuzzIndex reads any bytes as an index: no crash, nothing out of bounds, and a
// snapshot of what was read tells the same.
func FuzzIndex(f *testing.F) {
	m := Meta{Name: "n", Original: "o", Size: 7, Type: "t", ModTime: time.UnixMicro(5), ETag: "e", Version: 3, Cost: 9, Resolved: true}
	rs := []ranges.Range{span(0, 5), span(7, 4096), span(1<<40, 1<<40+1)}
	seeds := [][]byte{nil, header(), bootRecord(header(), "b"), callRecord(header(), Download, time.Now()), callRecord(header(), "metadata", time.Now()), noteRecord(header(), "limit", "12/m"), rangeSupportRecord(header(), true)}
	all := bootRecord(header(), "b")
	all = assetRecord(all, "a", 1, &m)
	for _, kind := range []byte{kindClaim, kindDurable, kindRemove} {
		all = rangesRecords(all, kind, "a", 1, rs)
		seeds = append(seeds, slices.Clone(all))
		rs = rs[1:]
	}
	all = assetRecord(all, "a", 2, &m)
	seeds = append(seeds, all, all[:len(all)-3], append(slices.Clone(all), 0, 0, 0, 0, 0, 0, 0, 0))
	for _, s := range seeds {
		f.Add(s, false)
	}
	// Payloads that get past the checksum.
	f.Add([]byte{kindBoot, 1, 'b'}, true)
	f.Add([]byte{kindAsset, 1, 'a', 1}, true)
	f.Add([]byte{kindClaim, 1, 'a', 1, 2, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 9}, true)
	f.Fuzz(func(t *testing.T, b []byte, payload bool) {
		if payload {
			in := b
			b = assetRecord(bootRecord(header(), "b"), "a", 1, &m)
			b = frame(b, func(b []byte) []byte { return append(b, in...) })
		}
		c, err := replay(bytes.NewReader(b), "b")
		var version *VersionError
		if err != nil && !errors.Is(err, errHeader) && !errors.Is(err, errRecord) && !errors.As(err, &version) {
			t.Fatalf("error %v", err)
		}
		if c.lengthOfIndex > int64(len(b)) || err == nil && c.lengthOfIndex != int64(len(b)) {
			t.Fatalf("%d of %d bytes good, error %v", c.lengthOfIndex, len(b), err)
		}
		for _, f := range c.order {
			for _, r := range f.present.Ranges() {
				if r.Start < 0 || r.Empty() || r.End > maxOffset {
					t.Fatalf("range %v", r)
				}
			}
			for _, r := range f.unsynced.Ranges() {
				if !f.present.Contains(r) {
					t.Fatalf("%v unsynced, and not present", r)
				}
			}
		}
		again, err := replay(bytes.NewReader(c.snapshot("b")), "b")
		if err != nil {
			t.Fatalf("snapshot: %v", err)
		}
		if len(again.order) != len(c.order) || again.rangeWorks != c.rangeWorks || len(again.calls[Download]) != len(c.calls[Download]) || len(again.notes) != len(c.notes) || !reflect.DeepEqual(again.unknown, c.unknown) {
			t.Fatalf("snapshot: %d assets, %d requests", len(again.order), len(again.calls[Download]))
		}
		for i, f := range c.order {
			g := again.order[i]
			if f.id != g.id || f.meta != g.meta || f.incarnation != g.incarnation ||
				!reflect.DeepEqual(append([]ranges.Range{}, f.present.Ranges()...), append([]ranges.Range{}, g.present.Ranges()...)) ||
				!reflect.DeepEqual(append([]ranges.Range{}, f.unsynced.Ranges()...), append([]ranges.Range{}, g.unsynced.Ranges()...)) {
				t.Fatalf("snapshot: asset %d is %+v %v, was %+v %v", i, g.meta, g.present.Ranges(), f.meta, f.present.Ranges())
			}
		}
	})
}
