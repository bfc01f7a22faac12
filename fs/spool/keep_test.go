package spool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
)

// A pin outlives a kill, a compaction, changed content and a thousand evictions.
func TestPinned(t *testing.T) {
	root := t.TempDir()
	const size = 16 * kib
	d := open(t, root, Options{Size: 4 * size})
	pinned := d.File("re_pinned")
	pinned.Update(func(m *Meta) { m.Size = size })
	put(t, pinned, span(0, size))
	for _, id := range []string{"re_pinned", "re_unseen", "re_fickle"} {
		if err := d.File(id).SetPinned(true); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.File("re_fickle").SetPinned(false); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		f := d.File(fmt.Sprint("re_", rnd.IntN(10)))
		f.Update(func(m *Meta) { m.Size = size })
		if f.Whole() {
			f.Free()
		}
		put(t, f, span(0, size))
		if !pinned.Whole() {
			t.Fatalf("the pinned asset went at eviction %d", i)
		}
	}
	is := func(d *Dir, when string) {
		t.Helper()
		for id, want := range map[string]bool{"re_pinned": true, "re_unseen": true, "re_fickle": false, "re_1": false} {
			if got := d.File(id).Pinned(); got != want {
				t.Errorf("%s: pinned of %s is %t, want %t", when, id, got, want)
			}
		}
		if !d.File("re_pinned").Whole() {
			t.Errorf("%s: the pinned asset is not whole", when)
		}
	}
	is(d, "at once")
	d.abandon()
	d = open(t, root, Options{})
	is(d, "after a kill")
	if err := d.compact(); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	d = open(t, root, Options{})
	is(d, "after a compaction")
	if err := d.File("re_pinned").Reset(); err != nil {
		t.Fatal(err)
	}
	if !d.File("re_pinned").Pinned() {
		t.Error("another content is not pinned any more")
	}
	closeDir(t, d)
}

// Where all that could go is pinned there is no room, and the error says so.
func TestPinnedFull(t *testing.T) {
	const size = 16 * kib
	d := open(t, t.TempDir(), Options{Size: 2 * size})
	for i := range 2 {
		f := d.File(fmt.Sprint("re_", i))
		f.Update(func(m *Meta) { m.Size = size })
		put(t, f, span(0, size))
		if err := f.SetPinned(true); err != nil {
			t.Fatal(err)
		}
	}
	err := d.File("re_9").WriteAt(make([]byte, size), 0)
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "32 KiB of pinned assets, which assetfs unpin lets go") {
		t.Errorf("a write beside pinned assets: %v, want ENOSPC that says so", err)
	}
	if err := d.File("re_0").SetPinned(false); err != nil {
		t.Fatal(err)
	}
	put(t, d.File("re_9"), span(0, size))
	if d.File("re_0").Len() != 0 || d.File("re_1").Len() != size {
		t.Errorf("what is not pinned has %d bytes, what is has %d; want 0 and %d", d.File("re_0").Len(), d.File("re_1").Len(), size)
	}
}

// Free gives the room of what nobody uses, and of what is partly present and in
// use; not that of a whole asset in use, which the kernel may be reading.
func TestFree(t *testing.T) {
	root := t.TempDir()
	const size = 256 * kib
	d := open(t, root, Options{})
	for _, test := range []struct {
		name        string
		used, whole bool
		freed       int64
		busy        bool
	}{
		{"idle", false, true, size, false},
		{"idle part", false, false, size / 2, false},
		{"used part", true, false, size / 2, false},
		{"used whole", true, true, 0, true},
	} {
		f := d.File(test.name)
		f.Update(func(m *Meta) { m.Size = size })
		if test.used {
			f.Acquire()
		}
		have := span(0, size)
		if !test.whole {
			have.End = size / 2
		}
		put(t, f, have)
		before := diskUsage(t, root)
		freed, busy := f.Free()
		if freed != test.freed || busy != test.busy {
			t.Errorf("%s: Free gives %d, %t, want %d, %t", test.name, freed, busy, test.freed, test.busy)
		}
		if got := before - diskUsage(t, root); got != test.freed {
			t.Errorf("%s: the disk got back %d bytes, want %d", test.name, got, test.freed)
		}
		if n := f.Len(); n != have.Len()-test.freed {
			t.Errorf("%s: %d bytes are present afterwards, want %d", test.name, n, have.Len()-test.freed)
		}
		put(t, f, have) // whoever needs it gets it again
		check(t, f)
		if test.used {
			f.Release()
		}
		if test.busy {
			if freed, busy := f.Free(); freed != size || busy {
				t.Errorf("%s: closed, Free gives %d, %t, want %d, false", test.name, freed, busy, size)
			}
		}
	}
	if freed, busy := d.File("never seen").Free(); freed != 0 || busy {
		t.Errorf("of an asset that was never seen Free gives %d, %t", freed, busy)
	}
	if held := d.Usage().Bytes; held != diskUsage(t, root) {
		t.Errorf("the spool counts %d bytes, the disk %d", held, diskUsage(t, root))
	}
	closeDir(t, d)
}

// An older program skips the record of a pin and keeps it: it knows the kind by
// nothing but its number.
func TestPinIsKeptByOlderPrograms(t *testing.T) {
	payload := pinRecord(nil, "re_1", true)[frameLen:]
	old := append([]byte{kindPin + 100}, payload[1:]...) // of a kind that this program doesn't know
	c := &contents{files: map[string]*File{}}
	if !c.apply(old, "boot", map[string]string{}) || len(c.unknown) != 1 || string(c.unknown[0]) != string(old) {
		t.Errorf("a record of a newer kind is not kept: %q", c.unknown)
	}
	if !c.apply(payload, "boot", map[string]string{}) || !c.files["re_1"].pinned {
		t.Error("the record of a pin is not understood")
	}
	if c.apply(payload[:len(payload)-1], "boot", map[string]string{}) || !c.files["re_1"].pinned {
		t.Error("a record of a pin that was cut is taken for one")
	}
}
