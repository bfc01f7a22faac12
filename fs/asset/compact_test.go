package asset

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestTwoMachines lets two machines use a spool in turn: claims for the boot of one are never believed
// again after the other has used it.
func TestTwoMachines(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{BootID: "one"})
	f := d.Asset("a")
	f.acquire()
	put(t, f, span(0, 8192))
	if err := d.sync(time.Now()); err != nil {
		t.Fatal(err)
	}
	put(t, f, span(8192, 16*kib))
	flush(t, d)
	d.abandon()
	// The second machine never saw the bytes that were not synced.
	if err := os.Truncate(spoolFiles(t, root)[0], 8192); err != nil {
		t.Fatal(err)
	}
	d = open(t, root, keep{BootID: "two"})
	f = d.Asset("a")
	f.acquire()
	if f.Status().Present != 8192 {
		t.Fatalf("%d bytes", f.Status().Present)
	}
	// It writes behind them, in the same block as they end.
	if err := f.write(make([]byte, 8192), 12*kib); err != nil { // zeros: no holes to find
		t.Fatal(err)
	}
	if err := f.write(content("a", 0, span(8200, 8300)), 8200); err != nil {
		t.Fatal(err)
	}
	flush(t, d)
	d.abandon()
	d = open(t, root, keep{BootID: "one"})
	if f = d.Asset("a"); f.Status().Present != 8192 {
		t.Errorf("present again: %v", spooled(f))
	}
	check(t, f)
}

// TestCompaction compacts the journal while the Dir is in use.
func TestCompaction(t *testing.T) {
	root := t.TempDir()
	compacted := make(chan struct{}, 100)
	d := open(t, root, keep{Fault: func(point, _ string) error {
		if point == "directory-synced" {
			compacted <- struct{}{}
		}
		return nil
	}})
	f := d.Asset("a")
	f.acquire()
	put(t, f, span(0, 5000))
	long := strings.Repeat("x", 40*kib)
	for i := range 40 {
		f.changeNow(func(m *facts) { m.info.Name = long; m.cost = int64(i) })
	}
	<-compacted                                 // by the writer
	if size := logSize(t, root); size > 1<<20 { // what came after the compaction is in it, too
		t.Errorf("log of %d bytes after compaction", size)
	}
	f.changeNow(func(m *facts) { m.name = "after" })
	d.abandon()
	d = open(t, root, keep{})
	if m := d.Asset("a").kept(); m.name != "after" || m.info.Name != long || m.cost != 39 {
		t.Errorf("after compaction: name %q, cost %d", m.name, m.cost)
	}
	check(t, d.Asset("a"))
	closeDir(t, d)
	fi, err := os.Stat(filepath.Join(root, directory, "index"))
	if err != nil || fi.Size() > 50*kib {
		t.Errorf("index after Close: %v, %v", fi.Size(), err)
	}
}

// TestCompactFails checks that an index which can't be replaced stays in use.
func TestCompactFails(t *testing.T) {
	for _, at := range []string{"compact", "compacted", "rename"} {
		root := t.TempDir()
		broken := errors.New("broken")
		d := open(t, root, keep{Fault: func(point, _ string) error {
			if point == at {
				return broken
			}
			return nil
		}})
		put(t, d.Asset("a"), span(0, 100))
		if err := d.journal.Compact(d.snapshot); !errors.Is(err, broken) {
			t.Errorf("%s: compact: %v", at, err)
		}
		put(t, d.Asset("a"), span(100, 200))
		if err := d.Close(); !errors.Is(err, broken) {
			t.Errorf("%s: Close: %v", at, err)
		}
		d = open(t, root, keep{BootID: "other"})
		if d.Asset("a").Status().Present != 200 {
			t.Errorf("%s: %d bytes left", at, d.Asset("a").Status().Present)
		}
		check(t, d.Asset("a"))
		d.abandon()
	}
}

// TestCompactionFails checks that a failed compaction is tried again after a minute, not with each flush,
// and that claims which the disk refused become permanent once one succeeds.
func TestCompactionFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := t.TempDir()
		var synced, broken atomic.Bool
		var compactions atomic.Int64
		d := open(t, root, keep{BootID: "one", Fault: func(point, _ string) error {
			switch {
			case point == "compact":
				compactions.Add(1)
			case point == "index-sync" && !synced.Swap(true):
				return syscall.EIO
			}
			if broken.Load() && point == "compact" {
				return syscall.ENOSPC
			}
			return nil
		}})
		broken.Store(true)
		a := d.Asset("a")
		a.change(func(f *facts) { f.info.Size = 8192 })
		put(t, a, span(0, 8192)) // whole: synced at once
		for range 30 {
			time.Sleep(flushAfter)
			a.change(func(f *facts) { f.cost++ })
		}
		synctest.Wait()
		if n := compactions.Load(); n != 1 {
			t.Errorf("compacted %d times in half a minute", n)
		}
		broken.Store(false)
		time.Sleep(compactAgain)
		a.change(func(f *facts) { f.cost++ })
		time.Sleep(2 * flushAfter)
		synctest.Wait()
		if n := compactions.Load(); n != 2 {
			t.Errorf("compacted %d times", n)
		}
		d.abandon()
		d = open(t, root, keep{BootID: "two"})
		if n := d.Asset("a").Status().Present; n != 8192 {
			t.Errorf("%d bytes last", n)
		}
		d.abandon()
	})
}

// TestClaimsDuringCompaction checks that what is recorded during a compaction, which may take long,
// survives a kill.
func TestClaimsDuringCompaction(t *testing.T) {
	for _, at := range []string{"compact", "compacted", "directory-sync", "directory-synced"} {
		t.Run(at, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				root := t.TempDir()
				var slow atomic.Bool
				arrived, goOn := make(chan struct{}), make(chan struct{})
				d := open(t, root, keep{BootID: "b", Fault: func(point, _ string) error {
					if point == at && slow.Swap(false) {
						close(arrived)
						<-goOn
					}
					return nil
				}})
				a := d.Asset("a")
				a.acquire() // nothing of it is synced soon
				put(t, a, span(0, 8*kib))
				flush(t, d)
				slow.Store(true)
				for i := range 40 {
					a.changeNow(func(f *facts) { f.info.Name, f.cost = strings.Repeat("x", 40*kib), int64(i) })
				}
				<-arrived // the writer has begun a compaction
				put(t, a, span(8*kib, 16*kib))
				go func() { // both would hang
					if err := errors.Join(d.NoteCall(Download, time.Now()), d.SetNote("n", "v")); err != nil {
						t.Error(err)
					}
				}()
				time.Sleep(flushAfter)
				synctest.Wait()
				killed := copyDir(t, root)
				close(goOn)
				synctest.Wait()
				d.abandon()
				for what, root := range map[string]string{"killed meanwhile": killed, "killed later": root} {
					d := open(t, root, keep{BootID: "b"})
					check(t, d.Asset("a"))
					if n, calls, note := d.Asset("a").Status().Present, len(d.Calls(Download)), d.Note("n"); n != 16*kib || calls != 1 || note != "v" {
						t.Errorf("%s: %d bytes of %d, %d calls, note %q", what, n, 16*kib, calls, note)
					}
					d.abandon()
				}
			})
		})
	}
}
