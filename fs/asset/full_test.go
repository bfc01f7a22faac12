package asset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"assetfs/fs/ranges"
	"assetfs/fs/spool/spooltest"
)

// TestMinFree keeps a part of a small disk free.
func TestMinFree(t *testing.T) {
	root := spooltest.SmallDisk(t, 4*mib)
	d := open(t, root, keep{MinFree: 2 * mib})
	for i := range 8 {
		f := d.Asset(fmt.Sprint("re_", i))
		f.acquire()
		put(t, f, span(0, 512*kib))
		f.release()
		if u := d.State(); u.Free < 2*mib-128*kib {
			t.Fatalf("%d bytes free after %d assets", u.Free, i+1)
		}
	}
	if d.Asset("re_0").Status().Present != 0 || d.Asset("re_7").Status().Present == 0 {
		t.Error("not the least recently used went")
	}
	f := d.Asset("re_7")
	f.acquire()
	if err := d.Asset("big").write(make([]byte, 3*mib), 0); !errors.Is(err, ErrNoSpace) {
		t.Errorf("write into what is to be free: %v", err)
	}
}

// TestDiskFull uses a full disk: only the write that needs room fails, and when there is room again it
// succeeds.
func TestDiskFull(t *testing.T) {
	root := spooltest.SmallDisk(t, 2*mib)
	d := open(t, root, keep{})
	a, b := d.Asset("a"), d.Asset("b")
	a.acquire()
	b.acquire()
	put(t, a, span(0, 256*kib))
	var err error
	pos := int64(0)
	for ; err == nil; pos += 100 * kib {
		err = b.write(content("b", 0, span(pos, pos+100*kib)), pos)
	}
	pos -= 100 * kib
	if !errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	if got := spooled(b); len(got) != 1 || !got[0].Contains(span(0, pos)) || got[0].End >= pos+100*kib {
		t.Errorf("present after the failed write: %v, and %d were before", got, pos)
	}
	check(t, a)
	check(t, b)
	if err := a.write(content("a", 0, span(mib, mib+300*kib)), mib); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("full disk: %v", err)
	}
	if took := diskUsage(t, root); took != d.held() {
		t.Errorf("%d bytes taken of the disk, and %d counted", took, d.held())
	}
	b.changeNow(func(m *facts) { m.name = "noted on a full disk" })
	// What lies behind the reader of b can go, and is noted on the full disk.
	b.setSpan(span(512*kib, maxSize))
	put(t, b, span(pos, pos+100*kib))
	check(t, b)
	if b.presentNow(span(0, 4096)) {
		t.Error("nothing was punched out")
	}
	// Another user of the disk gives room back, another takes it.
	a.release()
	for range 3 {
		pos += 100 * kib
		put(t, b, span(pos, pos+100*kib))
	}
	if a.Status().Present != 0 && b.presentNow(span(4096, 8192)) {
		t.Error("an asset in use went before one that is not")
	}
	d.abandon()
	d = open(t, root, keep{})
	check(t, d.Asset("a"))
	check(t, d.Asset("b"))
	if d.Asset("b").kept().name != "noted on a full disk" {
		t.Error("a name was lost on a full disk")
	}
}

// TestOpenOnFullDisk opens a spool where nothing can be written.
func TestOpenOnFullDisk(t *testing.T) {
	root := spooltest.SmallDisk(t, mib)
	d := open(t, root, keep{BootID: "one"})
	put(t, d.Asset("a"), span(0, 8192))
	closeDir(t, d)
	ballast, err := os.Create(root + "/ballast")
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 * kib; size >= 512; size /= 2 {
		for err = nil; err == nil; {
			_, err = ballast.Write(make([]byte, size))
		}
	}
	if err := ballast.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, root, keep{BootID: "two"})
	check(t, d.Asset("a"))
	if d.Asset("a").Status().Present != 8192 {
		t.Errorf("%d bytes", d.Asset("a").Status().Present)
	}
	if err := d.Asset("b").write(make([]byte, 64*kib), 0); !errors.Is(err, ErrNoSpace) {
		t.Errorf("write: %v", err)
	}
	if err := os.Remove(root + "/ballast"); err != nil {
		t.Fatal(err)
	}
	put(t, d.Asset("b"), span(0, 64*kib))
	closeDir(t, d)
	d = open(t, root, keep{BootID: "three"})
	for id, want := range map[string]ranges.Range{"b": span(0, 64*kib)} {
		check(t, d.Asset(id))
		if !d.Asset(id).presentNow(want) {
			t.Errorf("%s: %v", id, spooled(d.Asset(id)))
		}
	}
}

// openFilling opens a store that can record nothing while isFull is set; size is that of its index.
func openFilling(t *testing.T, root string) (d *Store, isFull *atomic.Bool, size func() int64) {
	isFull = new(atomic.Bool)
	d = open(t, root, keep{Fault: func(point, _ string) error {
		if point == "append" && isFull.Load() {
			return syscall.ENOSPC
		}
		return nil
	}})
	return d, isFull, func() int64 {
		t.Helper()
		fi, err := os.Stat(filepath.Join(root, directory, "index"))
		if err != nil {
			t.Fatal(err)
		}
		return fi.Size()
	}
}

// TestNotesOnFullDisk: notes that change while nothing can be recorded are recorded later, each once.
func TestNotesOnFullDisk(t *testing.T) {
	root := t.TempDir()
	d, isFull, size := openFilling(t, root)
	if err := d.SetNote("other", "value"); err != nil {
		t.Fatal(err)
	}
	before := size()
	isFull.Store(true)
	for i := range 1000 {
		if err := d.SetNote("ledger", fmt.Sprint(i)); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("error of note %d: %v", i, err)
		}
	}
	if err := d.SetNote("ledger", "999"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error of the same note again: %v", err)
	}
	isFull.Store(false)
	flush(t, d)
	if n := size() - before; n > 100 {
		t.Errorf("%d bytes were recorded", n)
	}
	d.abandon()
	d = open(t, root, keep{})
	defer closeDir(t, d)
	if got := d.Note("ledger"); got != "999" {
		t.Errorf("after a restart it is %q", got)
	}
}

// TestDiskStaysFull has a disk that stays full: the write fails, and most of what was
// paid for stays.
func TestDiskStaysFull(t *testing.T) {
	var full atomic.Bool // the store's goroutines ask
	d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
		if full.Load() && point == "write" {
			return &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
		}
		return nil
	}})
	for i := range 8 {
		put(t, d.Asset(string(rune('a'+i))), span(0, 40*mib))
	}
	full.Store(true)
	if err := d.Asset("z").write(make([]byte, 4096), 0); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("write: %v", err)
	}
	left := 0
	for i := range 8 {
		if d.Asset(string(rune('a'+i))).Status().Present > 0 {
			left++
		}
	}
	if left < 4 {
		t.Errorf("%d of 8 assets are left", left)
	}
	full.Store(false)
	put(t, d.Asset("z"), span(0, 4096))
}

// TestEmptyBacking: the kernel reads an empty asset, too, unless there is no room for its file.
func TestEmptyBacking(t *testing.T) {
	var full atomic.Bool
	d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
		if point == "create" && full.Load() {
			return syscall.ENOSPC
		}
		return nil
	}})
	f := d.Asset("re_1")
	f.change(func(m *facts) { m.info.Size = 0 })
	f.acquire()
	defer f.release()
	full.Store(true)
	if _, err := f.Backing(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("on a full disk: %v", err)
	}
	full.Store(false)
	b, err := f.Backing()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if n, err := b.Read(make([]byte, 1)); n > 0 || !errors.Is(err, io.EOF) {
		t.Errorf("read: %d, %v", n, err)
	}
}
