package asset

import (
	"encoding/binary"
	"reflect"
	"testing"
	"time"
	"unicode/utf8"

	"assetfs/fs/ranges"
)

// read makes a store of records, without a directory.
func read(payloads [][]byte) (*Store, *loader) {
	s := &Store{bootID: "b", assets: map[string]*Asset{}, calls: map[string][]time.Time{}, notes: map[string]string{}}
	r := &loader{s: s, types: map[string]string{}, old: map[*Asset]bool{}}
	for _, p := range payloads {
		r.apply(p)
	}
	return s, r
}

// payloads returns the payloads of frames with right checksums.
func payloads(frames []byte) (out [][]byte) {
	for len(frames) >= 8 {
		n := int(binary.LittleEndian.Uint32(frames))
		out = append(out, frames[8:8+n])
		frames = frames[8+n:]
	}
	return out
}

// FuzzRecords reads any records: no crash, nothing out of bounds, and a snapshot of
// what was read tells the same.
func FuzzRecords(f *testing.F) {
	known := facts{name: "n", info: Info{Name: "o", Size: 7, Type: "t", ModTime: time.UnixMicro(5), ETag: "e", Header: true}, version: 3, cost: 9}
	rs := []ranges.Range{span(0, 5), span(7, 4096), span(1<<40, 1<<40+1)}
	all := assetRecord(appendRecord(nil, kindBoot, "b"), "a", 1, &known)
	for _, kind := range []byte{kindClaim, kindDurable, kindRemove} {
		all = rangesRecords(all, kind, "a", 1, rs)
		rs = rs[1:]
	}
	all = assetRecord(appendRecord(all, kindPin, "a", true), "a", 2, &known)
	all = appendRecord(appendRecord(appendRecord(appendRecord(all, kindRange, true), kindRequest, time.Now()), kindCall, "metadata", time.Now()), kindNote, "limit", "12/m")
	for _, p := range payloads(all) {
		f.Add(p)
	}
	f.Add([]byte{kindBoot, 1, 'b'})
	f.Add([]byte{kindPin, 1, 'b', 1})
	f.Add([]byte{kindAsset, 1, 'a', 1})
	f.Add([]byte{kindClaim, 1, 'a', 1, 2, 0, 5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 9})
	f.Add([]byte{200, 1, 2, 3})
	first := payloads(all)[:4]
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		s, _ := read(append(append([][]byte{}, first...), b))
		for _, a := range s.list {
			if !utf8.ValidString(a.info.ETag + " " + a.info.LastModified) {
				return // a source gives only text
			}
			for _, r := range a.present.Ranges() {
				if r.Start < 0 || r.Empty() || r.End > maxSize {
					t.Fatalf("range %v", r)
				}
			}
			for _, r := range a.unsynced.Ranges() {
				if !a.present.Contains(r) {
					t.Fatalf("%v unsynced, and not present", r)
				}
			}
		}
		again, r := read(payloads(s.snapshot(nil)))
		if r.refused > 0 || len(again.list) != len(s.list) || again.ranging != s.ranging || len(again.calls[Download]) != len(s.calls[Download]) ||
			!reflect.DeepEqual(again.notes, s.notes) || !reflect.DeepEqual(again.unknown, s.unknown) {
			t.Fatalf("snapshot: %d refused, %d assets, %d requests", r.refused, len(again.list), len(again.calls[Download]))
		}
		for i, a := range s.list {
			g := again.list[i]
			if a.id != g.id || a.facts != g.facts || a.incarnation != g.incarnation ||
				!reflect.DeepEqual(append([]ranges.Range{}, a.present.Ranges()...), append([]ranges.Range{}, g.present.Ranges()...)) ||
				!reflect.DeepEqual(append([]ranges.Range{}, a.unsynced.Ranges()...), append([]ranges.Range{}, g.unsynced.Ranges()...)) {
				t.Fatalf("snapshot: asset %d is %+v %v, was %+v %v", i, g.facts, g.present.Ranges(), a.facts, a.present.Ranges())
			}
		}
	})
}
