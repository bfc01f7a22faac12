package spool

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"assetfs/fs/ranges"
)

// TestMinFree keeps a part of a small disk free.
func TestMinFree(t *testing.T) {
	root := smallDisk(t, 4*mib)
	d := open(t, root, Options{MinFree: 2 * mib})
	for i := range 8 {
		f := d.File(fmt.Sprint("re_", i))
		f.Acquire()
		put(t, f, span(0, 512*kib))
		f.Release()
		if u := d.Usage(); u.Free < 2*mib-128*kib {
			t.Fatalf("%d bytes free after %d assets", u.Free, i+1)
		}
	}
	if d.File("re_0").Len() != 0 || d.File("re_7").Len() == 0 {
		t.Error("not the least recently used went")
	}
	f := d.File("re_7")
	f.Acquire()
	var full *NoSpaceError
	if err := d.File("big").WriteAt(make([]byte, 3*mib), 0); !errors.As(err, &full) {
		t.Errorf("write into what is to be free: %v", err)
	}
}

// TestDiskFull has a disk without room: only the write that needs some fails,
// and when there is room again it succeeds.
func TestDiskFull(t *testing.T) {
	root := smallDisk(t, 2*mib)
	d := open(t, root, Options{})
	a, b := d.File("a"), d.File("b")
	a.Acquire()
	b.Acquire()
	put(t, a, span(0, 256*kib))
	var full *NoSpaceError
	var err error
	pos := int64(0)
	for ; err == nil; pos += 100 * kib {
		err = b.WriteAt(content("b", 0, span(pos, pos+100*kib)), pos)
	}
	pos -= 100 * kib
	if !errors.As(err, &full) || !errors.Is(full.Err, syscall.ENOSPC) {
		t.Fatalf("full disk: %v", err)
	}
	if got := spooled(b); len(got) != 1 || got[0] != span(0, pos) {
		t.Errorf("present after the failed write: %v", got)
	}
	check(t, a)
	check(t, b)
	if err := a.WriteAt(make([]byte, 300*kib), mib); !errors.As(err, &full) {
		t.Fatalf("full disk: %v", err)
	}
	b.UpdateNow(func(m *Meta) { m.Name = "noted on a full disk" })
	// What lies behind the reader of b can go, and is noted on the full disk.
	b.SetSpan(span(512*kib, maxOffset))
	put(t, b, span(pos, pos+100*kib))
	check(t, b)
	if b.presentNow(span(0, 4096)) {
		t.Error("nothing was punched out")
	}
	// Another user of the disk gives room back, another takes it.
	a.Release()
	for range 3 {
		pos += 100 * kib
		put(t, b, span(pos, pos+100*kib))
	}
	if a.Len() != 0 && b.presentNow(span(4096, 8192)) {
		t.Error("an asset in use went before one that is not")
	}
	d.abandon()
	d = open(t, root, Options{})
	check(t, d.File("a"))
	check(t, d.File("b"))
	if d.File("b").Meta().Name != "noted on a full disk" {
		t.Error("a name was lost on a full disk")
	}
}

// TestOpenOnFullDisk opens a spool where nothing can be written.
func TestOpenOnFullDisk(t *testing.T) {
	root := smallDisk(t, mib)
	d := open(t, root, Options{BootID: "one"})
	put(t, d.File("a"), span(0, 8192))
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
	d = open(t, root, Options{BootID: "two"})
	check(t, d.File("a"))
	if d.File("a").Len() != 8192 {
		t.Errorf("%d bytes", d.File("a").Len())
	}
	var full *NoSpaceError
	if err := d.File("b").WriteAt(make([]byte, 64*kib), 0); !errors.As(err, &full) {
		t.Errorf("write: %v", err)
	}
	if err := os.Remove(root + "/ballast"); err != nil {
		t.Fatal(err)
	}
	put(t, d.File("b"), span(0, 64*kib))
	closeDir(t, d)
	d = open(t, root, Options{BootID: "three"})
	for id, want := range map[string]ranges.Range{"b": span(0, 64*kib)} {
		check(t, d.File(id))
		if !d.File(id).presentNow(want) {
			t.Errorf("%s: %v", id, spooled(d.File(id)))
		}
	}
}
