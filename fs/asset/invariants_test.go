package asset

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

// What keeps a store right over crashes are six invariants. The model, the kill
// tests and the fault matrix hold them all together; here is each alone.

// (a) Bytes are written, then claimed.
func TestInvariantWrittenThenClaimed(t *testing.T) {
	for _, at := range []string{"create", "write", "written"} {
		root := t.TempDir()
		var d *Store
		d = open(t, root, keep{Fault: func(point, _ string) error {
			if point != at {
				return nil
			}
			if err := d.flush(); err != nil { // whatever is claimed by now is in the journal
				t.Error(err)
			}
			return errCrash
		}})
		if err := d.Asset("a").write(content("a", 0, span(0, 8192)), 0); !errors.Is(err, errCrash) {
			t.Errorf("%s: write: %v", at, err)
		}
		flush(t, d)
		d.abandon()
		d = open(t, root, keep{})
		if got := spooled(d.Asset("a")); len(got) > 0 {
			t.Errorf("%s: claimed %v", at, got)
		}
		d.abandon()
	}
}

// (b) The record of a removal is written before the punch, and on the disk if the
// claim may be.
func TestInvariantRemovalBeforePunch(t *testing.T) {
	for _, durable := range []bool{false, true} {
		var mu sync.Mutex
		var points []string
		d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
			mu.Lock()
			defer mu.Unlock()
			points = append(points, point)
			return nil
		}})
		a := d.Asset("a")
		a.acquire()
		put(t, a, span(0, 64*kib))
		flush(t, d)
		if durable {
			if err := d.sync(time.Now()); err != nil {
				t.Fatal(err)
			}
		}
		a.setSpan(span(64*kib, maxSize))
		mu.Lock()
		points = nil
		mu.Unlock()
		d.punchBehind(a, 64*kib)
		mu.Lock()
		punch := slices.Index(points, "punch")
		before := points[:max(0, punch)]
		if punch < 0 || !slices.Contains(before, "appended") || durable && !slices.Contains(before, "index-synced") {
			t.Errorf("durable %v: %q", durable, points)
		}
		mu.Unlock()
		d.abandon()
	}
}

// (b) also where the record of a first attempt could not be written.
func TestRemovalTriedAgain(t *testing.T) {
	var mu sync.Mutex
	var points []string
	var broken bool
	d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		points = append(points, point)
		if point == "append" && broken {
			return syscall.EIO
		}
		return nil
	}})
	set := func(b bool) {
		mu.Lock()
		defer mu.Unlock()
		points, broken = nil, b
	}
	a := d.Asset("a")
	a.acquire()
	put(t, a, span(0, 64*kib))
	if err := d.sync(time.Now()); err != nil {
		t.Fatal(err)
	}
	a.setSpan(span(64*kib, maxSize))
	set(true)
	if n := d.punchBehind(a, 64*kib); n != 0 || a.Status().Present != 64*kib {
		t.Errorf("%d bytes freed, %d present", n, a.Status().Present)
	}
	set(false)
	if n := d.punchBehind(a, 64*kib); n != 64*kib {
		t.Errorf("%d bytes freed", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if punch := slices.Index(points, "punch"); punch < 0 || !slices.Contains(points[:punch], "index-synced") {
		t.Errorf("%q", points)
	}
}

// A removal that can't be recorded removes nothing.
func TestRemovalNotRecorded(t *testing.T) {
	root := t.TempDir()
	var broken sync.Map
	d := open(t, root, keep{Fault: func(point, _ string) error {
		if _, is := broken.Load(point); is {
			return errCrash
		}
		if point == "punch" {
			t.Error("punched")
		}
		return nil
	}})
	a := d.Asset("a")
	a.acquire()
	put(t, a, span(0, 64*kib))
	if err := d.sync(time.Now()); err != nil {
		t.Fatal(err)
	}
	a.setSpan(span(64*kib, maxSize))
	broken.Store("append", true)
	if n := d.punchBehind(a, 64*kib); n != 0 || a.Status().Present != 64*kib {
		t.Errorf("%d bytes freed, %d present", n, a.Status().Present)
	}
	check(t, a)
	broken.Delete("append")
	flush(t, d)
	d.abandon()
	d = open(t, root, keep{})
	check(t, d.Asset("a"))
	if n := d.Asset("a").Status().Present; n != 64*kib {
		t.Errorf("%d bytes after a restart", n)
	}
}

// (c) Each content version has a blob of its own, which all its records name: claims
// of an old one never meet new bytes.
func TestInvariantIncarnations(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{BootID: "b"})
	a := d.Asset("a")
	put(t, a, span(0, 8192))
	flush(t, d)
	old := rangesRecords(nil, kindClaim, "a", a.incarnation, []ranges.Range{span(0, 8192)})
	a.reset()
	put(t, a, span(4096, 8192))
	d.journal.Queue(old) // as if it came late
	flush(t, d)
	d.abandon()
	d = open(t, root, keep{BootID: "b"})
	a = d.Asset("a")
	check(t, a)
	if got := spooled(a); !slices.Equal(got, []ranges.Range{span(4096, 8192)}) {
		t.Errorf("present: %v", got)
	}
	if files := spoolFiles(t, root); len(files) != 1 || !strings.HasSuffix(files[0], "a.2") {
		t.Errorf("blobs: %q", files)
	}
}

// (d) Records are in the order in which they were queued under the asset's lock.
func TestInvariantOrder(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{BootID: "b"})
	a := d.Asset("a")
	a.acquire()
	var wg sync.WaitGroup
	for i := range int64(8) {
		wg.Go(func() {
			r := span(i*64*kib, (i+1)*64*kib)
			for range 20 {
				put(t, a, r)
				if err := errors.Join(a.withdraw([]ranges.Range{r}), d.flush()); err != nil {
					t.Error(err)
				}
			}
			if i%2 == 0 {
				put(t, a, r)
			}
		})
	}
	wg.Wait()
	flush(t, d)
	want := spooled(a)
	d.abandon()
	d = open(t, root, keep{BootID: "b"})
	if got := spooled(d.Asset("a")); !slices.Equal(got, want) || len(got) != 4 {
		t.Errorf("present %v, were %v", got, want)
	}
}

// (e) A compaction is a cut: what changes while it is made is behind it.
func TestInvariantCut(t *testing.T) {
	for _, at := range []string{"compact", "compacted", "rename", "renamed"} {
		root := t.TempDir()
		var d *Store
		var hook atomic.Pointer[func()]
		d = open(t, root, keep{BootID: "b", Fault: func(point, _ string) error {
			if point != at {
				return nil
			}
			if do := hook.Swap(nil); do != nil {
				(*do)()
			}
			return nil
		}})
		a, b, c := d.Asset("a"), d.Asset("b"), d.Asset("c")
		for _, x := range []*Asset{a, b} {
			put(t, x, span(0, 64*kib))
		}
		flush(t, d)
		meanwhile := func() {
			put(t, c, span(0, 4096))
			put(t, a, span(100*kib, 104*kib))
			a.mu.Lock()
			a.queueLocked()
			a.removeLocked(span(0, 8*kib))
			d.journal.Queue(rangesRecords(nil, kindRemove, "a", a.incarnation, []ranges.Range{span(0, 8*kib)}))
			a.mu.Unlock()
			b.mu.Lock()
			b.dropLocked()
			b.mu.Unlock()
			put(t, b, span(8*kib, 16*kib))
		}
		hook.Store(&meanwhile)
		if err := d.journal.Compact(d.snapshot); err != nil {
			t.Fatal(err)
		}
		flush(t, d)
		var want [3][]ranges.Range
		for i, x := range []*Asset{a, b, c} {
			want[i] = spooled(x)
		}
		d.abandon()
		d = open(t, root, keep{BootID: "b"})
		for i, id := range []string{"a", "b", "c"} {
			check(t, d.Asset(id))
			if got := spooled(d.Asset(id)); !slices.Equal(got, want[i]) {
				t.Errorf("%s: %s has %v, had %v", at, id, got, want[i])
			}
		}
		d.abandon()
	}
}

// (f) Holes in what is claimed are found at the first open, before a byte of it is
// given to anybody.
func TestInvariantHoles(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{BootID: "b"})
	a := d.Asset("a")
	put(t, a, span(0, 64*kib))
	a.change(func(f *facts) { f.info.Size = 64 * kib })
	closeDir(t, d)
	path := filepath.Join(root, directory, "a.1")
	if err := errors.Join(os.Truncate(path, 32*kib), os.Truncate(path, 64*kib)); err != nil {
		t.Fatal(err)
	}
	d = open(t, root, keep{BootID: "b"})
	a = d.Asset("a")
	if f, err := a.Backing(); !errors.Is(err, ErrAbsent) {
		t.Errorf("Backing: %v, %v", f, err)
	}
	p := make([]byte, 4096)
	if _, err := a.readAt(p, 40*kib); !errors.Is(err, ErrAbsent) {
		t.Errorf("read of a hole: %v", err)
	}
	if got := spooled(a); !slices.Equal(got, []ranges.Range{span(0, 32*kib)}) {
		t.Errorf("present: %v", got)
	}
	check(t, a)
}

// TestOlderIndex reads the spool of the program before the journal had a package of
// its own: one that was closed, and one that was killed.
func TestOlderIndex(t *testing.T) {
	at := time.UnixMicro(1_790_000_000_000_000)
	for _, kind := range []string{"closed", "killed"} {
		for _, boot := range []string{"b", "another"} {
			if kind == "killed" && boot != "b" {
				continue // what was not synced is lost, and that is tested elsewhere
			}
			root := t.TempDir()
			dir := filepath.Join(root, directory)
			if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "index", kind))); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			d := open(t, root, keep{BootID: boot})
			for id, want := range map[string][]ranges.Range{
				"re_1": {span(8*kib, 24*kib), span(30*kib, 33*kib)},
				"re_2": {span(4*kib, 12*kib)},
				"re_3": {span(6000, 7000)},
				"RE.4": {span(0, 5000)},
			} {
				check(t, d.Asset(id))
				if got := spooled(d.Asset(id)); !slices.Equal(got, want) {
					t.Errorf("%s, boot %s: %s has %v, want %v", kind, boot, id, got, want)
				}
			}
			got := d.Asset("re_1").kept()
			want := Info{Name: "film.mp4", Size: 64 * kib, Type: "video/mp4", ModTime: at, ETag: `"e1"`, LastModified: "Tue, 24 Nov 2026 03:00:00 GMT", Header: true}
			want.Learnt = Learnt{Ranging: RangeYes, Seen: [2]string{`etag "e1"`}, Stable: true}
			got.info.ModTime = got.info.ModTime.UTC()
			want.ModTime = want.ModTime.UTC()
			if got.info != want || got.cost != 70*kib || !got.firstSeen.Equal(at) || got.pinned {
				t.Errorf("%s: re_1 is %+v, want %+v", kind, got, want)
			}
			two := d.Asset("re_2").kept()
			if two.version != 1 || two.name != "b.bin" || two.info.Size != -1 || d.Asset("RE.4").kept().name != "upper.txt" || !d.Asset("RE.4").whole() {
				t.Errorf("%s: re_2 is %+v", kind, two)
			}
			if d.Ranging() != RangeYes || d.Note("limit") != "12/m" || len(d.unknown) != 1 {
				t.Errorf("%s: Range %v, note %q, %d unknown records", kind, d.Ranging(), d.Note("limit"), len(d.unknown))
			}
			if got := d.ids(); !slices.Equal(got, []string{"re_1", "re_2", "re_3", "RE.4"}) {
				t.Errorf("%s: order %q", kind, got)
			}
			closeDir(t, d)
		}
	}
}
