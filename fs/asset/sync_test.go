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

	"assetfs/fs/ranges"
)

// TestKillCost checks what a kill may cost: less than a second of streaming, or 4 MiB.
func TestKillCost(t *testing.T) {
	t.Run("a second", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			root := t.TempDir()
			d := open(t, root, keep{})
			put(t, d.Asset("re_1"), span(0, mib))
			time.Sleep(flushAfter)
			synctest.Wait()
			put(t, d.Asset("re_1"), span(mib, 2*mib))
			d.abandon()
			d = open(t, root, keep{})
			if n := d.Asset("re_1").Status().Present; n < mib {
				t.Errorf("%d bytes left", n)
			}
		})
	})
	t.Run("4 MiB", func(t *testing.T) {
		root := t.TempDir()
		appended := make(chan struct{}, 10)
		d := open(t, root, keep{Fault: func(point, _ string) error {
			if point == "appended" {
				appended <- struct{}{}
			}
			return nil
		}})
		<-appended // the header
		f := d.Asset("re_1")
		f.acquire()
		start := time.Now()
		put(t, f, span(0, flushBytes))
		<-appended
		if took := time.Since(start); took > flushAfter {
			t.Logf("slow machine: the second came first (%v)", took)
		}
		d.abandon()
		d = open(t, root, keep{})
		if n := d.Asset("re_1").Status().Present; n != flushBytes {
			t.Errorf("%d bytes left", n)
		}
	})
}

// TestSyncCadence checks when claims become permanent: when nobody uses the asset, when it is whole or in
// many runs, and 30 seconds after the first byte of a stream.
func TestSyncCadence(t *testing.T) {
	left := func(t *testing.T, do func(f *Asset)) int64 {
		var n int64
		synctest.Test(t, func(t *testing.T) {
			root := t.TempDir()
			d := open(t, root, keep{BootID: "one"})
			f := d.Asset("re_1")
			f.acquire()
			put(t, f, span(0, 8192))
			do(f)
			synctest.Wait()
			d.abandon()
			d = open(t, root, keep{BootID: "two"})
			n = d.Asset("re_1").Status().Present
			check(t, d.Asset("re_1"))
			d.abandon()
		})
		return n
	}
	for name, c := range map[string]struct {
		do   func(f *Asset)
		want int64
	}{
		"streaming, 29 s": {func(*Asset) { time.Sleep(29 * time.Second) }, 0},
		"streaming, 31 s": {func(*Asset) { time.Sleep(31 * time.Second) }, 8192},
		"released":        {func(f *Asset) { f.release() }, 8192},
		"whole":           {func(f *Asset) { f.change(func(m *facts) { m.info.Size = 8192 }) }, 8192},
		"whole by a write": {func(f *Asset) {
			f.change(func(m *facts) { m.info.Size = 12288 })
			if err := f.write(content("re_1", 0, ranges.Range{Start: 8192, End: 12288}), 8192); err != nil {
				t.Error(err)
			}
		}, 12288},
		"many runs": {func(f *Asset) {
			for i := int64(1); i < syncRanges; i++ {
				r := span(i*16*kib, i*16*kib+4*kib)
				if err := f.write(content("re_1", 0, r), r.Start); err != nil {
					t.Error(err)
				}
			}
		}, 8192 + (syncRanges-1)*4*kib},
	} {
		t.Run(name, func(t *testing.T) {
			if got := left(t, c.do); got != c.want {
				t.Errorf("%d bytes last, want %d", got, c.want)
			}
		})
	}
}

// TestIdleBlob checks that a blob is closed when nobody uses it and all of it is on the disk.
func TestIdleBlob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, t.TempDir(), keep{})
		f := d.Asset("a")
		f.acquire()
		put(t, f, span(0, 8192))
		time.Sleep(time.Minute)
		if !f.blob.Open() {
			t.Error("closed in use")
		}
		f.release()
		synctest.Wait()
		if f.blob.Open() {
			t.Error("open, and nobody uses it")
		}
		check(t, f) // opens it again
		d.abandon()
	})
}

// TestSyncFails uses a disk that can't write pending bytes. The kernel may have dropped them, so they are
// forgotten; what was synced before is not.
func TestSyncFails(t *testing.T) {
	root := t.TempDir()
	var broken atomic.Bool
	var log logs
	d := open(t, root, keep{Log: log.logger(), Fault: func(point, _ string) error {
		if point == "sync" && broken.Load() {
			return syscall.EIO
		}
		return nil
	}})
	f := d.Asset("a")
	f.acquire()
	put(t, f, span(0, 8192))
	if err := d.sync(time.Now()); err != nil {
		t.Fatal(err)
	}
	put(t, f, span(8192, 16*kib))
	broken.Store(true)
	if err := d.sync(time.Now()); !errors.Is(err, syscall.EIO) {
		t.Errorf("sync: %v", err)
	}
	if got := spooled(f); len(got) != 1 || got[0] != span(0, 8192) {
		t.Errorf("present: %v", got)
	}
	if !strings.Contains(log.String(), "forgotten") {
		t.Errorf("log: %s", log.String())
	}
	broken.Store(false)
	put(t, f, span(8192, 12*kib))
	closeDir(t, d)
	d = open(t, root, keep{BootID: "other"})
	check(t, d.Asset("a"))
	if n := d.Asset("a").Status().Present; n != 12*kib {
		t.Errorf("%d bytes", n)
	}
}

// TestSyncKeepsFailing checks that a sync that fails is not tried again at each write to an asset with much
// to sync, and that only changes are logged.
func TestSyncKeepsFailing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var tries atomic.Int64
		var log logs
		d := open(t, t.TempDir(), keep{Log: log.logger(), Fault: func(point, _ string) error {
			if point != "directory-sync" || !broken.Load() {
				return nil
			}
			tries.Add(1)
			return syscall.EIO
		}})
		f := d.Asset("re_1")
		f.acquire()
		broken.Store(true)
		for i := range int64(syncRanges + 200) {
			r := span(i*16*kib, i*16*kib+4*kib)
			if err := f.write(content("re_1", 0, r), r.Start); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			synctest.Wait()
		}
		time.Sleep(syncAgain)
		synctest.Wait()
		const most = 50*(syncRanges+200)/1000/10 + 2 // one in ten seconds
		if n := tries.Load(); n < 2 || n > most {
			t.Errorf("tried %d times, want 2 to %d", n, most)
		}
		if n := strings.Count(log.String(), "spool not synced"); n != 1 {
			t.Errorf("logged %d times: %s", n, log.String())
		}
		broken.Store(false)
		time.Sleep(syncAgain)
		synctest.Wait()
		if n := f.unsynced.Len(); n > 0 {
			t.Errorf("%d bytes are not synced later", n)
		}
		d.abandon()
	})
}

// TestSyncFailsOnce uses a disk that fails once to write the pending bytes and has forgotten it afterwards,
// as Linux does. Nothing may count that was written before it failed, whatever else fails then.
func TestSyncFailsOnce(t *testing.T) {
	for name, during := range map[string]struct {
		point string // at which more is written, or that fails, too
		fails bool
	}{
		"bytes are written meanwhile":        {"sync", false},
		"a write has not ended":              {"written", false},
		"another sync sees no failure":       {"another", false},
		"the journal is not synced either":   {"index-sync", true},
		"the journal is not written either":  {"append", true},
		"the directory is not synced either": {"directory-sync", true},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			var armed, failing atomic.Bool
			var d *Store
			var f *Asset
			file := filepath.Join(root, directory, "a.1")
			lose := func() error { // what the kernel could not write goes, once the memory is wanted
				failing.Store(true)
				disk, err := os.OpenFile(file, os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				defer disk.Close()
				fi, err := disk.Stat()
				if err == nil && fi.Size() > 8192 {
					_, err = disk.WriteAt(make([]byte, fi.Size()-8192), 8192)
				}
				if err != nil {
					t.Fatal(err)
				}
				return syscall.EIO
			}
			d = open(t, root, keep{BootID: "b", Fault: func(point, _ string) error {
				switch {
				case during.fails && point == during.point && failing.Swap(false):
					return syscall.EIO
				case point == "sync" && during.point != "written" && armed.Swap(false):
					if during.point == "sync" {
						put(t, f, span(64*kib, 68*kib))
					}
					err := lose()
					if during.point == "another" {
						_ = d.sync(time.Now())
					}
					return err
				case point == "written" && during.point == "written" && armed.Swap(false):
					armed.Store(true)
					_ = d.sync(time.Now())
				case point == "sync" && during.point == "written" && armed.Swap(false):
					return lose()
				}
				return nil
			}})
			f = d.Asset("a")
			f.acquire()
			put(t, f, span(0, 8192))
			if err := d.sync(time.Now()); err != nil {
				t.Fatal(err)
			}
			put(t, f, span(8192, 16*kib))
			armed.Store(true)
			if during.point == "written" {
				put(t, f, span(32*kib, 40*kib))
			} else if err := d.sync(time.Now()); !errors.Is(err, syscall.EIO) {
				t.Errorf("sync: %v", err)
			}
			check(t, f)
			if err := d.sync(time.Now()); err != nil {
				t.Logf("sync: %v", err) // the journal may need a compaction first
			}
			_ = d.flush()
			d.abandon()
			for _, boot := range []string{"b", "another"} {
				d = open(t, root, keep{BootID: boot})
				f = d.Asset("a")
				check(t, f)
				if !f.presentNow(span(0, 8192)) || f.presentNow(span(8192, 8193)) {
					t.Errorf("boot %s: %v", boot, spooled(f))
				}
				d.abandon()
			}
		})
	}
}

// TestReadIsNotSynced checks that closing a file that was only read writes nothing.
func TestReadIsNotSynced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var syncs atomic.Int64
		d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
			if strings.HasSuffix(point, "sync") {
				syncs.Add(1)
			}
			return nil
		}})
		a := d.Asset("a")
		a.acquire()
		put(t, a, span(0, 8192))
		a.release()
		synctest.Wait()
		if n := syncs.Swap(0); n != 3 { // the blob, its name, the index
			t.Errorf("%d syncs of what was written", n)
		}
		a.acquire()
		check(t, a)
		a.release()
		synctest.Wait()
		if n := syncs.Load(); n > 0 || a.blob.Open() {
			t.Errorf("%d syncs of what was read, still open: %v", n, a.blob.Open())
		}
		d.abandon()
	})
}
