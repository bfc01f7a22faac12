package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// story makes a spool whose index has every kind of record, and of which later
// records take back what earlier ones claim. It returns the directory.
func story(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	d := open(t, root, Options{BootID: "b"})
	a, b, c := d.File("a"), d.File("b"), d.File("c")
	a.Acquire()
	put(t, a, span(0, 24*kib))
	b.UpdateNow(func(m *Meta) { m.Name, m.Size = "b.bin", 8192 })
	put(t, b, span(0, 8192)) // whole: made to last
	flush(t, d)
	if err := d.syncFiles(time.Now()); err != nil {
		t.Fatal(err)
	}
	d.SetRangeSupport(true)
	if err := d.NoteCall(Download, time.Now()); err != nil {
		t.Fatal(err)
	}
	a.SetSpan(span(16*kib, maxOffset))
	d.roomMu.Lock()
	if n := d.punchOut(a, 8*kib, a.behindLocked); n != 8*kib {
		t.Errorf("%d bytes punched out", n)
	}
	d.roomMu.Unlock()
	if err := b.Reset(); err != nil {
		t.Fatal(err)
	}
	put(t, b, span(4096, 12*kib))
	put(t, c, span(0, 5000))
	flush(t, d)
	if n := d.evict(c); n != 8192 {
		t.Errorf("%d bytes evicted", n)
	}
	put(t, c, span(6000, 7000))
	flush(t, d)
	put(t, a, span(30*kib, 33*kib))
	flush(t, d)
	d.abandon()
	return root
}

func flush(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.flush(); err != nil {
		t.Fatal(err)
	}
}

// copyDir copies the spool directory of root to a new root. Holes stay holes.
func copyDir(t *testing.T, root string) string {
	t.Helper()
	to := t.TempDir()
	from := filepath.Join(root, directoryName(baseURL))
	dir := filepath.Join(to, directoryName(baseURL))
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
// byte. What stands before the damage counts, nothing wrong does.
func TestIndexDamage(t *testing.T) {
	root := story(t)
	index := filepath.Join(root, directoryName(baseURL), indexName)
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("index of %d bytes", len(whole))
	damaged := func(what string, b []byte) {
		root := copyDir(t, root)
		if err := os.WriteFile(filepath.Join(root, directoryName(baseURL), indexName), b, 0o600); err != nil {
			t.Fatal(err)
		}
		var log logs
		d := open(t, root, Options{BootID: "b", Log: log.logger()})
		good := logSize(d)
		for _, id := range d.Known() {
			check(t, d.File(id))
			// What was gained is recorded behind the damage.
			f := d.File(id)
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
		d = open(t, root, Options{BootID: "b"})
		for _, id := range d.Known() {
			check(t, d.File(id))
			if !d.File(id).presentNow(span(50*kib, 51*kib)) {
				t.Fatalf("index %s: what was recorded behind the damage is lost", what)
			}
		}
		d.abandon()
	}
	damaged("whole", whole)
	for n := range whole {
		damaged(fmt.Sprintf("truncated to %d", n), whole[:n])
	}
	for i := range whole {
		b := slices.Clone(whole)
		b[i] ^= 1 << (i % 8)
		damaged(fmt.Sprintf("flipped at %d", i), b)
	}
}

// logSize is the length of the index, taken between two compactions.
func logSize(d *Dir) int64 {
	d.syncMu.Lock()
	defer d.syncMu.Unlock()
	d.logMu.Lock()
	defer d.logMu.Unlock()
	return d.log.size
}

// TestIndexVersion has an index of another version start anew.
func TestIndexVersion(t *testing.T) {
	root := story(t)
	index := filepath.Join(root, directoryName(baseURL), indexName)
	b, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	b[8]++
	copy(b[12:], []byte{0, 0, 0, 0})
	if err := os.WriteFile(index, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var log logs
	d := open(t, root, Options{Log: log.logger()})
	if got := d.Known(); len(got) != 0 || d.Usage().Bytes != 0 || len(spoolFiles(t, root)) != 0 {
		t.Errorf("still known: %q, %d bytes, files %q", got, d.Usage().Bytes, spoolFiles(t, root))
	}
	if !strings.Contains(log.String(), "version") {
		t.Errorf("log: %s", log.String())
	}
	put(t, d.File("a"), span(0, 100))
	closeDir(t, d)
	d = open(t, root, Options{})
	check(t, d.File("a"))
	if d.File("a").Len() != 100 {
		t.Errorf("%d bytes", d.File("a").Len())
	}
}
