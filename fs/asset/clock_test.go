package asset

import (
	"testing"
	"testing/synctest"
	"time"
)

// A clock that is set, between mounts or during one, does not change how long ago a call was. In
// another boot only that is known which the clock says, but no call is in the future.
func TestClockSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root, up := t.TempDir(), 10*time.Hour
		mount := func(boot string) *Store {
			return open(t, root, keep{BootID: boot, Uptime: func() time.Duration { return up }})
		}
		pass := func(passed, shown time.Duration) { // the clock is set if they differ
			time.Sleep(shown)
			up += passed
		}
		expect := func(d *Store, what string, ages ...time.Duration) {
			t.Helper()
			got := d.Calls(Download)
			if len(got) != len(ages) {
				t.Fatalf("%s: calls %v, want %d", what, got, len(ages))
			}
			for i, age := range ages {
				if since := time.Since(got[i]); (since - age).Abs() > time.Millisecond {
					t.Errorf("%s: call %d was %v ago, want %v", what, i, since, age)
				}
			}
		}
		note := func(d *Store) {
			t.Helper()
			if err := d.NoteCall(Download, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		d := mount("one")
		note(d)
		pass(time.Second, time.Second)
		expect(d, "as it is", time.Second)
		closeDir(t, d)
		pass(time.Second, 3*time.Hour)
		d = mount("one")
		expect(d, "set forward between mounts", 2*time.Second)
		note(d)
		pass(time.Minute, 0)
		expect(d, "set back while mounted", 62*time.Second, time.Minute)
		note(d)
		d.abandon()
		d = mount("one")
		expect(d, "after a kill", 62*time.Second, time.Minute, 0)
		if err := d.journal.Compact(d.snapshot); err != nil {
			t.Fatal(err)
		}
		d.abandon()
		pass(10*time.Minute, time.Second)
		d = mount("one")
		expect(d, "after a compaction", 662*time.Second, 11*time.Minute, 10*time.Minute)
		d.abandon()
		up = time.Second
		d = mount("two")
		for _, at := range d.Calls(Download) {
			if at.After(time.Now()) {
				t.Errorf("after a reboot there is a call in the future: %v", at)
			}
		}
		note(d)
		pass(time.Second, 24*time.Hour)
		if got := d.Calls(Download); time.Since(got[len(got)-1]) != time.Second {
			t.Errorf("set forward after a reboot: %v", got)
		}
		d.abandon()
	})
}

// Calls that can't be recorded are not made, so they are not recorded later either.
func TestCallsOnFullDisk(t *testing.T) {
	d, isFull, size := openFilling(t, t.TempDir())
	before := size()
	isFull.Store(true)
	for range 1000 {
		if d.NoteCall(Download, time.Now()) == nil {
			t.Fatal("recorded on a full disk")
		}
	}
	isFull.Store(false)
	if err := d.NoteCall(Download, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := size() - before; n > 200 {
		t.Errorf("%d bytes were recorded", n)
	}
}

// TestLRUClockSetBack: what was used after the clock was set back was used last all the same.
func TestLRUClockSetBack(t *testing.T) {
	root := t.TempDir()
	const size = 16 * kib
	d := open(t, root, keep{})
	for _, id := range []string{"before", "after"} {
		f := d.Asset(id)
		f.acquire()
		f.change(func(m *facts) { m.info.Size = size })
		put(t, f, span(0, size))
		f.release()
	}
	d.Asset("before").change(func(m *facts) { m.lastUse = time.Now().Add(time.Hour) }) // as the clock said then
	closeDir(t, d)

	d = open(t, root, keep{Size: 2 * size})
	d.Asset("after").acquire()
	d.Asset("after").release()
	put(t, d.Asset("new"), span(0, size))
	if before, after := d.Asset("before").Status().Present, d.Asset("after").Status().Present; before != 0 || after != size {
		t.Errorf("of what was used before and after %d and %d bytes are left, want 0 and %d", before, after, size)
	}
}
