package asset

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/ranges"
)

// TestPinned: a pin survives a kill, a compaction, changed content and a thousand evictions.
func TestPinned(t *testing.T) {
	root := t.TempDir()
	const size = 16 * kib
	d := open(t, root, keep{Size: 4 * size})
	pinned := d.Asset("re_pinned")
	pinned.change(func(f *facts) { f.info.Size = size })
	put(t, pinned, span(0, size))
	for _, id := range []string{"re_pinned", "re_unseen", "re_fickle"} {
		if err := d.SetPinned(true, d.Asset(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SetPinned(false, d.Asset("re_fickle")); err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 1000 {
		f := d.Asset(fmt.Sprint("re_", rnd.IntN(10)))
		f.change(func(f *facts) { f.info.Size = size })
		if f.whole() {
			f.Free()
		}
		put(t, f, span(0, size))
		if !pinned.whole() {
			t.Fatalf("the pinned asset went at eviction %d", i)
		}
	}
	is := func(d *Store, when string) {
		t.Helper()
		for id, want := range map[string]bool{"re_pinned": true, "re_unseen": true, "re_fickle": false, "re_1": false} {
			if got := d.Asset(id).Status().Pinned; got != want {
				t.Errorf("%s: pinned of %s is %t, want %t", when, id, got, want)
			}
		}
		if !d.Asset("re_pinned").whole() {
			t.Errorf("%s: the pinned asset is not whole", when)
		}
	}
	is(d, "at once")
	d.abandon()
	d = open(t, root, keep{})
	is(d, "after a kill")
	if err := d.journal.Compact(d.snapshot); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	d = open(t, root, keep{})
	is(d, "after a compaction")
	if err := resetNow(d.Asset("re_pinned")); err != nil {
		t.Fatal(err)
	}
	if !d.Asset("re_pinned").Status().Pinned {
		t.Error("another content is not pinned any more")
	}
	closeDir(t, d)
}

// TestPinnedFull: if everything that could be dropped is pinned there is no room, and the error says so.
func TestPinnedFull(t *testing.T) {
	const size = 16 * kib
	d := open(t, t.TempDir(), keep{Size: 2 * size})
	for i := range 2 {
		f := d.Asset(fmt.Sprint("re_", i))
		f.change(func(f *facts) { f.info.Size = size })
		put(t, f, span(0, size))
		if err := d.SetPinned(true, f); err != nil {
			t.Fatal(err)
		}
	}
	err := d.Asset("re_9").write(make([]byte, size), 0)
	if !errors.Is(err, ErrNoSpace) || !strings.Contains(err.Error(), "32 KiB of pinned assets, which assetfs unpin lets go") {
		t.Errorf("a write beside pinned assets: %v, want ErrNoSpace that says so", err)
	}
	if err := d.SetPinned(false, d.Asset("re_0")); err != nil {
		t.Fatal(err)
	}
	put(t, d.Asset("re_9"), span(0, size))
	if d.Asset("re_0").Status().Present != 0 || d.Asset("re_1").Status().Present != size {
		t.Errorf("what is not pinned has %d bytes, what is has %d; want 0 and %d", d.Asset("re_0").Status().Present, d.Asset("re_1").Status().Present, size)
	}
}

// TestFree: Free drops what nobody uses, and what is partly present and in use; not a whole asset in use,
// which the kernel may be reading.
func TestFree(t *testing.T) {
	root := t.TempDir()
	const size = 256 * kib
	d := open(t, root, keep{})
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
		f := d.Asset(test.name)
		f.change(func(f *facts) { f.info.Size = size })
		if test.used {
			f.acquire()
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
		if n := f.Status().Present; n != have.Len()-test.freed {
			t.Errorf("%s: %d bytes are present afterwards, want %d", test.name, n, have.Len()-test.freed)
		}
		put(t, f, have) // whoever needs it gets it again
		check(t, f)
		if test.used {
			f.release()
		}
		if test.busy {
			if freed, busy := f.Free(); freed != size || busy {
				t.Errorf("%s: closed, Free gives %d, %t, want %d, false", test.name, freed, busy, size)
			}
		}
	}
	if freed, busy := d.Asset("never seen").Free(); freed != 0 || busy {
		t.Errorf("of an asset that was never seen Free gives %d, %t", freed, busy)
	}
	if held := d.State().Held; held != diskUsage(t, root) {
		t.Errorf("the spool counts %d bytes, the disk %d", held, diskUsage(t, root))
	}
	closeDir(t, d)
}

// TestPinIsKeptByOlderPrograms: an older program, which doesn't know records of pins, skips and keeps
// them.
func TestPinIsKeptByOlderPrograms(t *testing.T) {
	payload := payloads(appendRecord(nil, kindPin, "re_1", true))[0]
	old := append([]byte{kindPin + 100}, payload[1:]...) // of a kind that this program doesn't know
	s, r := read([][]byte{old, payload, payload[:len(payload)-1]})
	if len(s.unknown) != 1 || string(s.unknown[0]) != string(old) {
		t.Errorf("a record of a newer kind is not kept: %q", s.unknown)
	}
	if a := s.assets["re_1"]; a == nil || !a.pinned || r.refused != 1 {
		t.Errorf("the record of a pin is not understood, or one that was cut is: %d refused", r.refused)
	}
}

// That a pinned asset has other content than before is found at once.
func TestPinnedChanges(t *testing.T) {
	for _, pinned := range []bool{true, false} {
		test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true}, func(r *rig) {
			rd := r.Open()
			r.read(rd, 0, 1000)
			rd.Close()
			if err := r.store.SetPinned(pinned, r.Asset); err != nil {
				t.Fatal(err)
			}
			r.server.version++
			rd = r.Open()
			defer rd.Close()
			r.fails(rd, 40*mib, 1000, ErrChanged)
			if got := len(r.store.PinsChanged()) > 0; got != pinned {
				t.Errorf("pinned %v: a change is told: %v", pinned, got)
			}
		})
	}
}

// So is that some of its bytes are lost.
func TestPinnedLost(t *testing.T) {
	var broken atomic.Bool
	for name, c := range map[string]struct {
		lose func(*Asset)
		told int
	}{
		"its spool file was deleted": {func(a *Asset) { a.lose(a.incarnation) }, 1},
		"a hole was found":           {func(a *Asset) { _ = a.forget([]ranges.Range{span(0, 4096)}, a.incarnation) }, 1},
		// It would be paid for again and again.
		"the disk fails": {func(a *Asset) { _, _ = a.sync(time.Now()) }, 0},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
				if point == "sync" && broken.Load() {
					return syscall.EIO
				}
				return nil
			}})
			defer closeDir(t, d)
			f := d.Asset("re_1")
			f.acquire()
			defer f.release()
			f.change(func(m *facts) { m.info.Size = mib })
			put(t, f, span(0, mib-1))
			if err := d.SetPinned(true, f); err != nil {
				t.Fatal(err)
			}
			broken.Store(true)
			c.lose(f)
			broken.Store(false)
			if told := len(d.PinsChanged()); f.Status().Present == mib-1 || told != c.told {
				t.Errorf("%d bytes are left, and that is told %d times, want %d", f.Status().Present, told, c.told)
			}
		})
	}
}

// TestPinnedWhileRoomIsMade pins an asset when it has been decided to drop a part of it.
func TestPinnedWhileRoomIsMade(t *testing.T) {
	d := open(t, t.TempDir(), keep{})
	f := d.Asset("re_1")
	f.acquire()
	defer f.release()
	f.change(func(m *facts) { m.info.Size = 64 * mib })
	put(t, f, span(0, mib))
	f.setSpan(span(2*mib, 3*mib))
	_, h := d.holdings(nil, span(0, 0))
	actions := Reclaim(h, mib)
	if len(actions) != 1 {
		t.Fatalf("to be dropped: %v", actions)
	}
	if err := d.SetPinned(true, f); err != nil {
		t.Fatal(err)
	}
	if n := f.punchOut(actions[0].Ranges, h.Distance); n > 0 {
		t.Errorf("%d bytes of a pinned asset went", n)
	}
	if n, busy := f.Free(); n > 0 || busy || f.Status().Present != mib {
		t.Errorf("%d bytes of a pinned asset were freed, later the rest: %t", n, busy)
	}
}

// TestPinnedTwice: who pins what somebody else is pinning waits until it is on the disk, and is told if that fails.
func TestPinnedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var fails atomic.Bool
		d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
			if point == "append" && fails.Load() {
				time.Sleep(time.Minute)
				return syscall.EIO
			}
			return nil
		}})
		f := d.Asset("re_1")
		fails.Store(true)
		var errs [2]error
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() { errs[i] = d.SetPinned(true, f) })
		}
		wg.Wait()
		if errs[0] == nil || errs[1] == nil || f.Status().Pinned {
			t.Errorf("pinned: %t, the errors are %v", f.Status().Pinned, errs)
		}
		d.abandon()
	})
}

// TestPinnedTogether: of several that are pinned at once all are safe before the disk is waited for, and if that fails, none is.
func TestPinnedTogether(t *testing.T) {
	var fails atomic.Bool
	safe := make(chan int, 1)
	var assets []*Asset
	d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
		if point != "append" || !fails.CompareAndSwap(true, false) {
			return nil
		}
		n := 0
		for _, a := range assets {
			if a.Status().Pinned {
				n++
			}
		}
		safe <- n
		return syscall.EIO
	}})
	assets = []*Asset{d.Asset("a"), d.Asset("b"), d.Asset("c")}
	fails.Store(true)
	err := d.SetPinned(true, assets...)
	if n := <-safe; !errors.Is(err, syscall.EIO) || n != len(assets) {
		t.Errorf("%d of %d are pinned when that is written, then %v", n, len(assets), err)
	}
	for _, a := range assets {
		if a.Status().Pinned {
			t.Errorf("%s is pinned", a.id)
		}
	}
	closeDir(t, d)
}

// TestPins are kept, and what is pinned never goes.
func TestPins(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{})
	for _, id := range []string{"a", "b"} {
		put(t, d.Asset(id), span(0, 64*kib))
		if err := d.SetPinned(true, d.Asset(id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.SetPinned(false, d.Asset("b")); err != nil {
		t.Fatal(err)
	}
	flush(t, d)
	for range 2 { // killed, and closed
		d.abandon()
		d = open(t, root, keep{Size: 192 * kib})
		if a, b := d.Asset("a").Status().Pinned, d.Asset("b").Status().Pinned; !a || b {
			t.Fatalf("pinned: a %v, b %v", a, b)
		}
		closeDir(t, d)
	}
	d = open(t, root, keep{Size: 128 * kib})
	put(t, d.Asset("c"), span(0, 64*kib))
	if d.Asset("a").Status().Present == 0 || d.Asset("b").Status().Present != 0 {
		t.Errorf("a has %d bytes, b %d", d.Asset("a").Status().Present, d.Asset("b").Status().Present)
	}
	if err := d.Asset("c").write(make([]byte, 64*kib), 64*kib); !errors.Is(err, ErrNoSpace) {
		t.Errorf("write: %v", err)
	}
	check(t, d.Asset("a"))
}
