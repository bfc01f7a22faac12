package asset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// story makes a spool whose index has every kind of record, with later records that withdraw what earlier
// ones claim. It returns the directory.
func story(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	d := open(t, root, keep{BootID: "b"})
	a, b, c := d.Asset("a"), d.Asset("b"), d.Asset("c")
	a.acquire()
	put(t, a, span(0, 24*kib))
	b.changeNow(func(m *facts) { m.name, m.info.Size = "b.bin", 8192 })
	put(t, b, span(0, 8192)) // whole: made to last
	flush(t, d)
	if err := d.sync(time.Now()); err != nil {
		t.Fatal(err)
	}
	d.learnRange(RangeYes)
	if err := d.NoteCall(Download, time.Now()); err != nil {
		t.Fatal(err)
	}
	a.setSpan(span(16*kib, maxSize))
	if n := d.punchBehind(a, 8*kib); n != 8*kib {
		t.Errorf("%d bytes punched out", n)
	}
	if err := resetNow(b); err != nil {
		t.Fatal(err)
	}
	put(t, b, span(4096, 12*kib))
	put(t, c, span(0, 5000))
	flush(t, d)
	if n := c.evict(); n != 8192 {
		t.Errorf("%d bytes evicted", n)
	}
	put(t, c, span(6000, 7000))
	flush(t, d)
	put(t, a, span(30*kib, 33*kib))
	flush(t, d)
	if err := errors.Join(d.NoteCall("metadata", time.Now()), d.SetNote("limit", "12/m"), d.SetPinned(true, b)); err != nil {
		t.Fatal(err)
	}
	d.abandon()
	return root
}

func flush(t *testing.T, d *Store) {
	t.Helper()
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
}

// copyDir copies the spool directory of root to a new root. Holes stay holes.
func copyDir(t *testing.T, root string) string {
	t.Helper()
	to := t.TempDir()
	from := filepath.Join(root, directory)
	dir := filepath.Join(to, directory)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(from, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		for off := 0; off < len(b); off += 4096 {
			block := b[off:min(off+4096, len(b))]
			if len(bytes.Trim(block, "\x00")) == 0 {
				continue
			}
			if _, err := f.WriteAt(block, int64(off)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(f.Truncate(int64(len(b))), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// TestIndexDamage truncates the index at every length and flips a bit of every
// byte, every bit if KILL_ROUNDS is set. What stands before the damage counts, nothing wrong does.
func TestIndexDamage(t *testing.T) {
	root := story(t)
	index := filepath.Join(root, directory, "index")
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("index of %d bytes", len(whole))
	damaged := func(what string, b []byte) {
		root := copyDir(t, root)
		if err := os.WriteFile(filepath.Join(root, directory, "index"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		var log logs
		d := open(t, root, keep{BootID: "b", Log: log.logger()})
		good := logSize(t, root)
		for _, id := range d.ids() {
			check(t, d.Asset(id))
			// What was gained is recorded behind the damage.
			f := d.Asset(id)
			put(t, f, span(50*kib, 51*kib))
		}
		flush(t, d)
		d.abandon()
		if t.Failed() {
			t.Fatalf("index %s", what)
		}
		if good < int64(len(b)) && !strings.Contains(log.String(), "index") {
			t.Fatalf("index %s: %d of %d bytes good, and no log line", what, good, len(b))
		}
		d = open(t, root, keep{BootID: "b"})
		for _, id := range d.ids() {
			check(t, d.Asset(id))
			if !d.Asset(id).presentNow(span(50*kib, 51*kib)) {
				t.Fatalf("index %s: what was recorded behind the damage is lost", what)
			}
		}
		d.abandon()
	}
	damaged("whole", whole)
	for n := range whole {
		damaged(fmt.Sprintf("truncated to %d", n), whole[:n])
	}
	for bit := range 8 * len(whole) {
		if os.Getenv("KILL_ROUNDS") == "" && bit%8 != bit/8%8 {
			continue // spool.TestDamage flips them all
		}
		b := slices.Clone(whole)
		b[bit/8] ^= 1 << (bit % 8)
		damaged(fmt.Sprintf("flipped at bit %d", bit), b)
	}
}

// logSize is the length of the index.
func logSize(t *testing.T, root string) int64 {
	t.Helper()
	fi, err := os.Stat(filepath.Join(root, directory, "index"))
	if err != nil {
		t.Fatal(err)
	}
	return fi.Size()
}

// TestNewerVersion checks that an index written by a newer program is refused, with a message that says
// what to do, and is not touched: what was paid for is not thrown away.
func TestNewerVersion(t *testing.T) {
	for what, sum := range map[string]func(b []byte) uint32{
		"right checksum":   func(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) },
		"another checksum": func([]byte) uint32 { return 0 },
	} {
		root := story(t)
		index := filepath.Join(root, directory, "index")
		b, err := os.ReadFile(index)
		if err != nil {
			t.Fatal(err)
		}
		ours := slices.Clone(b)
		binary.LittleEndian.PutUint32(b[8:], 2)
		binary.LittleEndian.PutUint32(b[12:], sum(b[:12]))
		if err := os.WriteFile(index, b, 0o600); err != nil {
			t.Fatal(err)
		}
		files := spoolFiles(t, root)
		_, err = openKeep(root, keep{BootID: "b"})
		if err == nil || !strings.Contains(err.Error(), "newer assetfs") || !strings.Contains(err.Error(), "--spool-dir") || !strings.Contains(err.Error(), root) {
			t.Errorf("%s: Open: %v", what, err)
		}
		if after, err := os.ReadFile(index); err != nil || !bytes.Equal(after, b) || !slices.Equal(spoolFiles(t, root), files) {
			t.Errorf("%s: the spool was touched: %v", what, err)
		}
		if err := os.WriteFile(index, ours, 0o600); err != nil {
			t.Fatal(err)
		}
		d := open(t, root, keep{BootID: "b"})
		if d.State().Held == 0 {
			t.Errorf("%s: nothing is left", what)
		}
		d.abandon()
	}
}

// TestDamagedHeader checks that nothing is lost, since records have checksums of their own.
func TestDamagedHeader(t *testing.T) {
	root := story(t)
	d := open(t, root, keep{BootID: "b"})
	want := d.State().Held
	closeDir(t, d) // so that nothing is left to be synced
	index := filepath.Join(root, directory, "index")
	for i := range 16 {
		b, err := os.ReadFile(index)
		if err != nil {
			t.Fatal(err)
		}
		b[i] ^= 0x42
		if err := os.WriteFile(index, b, 0o600); err != nil {
			t.Fatal(err)
		}
		d := open(t, root, keep{BootID: "b"})
		if got := d.State().Held; got != want {
			t.Errorf("byte %d: %d bytes are left of %d", i, got, want)
		}
		d.abandon()
	}
}

// TestNamesBesideFlush: names are recorded when SetNames returns, also if another flush has taken
// their assets from the queue and has not come to them yet.
func TestNamesBesideFlush(t *testing.T) {
	s := open(t, t.TempDir(), keep{})
	first, second := s.Asset("re_1"), s.Asset("re_2")
	s.flushing <- struct{}{} // the writer keeps out
	for _, a := range []*Asset{first, second} {
		a.changeLater()
	}
	<-s.flushing
	first.mu.Lock()
	flushed, named := make(chan error, 1), make(chan struct{})
	go func() { flushed <- s.flush() }()
	for taken := false; !taken; {
		s.mu.Lock()
		taken = s.dirty == nil
		s.mu.Unlock()
	}
	go func() {
		s.SetNames(map[string]string{"re_2": "b.bin"})
		close(named)
	}()
	select {
	case <-named:
		t.Error("SetNames returned before its record was written")
	case <-time.After(50 * time.Millisecond): // it waits
	}
	first.mu.Unlock()
	if err := <-flushed; err != nil {
		t.Error(err)
	}
	<-named
	if second.queued {
		t.Error("the name is not recorded")
	}
}

// changeLater makes a change that the next flush records.
func (a *Asset) changeLater() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.updateLocked(func(f *facts) { f.cost++ })
}
