package asset

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// diskUsage is what the spool files take of the disk, as du counts.
func diskUsage(t *testing.T, root string) int64 {
	t.Helper()
	var n int64
	for _, path := range spoolFiles(t, root) {
		fi, err := os.Stat(path)
		if err != nil {
			continue // evicted meanwhile
		}
		n += fi.Sys().(*syscall.Stat_t).Blocks * 512
	}
	return n
}

// TestLRU evicts the least recently used asset first, across a restart, and
// never one that is in use.
func TestLRU(t *testing.T) {
	root := t.TempDir()
	const size = 16 * kib
	d := open(t, root, keep{})
	for i := range 6 {
		f := d.Asset(fmt.Sprint("re_", i))
		f.acquire()
		f.change(func(m *facts) { m.info.Size, m.name = size, "name" })
		put(t, f, span(0, size))
		f.release()
	}
	for i, id := range []string{"re_2", "re_3", "re_4", "re_5", "re_1", "re_0"} { // used in this order
		d.Asset(id).change(func(m *facts) { m.lastUse = time.Now().Add(time.Duration(i-10) * time.Second) })
	}
	closeDir(t, d)

	d = open(t, root, keep{Size: 6 * size})
	d.Asset("re_3").acquire()
	d.Asset("re_4").acquire()
	present := func() (ids []string) {
		for _, id := range d.ids() {
			if d.Asset(id).Status().Present > 0 {
				ids = append(ids, id[3:])
			}
		}
		return ids
	}
	d.Asset("new").acquire()
	for i, want := range [][]string{{"0", "1", "3", "4", "5", ""}, {"0", "1", "3", "4", ""}, {"0", "3", "4", ""}, {"3", "4", ""}} {
		put(t, d.Asset("new"), span(int64(i)*size, int64(i+1)*size))
		if got := present(); !slices.Equal(got, want) {
			t.Fatalf("after %d pieces %q are there, want %q", i+1, got, want)
		}
	}
	// All that is left is in use.
	err := d.Asset("new").write(make([]byte, size), 4*size)
	if !errors.Is(err, ErrNoSpace) {
		t.Fatalf("no room: %v", err)
	}
	if got := d.Asset("new").Status().Present; got != 4*size {
		t.Errorf("%d bytes present after the failed write", got)
	}
	if m := d.Asset("re_2").kept(); m.name != "name" || m.info.Size != size {
		t.Errorf("what is known of an evicted asset: %+v", m)
	}
	if got := diskUsage(t, root); got > 6*size {
		t.Errorf("%d bytes on the disk", got)
	}
	// Room returns.
	d.Asset("re_3").release()
	put(t, d.Asset("new"), span(4*size, 5*size))
	check(t, d.Asset("new"))
	// A lower limit is kept from the start.
	closeDir(t, d)
	d = open(t, root, keep{Size: 5 * size})
	if held := d.held(); held > 5*size {
		t.Errorf("%d bytes held", held)
	}
}

// TestNothingGoesInVain checks that nothing is evicted for a write that doesn't fit anyway.
func TestNothingGoesInVain(t *testing.T) {
	d := open(t, t.TempDir(), keep{Size: mib})
	put(t, d.Asset("a"), span(0, 100*kib))
	if err := d.Asset("b").write(make([]byte, 2*mib), 0); !errors.Is(err, ErrNoSpace) {
		t.Fatal(err)
	}
	if d.Asset("a").Status().Present == 0 {
		t.Error("evicted in vain")
	}
}

// TestLoad runs many writers and readers at a limit, with everything else at the same time: no wrong byte,
// never above the limit, and the accounts are right.
func TestLoad(t *testing.T) {
	const limit = 3 * mib
	root := t.TempDir()
	var over sync.Once
	var d *Store
	d = open(t, root, keep{Size: limit, Fault: func(string, string) error {
		if d != nil && d.held() > limit {
			over.Do(func() { t.Errorf("%d bytes held", d.held()) })
		}
		return nil
	}})
	steps := 400
	if testing.Short() {
		steps = 80
	}
	var wg sync.WaitGroup
	for w := range 6 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 3))
			for range steps {
				loadStep(t, d, d.Asset(fmt.Sprint("re_", rnd.IntN(5))), rnd)
			}
		})
	}
	wg.Wait()
	closeDir(t, d)
	d = open(t, root, keep{Size: limit})
	var sum int64
	for _, id := range d.ids() {
		check(t, d.Asset(id))
		f := d.Asset(id)
		f.mu.Lock()
		sum += f.bytes
		f.mu.Unlock()
	}
	if held := d.held(); held != sum || held > limit {
		t.Errorf("%d bytes accounted, %d taken", held, sum)
	}
	// ext4 takes a block for the extents of a file that has more than four.
	if got := diskUsage(t, root); got > limit+int64(len(d.ids()))*d.block {
		t.Errorf("%d bytes on the disk", got)
	}
}

func loadStep(t *testing.T, d *Store, f *Asset, rnd *rand.Rand) {
	if rnd.IntN(40) == 0 {
		if err := d.sync(time.Now()); err != nil {
			t.Error(err)
		}
		return
	}
	defer f.Open().Close()
	pos := rnd.Int64N(2 * mib)
	p := make([]byte, 64*kib)
	for range rnd.IntN(12) {
		r := span(pos, pos+1+rnd.Int64N(64*kib))
		pos = r.End
		if gap := f.gap(r); !gap.Empty() {
			err := f.write(content(f.id, 0, gap), gap.Start)
			if err != nil && !errors.Is(err, ErrNoSpace) {
				t.Errorf("write: %v", err)
			}
		}
		_, err := f.readAt(p[:r.Len()], r.Start)
		if err == nil && !bytes.Equal(p[:r.Len()], content(f.id, 0, r)) {
			t.Errorf("wrong bytes in %s %v", f.id, r)
		} else if err != nil && !errors.Is(err, ErrAbsent) {
			t.Errorf("read: %v", err)
		}
		f.setSpan(span(max(0, pos-100*kib), maxSize))
	}
}

// TestRoomOfUnclaimed: what was written right before a kill, and not claimed, takes no room afterwards.
func TestRoomOfUnclaimed(t *testing.T) {
	root := t.TempDir()
	const limit = 16 * mib
	for i := range int64(5) {
		var dead atomic.Bool
		d := open(t, root, keep{Size: limit, Fault: func(point, _ string) error {
			if point == "append" && dead.Load() {
				return syscall.EIO
			}
			return nil
		}})
		f := d.Asset("re_1")
		f.change(func(m *facts) { m.info.Size = 64 * mib })
		put(t, f, span(i*8*mib, i*8*mib+100))
		flush(t, d)
		dead.Store(true)
		put(t, f, span(i*8*mib+100, (i+1)*8*mib))
		d.abandon()
	}
	d := open(t, root, keep{Size: limit})
	defer closeDir(t, d)
	if got := diskUsage(t, root); got > d.held()+excess {
		t.Errorf("%d bytes on the disk, and %d are counted", got, d.held())
	}
	if got := d.Asset("re_1").Status().Present; got != 500 {
		t.Errorf("%d bytes were claimed, want 500", got)
	}
	check(t, d.Asset("re_1"))
}

// TestRoomOnItsWay: who needs room while the blob of a content that is no more is being removed waits for that.
func TestRoomOnItsWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, t.TempDir(), keep{Size: 8 * mib, Fault: func(point, _ string) error {
			if point == "unlink" {
				time.Sleep(time.Second)
			}
			return nil
		}})
		old := d.Asset("re_1")
		put(t, old, span(0, 8*mib))
		old.mu.Lock()
		was := old.incarnation
		old.mu.Unlock()
		var wg sync.WaitGroup
		wg.Go(func() { old.lose(was) })
		synctest.Wait()
		if err := d.Asset("re_2").write(make([]byte, mib), 0); err != nil {
			t.Errorf("no room, while 8 MiB were about to go: %v", err)
		}
		wg.Wait()
		d.abandon()
	})
}
