package asset

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"assetfs/fs/ranges"
)

func TestReset(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{})
	f := d.Asset("re_1")
	f.acquire()
	f.change(func(m *facts) {
		m.info.Size, m.name, m.info.ETag, m.info.LastModified = 8192, "a.bin", "x", "y"
	})
	put(t, f, span(0, 8192))
	old, err := f.Backing()
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if err := resetNow(f); err != nil {
		t.Fatal(err)
	}
	m := f.kept()
	if m.version != 1 || m.info.Size != -1 || m.name != "a.bin" || m.info.ETag+m.info.LastModified != "" {
		t.Errorf("after Reset: %+v", m)
	}
	put(t, f, span(4096, 8192))
	was := make([]byte, 8192)
	if _, err := old.ReadAt(was, 0); err != nil || !bytes.Equal(was, content("re_1", 0, span(0, 8192))) {
		t.Errorf("the old inode changed: %v", err)
	}
	check(t, f)
	f.release()
	closeDir(t, d)
	d = open(t, root, keep{})
	f = d.Asset("re_1")
	if f.Status().Version != 1 || !slices.Equal(spooled(f), []ranges.Range{span(4096, 8192)}) {
		t.Errorf("after reopen: version %d, %v", f.Status().Version, spooled(f))
	}
	check(t, f)
	if got := spoolFiles(t, root); len(got) != 1 {
		t.Errorf("spool files: %q", got)
	}
}

// TestResetDuringWrite changes the content between pwrite and claim.
func TestResetDuringWrite(t *testing.T) {
	var f *Asset
	d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
		if point == "written" {
			return resetNow(f)
		}
		return nil
	}})
	f = d.Asset("re_1")
	if err := f.write(content("re_1", 0, span(0, 4096)), 0); !errors.Is(err, ErrChanged) {
		t.Errorf("WriteAt: %v, want ErrChanged", err)
	}
	if f.Status().Present != 0 || d.State().Held != 0 {
		t.Errorf("%d bytes present, %d used", f.Status().Present, d.State().Held)
	}
}

// TestOtherBaseURL checks that bytes of one API are never served for another.
func TestOtherBaseURL(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{})
	put(t, d.Asset("re_1"), span(0, kib))
	closeDir(t, d)
	other, err := OpenStore(root, baseURL+"/other", StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if known, n := other.ids(), other.Asset("re_1").Status().Present; len(known) != 0 || n != 0 {
		t.Errorf("another base URL sees %q, %d bytes", known, n)
	}
	closeDir(t, other)
	if n := open(t, root, keep{}).Asset("re_1").Status().Present; n != kib {
		t.Errorf("%d bytes are left", n)
	}
}
