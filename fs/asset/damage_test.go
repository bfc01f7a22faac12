package asset

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool/spooltest"
)

// told is what an index tells of one asset.
type told struct {
	Facts             facts
	Incarnation       uint64
	Present, Unsynced []ranges.Range
}

func tellOf(s *Store) map[string]told {
	all := map[string]told{}
	for id, a := range s.assets {
		f := a.facts
		f.firstSeen = time.Time{} // of one that only a pin tells of, it is the time when that was read
		all[id] = told{f, a.incarnation, a.present.Ranges(), a.unsynced.Ranges()}
	}
	return all
}

// TestRecordBits flips each bit of a record of each kind, with a right checksum, as
// no disk does: no crash, no allocation beyond what the index is long, and what is
// told of other assets than the record's stays.
func TestRecordBits(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(story(t), directory, "index"))
	if err != nil {
		t.Fatal(err)
	}
	older := appendRecord(nil, kindRequest, time.Now()) // as only older programs write it
	all := append(payloads(append(older, b[16:logEnd(t, b)]...)), []byte{200, 1, 2, 3})
	kinds := map[byte]int{}
	want, _ := read(all)
	flips := 0
	for i, p := range all {
		kinds[p[0]]++
		id := ""
		if slices.Contains([]byte{kindAsset, kindClaim, kindDurable, kindRemove, kindPin}, p[0]) {
			decode(p[1:], &id)
		}
		for bit := range 8 * len(p) {
			flips++
			bad := slices.Clone(p)
			bad[bit/8] ^= 1 << (bit % 8)
			records := slices.Clone(all)
			records[i] = bad
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			got, _ := read(records)
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Fatalf("record %d, bit %d: %d bytes allocated", i, bit, n)
			}
			// The flip may make it a record of another asset.
			other := ""
			decode(bad[1:], &other)
			now := tellOf(got)
			for of, was := range tellOf(want) {
				if of != id && of != other && p[0] != kindBoot && bad[0] != kindBoot && !reflect.DeepEqual(now[of], was) {
					t.Fatalf("record %d of %q, bit %d: of %s it tells %+v, not %+v", i, id, bit, of, now[of], was)
				}
			}
			snapshot := got.snapshot(nil)
			if _, r := read(payloads(snapshot)); r.refused > 0 {
				t.Fatalf("record %d, bit %d: what is compacted is refused", i, bit)
			}
		}
	}
	for kind := byte(kindBoot); kind <= kindPin; kind++ {
		if kinds[kind] == 0 {
			t.Errorf("no record of kind %d", kind)
		}
	}
	t.Logf("%d bits of %d records", flips, len(all))
}

// copySpool copies a spool as cp does that knows no holes, or the index first.
func copySpool(t *testing.T, root, to string) {
	t.Helper()
	dir := filepath.Join(to, directory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, directory))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		from, err := os.Open(filepath.Join(root, directory, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(f, io.MultiReader(from)) // else the kernel may copy holes
		if err := errors.Join(err, f.Close(), from.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestCopied copies a spool, closed or killed, to another place, disk, boot or
// machine, with its holes or without: what counts there is right, and the rest can
// be had again.
func TestCopied(t *testing.T) {
	killed := story(t)
	closed := story(t)
	closeDir(t, open(t, closed, keep{BootID: "b"}))
	for _, from := range []string{"killed", "closed"} {
		for _, how := range []string{"with holes", "without holes", "another disk"} {
			for _, boot := range []string{"b", "another"} {
				t.Run(fmt.Sprintf("%s, %s, boot %s", from, how, boot), func(t *testing.T) {
					root := map[string]string{"killed": killed, "closed": closed}[from]
					var to string
					switch how {
					case "with holes":
						to = copyDir(t, root)
					case "without holes":
						to = t.TempDir()
						copySpool(t, root, to)
					case "another disk":
						to = spooltest.SmallDisk(t, 8<<20)
						copySpool(t, root, to)
					}
					d := open(t, to, keep{BootID: boot})
					var left int64
					for _, id := range d.ids() {
						check(t, d.Asset(id))
						left += d.Asset(id).Status().Present
					}
					// What was synced counts anywhere, the rest in the boot that has written it.
					most := int64(16*kib + 3*kib + 8*kib + 1000)
					least := most
					if from == "killed" && boot != "b" {
						least = 16 * kib
					}
					if left < least || left > most {
						t.Errorf("%d bytes are present, want %d to %d", left, least, most)
					}
					if !d.Asset("b").Status().Pinned || d.Note("limit") != "12/m" {
						t.Errorf("pinned %v, note %q", d.Asset("b").Status().Pinned, d.Note("limit"))
					}
					for _, id := range d.ids() {
						a := d.Asset(id)
						for gap := a.gap(span(0, 64*kib)); !gap.Empty(); gap = a.gap(span(0, 64*kib)) {
							put(t, a, gap)
						}
						check(t, a)
					}
					closeDir(t, d)
					d = open(t, to, keep{BootID: "a third"})
					for _, id := range d.ids() {
						check(t, d.Asset(id))
						if n := d.Asset(id).Status().Present; n != 64*kib {
							t.Errorf("%s: %d bytes at last", id, n)
						}
					}
				})
			}
		}
	}
}

// TestEveryError has each step on the disk fail, once and from then on, for lack of
// room and for an error of the disk, and the process killed after that: no wrong
// byte, and nothing that was said to be written is lost.
func TestEveryError(t *testing.T) {
	steps := []string{"create", "write", "sync", "close", "append", "index-sync", "punch", "unlink", "compact", "rename", "directory-sync"}
	tried := map[string]int{}
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		for _, forEver := range []bool{errno == syscall.ENOSPC, errno == syscall.EIO} {
			if testing.Short() && forEver == (errno == syscall.EIO) {
				continue
			}
			for _, point := range steps {
				for nth, reached := 1, true; reached; nth++ {
					reached = everyError(t, point, nth, forEver, errno)
					if reached {
						tried[point]++
					}
					if t.Failed() {
						t.Fatalf("%v at %s number %d, for ever: %v", errno, point, nth, forEver)
					}
				}
			}
		}
	}
	for _, point := range steps {
		if tried[point] == 0 {
			t.Errorf("%s never failed", point)
		}
	}
	t.Logf("failed: %v", tried)
}

// everyError uses a spool in which one step fails. It reports whether that step was
// reached.
func everyError(t *testing.T, point string, nth int, forEver bool, errno syscall.Errno) (reached bool) {
	root := t.TempDir()
	var mu sync.Mutex
	left, healed := nth, false
	d, err := openKeep(root, keep{BootID: "b", Size: 256 * kib, Fault: func(p, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if p != point || healed {
			return nil
		}
		if left--; left == 0 || left < 0 && forEver {
			reached = true
			return &os.PathError{Op: p, Path: "x", Err: errno}
		}
		return nil
	}})
	if err != nil {
		if !errors.Is(err, errno) {
			t.Errorf("open: %v", err)
		}
		closeDir(t, open(t, root, keep{BootID: "b"}))
		return reached
	}
	t.Cleanup(d.abandon)
	a, b, c := d.Asset("a"), d.Asset("b"), d.Asset("c")
	write := func(f *Asset, r ranges.Range) {
		if err := f.write(content(f.id, f.Status().Version, r), r.Start); err != nil && !errors.Is(err, errno) && !errors.Is(err, ErrNoSpace) {
			t.Errorf("write %s: %v", f.id, err)
		}
	}
	all := func() {
		for _, f := range []*Asset{a, b, c} {
			check(t, f)
		}
	}
	a.acquire()
	write(a, span(0, 24*kib))
	write(b, span(0, 64*kib))
	noted := d.SetNote("n", "1") == nil
	pinned := d.SetPinned(true, b) == nil
	_ = d.flush()
	_ = d.sync(time.Now())
	called := time.UnixMicro(1)
	if d.NoteCall(Download, time.Now().Truncate(time.Microsecond)) == nil {
		called = d.Calls(Download)[0]
	}
	all()
	_ = d.journal.Compact(d.snapshot)
	a.setSpan(span(16*kib, maxSize))
	d.punchBehind(a, 8*kib)
	all()
	c.reset()
	write(c, span(4*kib, 100*kib))
	_ = resetNow(c)
	write(c, span(0, 50*kib))
	write(c, span(50*kib, 230*kib)) // takes room from others
	all()
	_ = d.sync(time.Now())
	_ = d.journal.Compact(d.snapshot)
	write(a, span(24*kib, 32*kib))
	_ = d.flush()
	all()
	d.abandon()
	mu.Lock()
	healed = true
	mu.Unlock()
	for _, boot := range []string{"b", "another"} {
		d = open(t, root, keep{BootID: boot, Size: 256 * kib})
		a, b, c = d.Asset("a"), d.Asset("b"), d.Asset("c")
		all()
		if noted && d.Note("n") != "1" || pinned && !b.Status().Pinned || called != time.UnixMicro(1) && !slices.ContainsFunc(d.Calls(Download), called.Equal) {
			t.Errorf("boot %s: note %q of %v, pinned %v of %v, calls %v of %v", boot, d.Note("n"), noted, b.Status().Pinned, pinned, d.Calls(Download), called)
		}
		put(t, a, span(0, 4*kib))
		check(t, a)
		d.abandon()
	}
	return reached
}
