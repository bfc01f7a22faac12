package spool

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"assetfs/fs/ranges"
)

func TestReset(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, Options{})
	f := d.File("re_1")
	f.Acquire()
	f.Update(func(m *Meta) { m.Size, m.Name, m.ETag, m.Learnt, m.LastModified = 8192, "a.bin", "x", "x", "y" })
	put(t, f, span(0, 8192))
	old, err := f.Backing()
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := f.Reset(); err != nil {
		t.Fatal(err)
	}
	m := f.Meta()
	if m.Version != 1 || m.Size != -1 || m.Name != "a.bin" || m.ETag+m.Learnt+m.LastModified != "" {
		t.Errorf("after Reset: %+v", m)
	}
	put(t, f, span(4096, 8192))
	was := make([]byte, 8192)
	if _, err := old.ReadAt(was, 0); err != nil || !bytes.Equal(was, content("re_1", 0, span(0, 8192))) {
		t.Errorf("the old inode changed: %v", err)
	}
	check(t, f)
	f.Release()
	closeDir(t, d)
	d = open(t, root, Options{})
	f = d.File("re_1")
	if f.Meta().Version != 1 || !slices.Equal(spooled(f), []ranges.Range{span(4096, 8192)}) {
		t.Errorf("after reopen: version %d, %v", f.Meta().Version, spooled(f))
	}
	check(t, f)
	if got := spoolFiles(t, root); len(got) != 1 {
		t.Errorf("spool files: %q", got)
	}
}

// TestResetDuringWrite has the content change between pwrite and claim.
func TestResetDuringWrite(t *testing.T) {
	var f *File
	d := open(t, t.TempDir(), Options{Fault: func(point, _ string) error {
		if point == "written" {
			return f.Reset()
		}
		return nil
	}})
	f = d.File("re_1")
	if err := f.WriteAt(content("re_1", 0, span(0, 4096)), 0); !errors.Is(err, ErrReset) {
		t.Errorf("WriteAt: %v, want ErrReset", err)
	}
	if f.Len() != 0 || d.Usage().Bytes != 0 {
		t.Errorf("%d bytes present, %d used", f.Len(), d.Usage().Bytes)
	}
}
