package spool

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"assetfs/fs/ranges"
)

// TestRecordsNotUnderstood has good frames whose content is not acceptable, and
// kinds of a newer version. The first cost their own asset, the others nothing,
// and these stay when the index is compacted.
func TestRecordsNotUnderstood(t *testing.T) {
	bad := func(kind byte, id string, rest ...byte) []byte {
		return frame(nil, func(b []byte) []byte { return append(appendString(append(b, kind), id), rest...) })
	}
	huge := Meta{Size: maxOffset + 1}
	newer := frame(nil, func(b []byte) []byte { return append(b, 200, 1, 2, 3) })
	for name, record := range map[string][]byte{
		"size":               assetRecord(nil, "b", 1, &huge),
		"asset cut off":      bad(kindAsset, "b", 1),
		"claim out of order": bad(kindClaim, "b", 1, 1, 0, 0),
		"claim beyond all":   rangesRecords(nil, kindDurable, "b", 1, []ranges.Range{span(0, maxOffset+1)}),
		"removal cut off":    bad(kindRemove, "b", 1, 9),
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			d := open(t, root, Options{BootID: "b"})
			for _, id := range []string{"a", "b", "c"} {
				put(t, d.File(id), span(0, 8*kib))
			}
			flush(t, d)
			d.abandon()
			index := filepath.Join(root, directoryName(baseURL), indexName)
			whole, err := os.ReadFile(index)
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole[:logEnd(t, whole)], append(record, newer...)...)
			whole = append(whole, noteRecord(nil, "after", "read")...)
			if err := os.WriteFile(index, whole, 0o600); err != nil {
				t.Fatal(err)
			}

			var log logs
			d = open(t, root, Options{BootID: "b", Log: log.logger()})
			if d.Note("after") != "read" || !strings.Contains(log.String(), "not understood") {
				t.Errorf("what follows is not read, or no log line: %s", log.String())
			}
			for id, want := range map[string]int64{"a": 8 * kib, "b": 0, "c": 8 * kib} {
				check(t, d.File(id))
				if got := d.File(id).Len(); got != want {
					t.Errorf("%s has %d bytes, want %d", id, got, want)
				}
			}
			put(t, d.File("b"), span(0, 4*kib)) // it can be had again
			closeDir(t, d)                      // compacts
			if compacted, err := os.ReadFile(index); err != nil || !bytes.Contains(compacted, newer) {
				t.Errorf("the newer record is not kept, error %v", err)
			}
			d = open(t, root, Options{BootID: "b"})
			defer closeDir(t, d)
			check(t, d.File("b"))
			if got := d.File("b").Len(); got != 4*kib {
				t.Errorf("b has %d bytes after a restart", got)
			}
		})
	}
}

// logEnd is where the records of an index end: zeros may be taken ahead.
func logEnd(t *testing.T, index []byte) int64 {
	t.Helper()
	c, _ := replay(bytes.NewReader(index), "b")
	return c.lengthOfIndex
}

// TestWhatNoRecordCanHold is not taken over, so that what is written can be read.
func TestWhatNoRecordCanHold(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, Options{})
	f := d.File("a")
	f.Update(func(m *Meta) { m.Size, m.Name = 5, "a.bin" })
	for name, change := range map[string]func(*Meta){
		"size beyond all": func(m *Meta) { m.Size = maxOffset + 1 },
		"negative size":   func(m *Meta) { m.Size = -2 },
		"negative cost":   func(m *Meta) { m.Cost = -1 },
		"long text":       func(m *Meta) { m.ETag = strings.Repeat("x", maxPayload) },
	} {
		before := f.Meta()
		f.Update(change)
		if got := f.Meta(); got != before {
			t.Errorf("%s: taken over", name)
		}
	}
	f.Update(func(m *Meta) { m.Size = maxOffset })
	closeDir(t, d)
	d = open(t, root, Options{})
	defer closeDir(t, d)
	if m := d.File("a").Meta(); m.Size != maxOffset || m.Name != "a.bin" {
		t.Errorf("read again: %+v", m)
	}
}

// TestReview drops what is no asset, once.
func TestReview(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, Options{})
	for id, size := range map[string]int64{"error": 100, "file": 100, "large": acceptSize + 1, "part": 100} {
		f := d.File(id)
		put(t, f, span(0, size))
		f.Update(func(m *Meta) {
			m.Name, m.Size, m.Resolved = id, size, true
			if id == "part" {
				m.Size++
			}
		})
	}
	closeDir(t, d)
	asked := map[string]int{}
	o := Options{Accept: func(m *Meta, read func() []byte) bool {
		asked[m.Name]++
		if got := len(read()); int64(got) != m.Size {
			t.Errorf("%s: read %d bytes", m.Name, got)
		}
		m.Learnt = "judged"
		return m.Name != "error"
	}}
	d = open(t, root, o)
	if len(asked) != 2 || d.File("file").Meta().Learnt != "judged" {
		t.Errorf("asked %v, %+v", asked, d.File("file").Meta())
	}
	closeDir(t, d)
	d = open(t, root, o)
	defer closeDir(t, d)
	if asked["error"] != 1 {
		t.Errorf("asked %v", asked)
	}
	m := d.File("error").Meta()
	if d.File("error").Len() != 0 || m.Name != "error" || m.Size != -1 || m.Resolved {
		t.Errorf("of the error: %d bytes, %+v", d.File("error").Len(), m)
	}
	for _, id := range []string{"file", "large", "part"} {
		if d.File(id).Len() == 0 {
			t.Errorf("%s is gone", id)
		}
	}
}
