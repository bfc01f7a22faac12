package asset

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// TestRecordsNotUnderstood writes good frames with unacceptable content, and kinds of a newer version. The
// former cost only their own asset, the latter nothing, and these are kept by a compaction.
func TestRecordsNotUnderstood(t *testing.T) {
	bad := func(kind byte, id string, rest ...byte) []byte {
		return spool.AppendFrame(nil, func(b []byte) []byte { return append(append(append(b, kind, byte(len(id))), id...), rest...) })
	}
	huge := facts{info: Info{Size: maxSize + 1}}
	newer := spool.AppendFrame(nil, func(b []byte) []byte { return append(b, 200, 1, 2, 3) })
	for name, record := range map[string][]byte{
		"size":               assetRecord(nil, "b", 1, &huge),
		"asset cut off":      bad(kindAsset, "b", 1),
		"claim out of order": bad(kindClaim, "b", 1, 1, 0, 0),
		"claim beyond all":   rangesRecords(nil, kindDurable, "b", 1, []ranges.Range{span(0, maxSize+1)}),
		"removal cut off":    bad(kindRemove, "b", 1, 9),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d := open(t, root, keep{BootID: "b"})
			for _, id := range []string{"a", "b", "c"} {
				put(t, d.Asset(id), span(0, 8*kib))
			}
			flush(t, d)
			d.abandon()
			index := filepath.Join(root, directory, "index")
			whole, err := os.ReadFile(index)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole[:logEnd(t, whole)], append(record, newer...)...)
			whole = append(whole, appendRecord(nil, kindNote, "after", "read")...)
			if err := os.WriteFile(index, whole, 0o600); err != nil {
				t.Fatal(err)
			}

			var log logs
			d = open(t, root, keep{BootID: "b", Log: log.logger()})
			if d.Note("after") != "read" || !strings.Contains(log.String(), "not understood") {
				t.Errorf("what follows is not read, or no log line: %s", log.String())
			}
			for id, want := range map[string]int64{"a": 8 * kib, "b": 0, "c": 8 * kib} {
				check(t, d.Asset(id))
				if got := d.Asset(id).Status().Present; got != want {
					t.Errorf("%s has %d bytes, want %d", id, got, want)
				}
			}
			put(t, d.Asset("b"), span(0, 4*kib)) // it can be had again
			closeDir(t, d)                       // compacts
			if compacted, err := os.ReadFile(index); err != nil || !bytes.Contains(compacted, newer) {
				t.Errorf("the newer record is not kept, error %v", err)
			}
			d = open(t, root, keep{BootID: "b"})
			defer closeDir(t, d)
			check(t, d.Asset("b"))
			if got := d.Asset("b").Status().Present; got != 4*kib {
				t.Errorf("b has %d bytes after a restart", got)
			}
		})
	}
}

// logEnd is where the records of an index end: zeros may be taken ahead.
func logEnd(t *testing.T, index []byte) int64 {
	t.Helper()
	end := 16
	for end+8 <= len(index) {
		n := int(binary.LittleEndian.Uint32(index[end:]))
		if n == 0 {
			break
		}
		end += 8 + n
	}
	return int64(end)
}

// TestWhatNoRecordCanHold checks that such facts are not stored, so that everything written can be read.
func TestWhatNoRecordCanHold(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{})
	f := d.Asset("a")
	f.change(func(m *facts) { m.info.Size, m.name = 5, "a.bin" })
	for name, change := range map[string]func(*facts){
		"size beyond all": func(m *facts) { m.info.Size = maxSize + 1 },
		"negative size":   func(m *facts) { m.info.Size = -2 },
		"negative cost":   func(m *facts) { m.cost = -1 },
		"long text":       func(m *facts) { m.info.ETag = strings.Repeat("x", spool.MaxRecord) },
	} {
		before := f.kept()
		f.change(change)
		if got := f.kept(); got != before {
			t.Errorf("%s: taken over", name)
		}
	}
	f.change(func(m *facts) { m.info.Size = maxSize })
	closeDir(t, d)
	d = open(t, root, keep{})
	defer closeDir(t, d)
	if m := d.Asset("a").kept(); m.info.Size != maxSize || m.name != "a.bin" {
		t.Errorf("read again: %+v", m)
	}
}

// TestReview drops, once, what is not an asset. What this program has stored is not reviewed.
func TestReview(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{})
	for id, size := range map[string]int64{"error": 100, "file": 100, "large": reviewSize + 1, "part": 100, "ours": 100} {
		f := d.Asset(id)
		put(t, f, span(0, size))
		f.change(func(m *facts) {
			m.name, m.info.Size = id, size
			if id == "part" {
				m.info.Size++
			}
		})
	}
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
	each(d.all(), func(a *Asset) {
		if i := &a.info; a.id != "ours" {
			d.journal.Queue(appendRecord(nil, kindAsset, a.id, a.incarnation, a.name, i.Name, i.Type, i.ETag, i.LastModified, "of an older program",
				i.ModTime, a.firstSeen, a.lastUse, i.Size, a.version, a.cost, i.Header))
		}
	})
	if err := d.journal.Write(); err != nil {
		t.Fatal(err)
	}
	d.abandon()
	index, err := os.OpenFile(filepath.Join(root, directory, "index"), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := index.WriteString("damage"); err != nil { // the index is compacted when it is opened
		t.Fatal(err)
	}
	index.Close()
	asked := map[string]int{}
	o := keep{Fault: func(point, _ string) error {
		if point == "compact" && asked["error"] == 0 {
			t.Error("not asked before a compaction, after which nothing tells who has stored what")
		}
		return nil
	}, Impostor: func(p []byte) bool {
		for _, id := range []string{"error", "file"} {
			if bytes.Equal(p, content(id, 0, span(0, 100))) {
				asked[id]++
				return id == "error"
			}
		}
		asked["other"]++
		return false
	}}
	for range 3 {
		d = open(t, root, o)
		if asked["error"] != 1 || asked["file"] != 1 || asked["other"] != 0 {
			t.Errorf("asked %v", asked)
		}
		closeDir(t, d)
	}
	d = open(t, root, o)
	defer closeDir(t, d)
	m := d.Asset("error").kept()
	if d.Asset("error").Status().Present != 0 || m.name != "error" || m.info.Size != -1 || m.info.Header || m.version != 1 {
		t.Errorf("of the error: %d bytes, %+v", d.Asset("error").Status().Present, m)
	}
	for _, id := range []string{"file", "large", "part", "ours"} {
		if d.Asset(id).Status().Present == 0 {
			t.Errorf("%s is gone", id)
		}
	}
}
