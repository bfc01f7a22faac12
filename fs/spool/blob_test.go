package spool

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"assetfs/fs/ranges"
)

// TestBlobs has many more blobs than descriptors, used at once.
func TestBlobs(t *testing.T) {
	d := open(t, t.TempDir())
	defer closeDir(t, d)
	var wg sync.WaitGroup
	for i := range 2 * maxOpen {
		wg.Go(func() {
			b, id := d.Blob(fmt.Sprint("re_", i), 1, false), []byte(fmt.Sprint("content of ", i))
			for range 3 {
				if _, err := b.WriteAt(id, 5); err != nil {
					t.Error(err)
				}
				got := make([]byte, len(id))
				if _, err := b.ReadAt(got, 5); err != nil || !bytes.Equal(got, id) {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(d.open); n > maxOpen {
		t.Errorf("%d descriptors", n)
	}
}

// TestBlobOnce has a blob made once, though many write to it first.
func TestBlobOnce(t *testing.T) {
	d := open(t, t.TempDir())
	defer closeDir(t, d)
	b := d.Blob("a", 1, false)
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			if _, err := b.WriteAt([]byte{byte(i + 1)}, int64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got := make([]byte, 16)
	if _, err := b.ReadAt(got, 0); err != nil || bytes.IndexByte(got, 0) >= 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestBlobGone(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	b := d.Blob("a", 1, false)
	if _, err := b.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, directoryName(baseURL), "a.1")
	b.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1)
	if _, err := b.ReadAt(p, 0); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("read of a file that has gone: %v", err)
	}
	if _, err := b.WriteAt(p, 0); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("write to a file that has gone: %v", err)
	}
	// What is removed is not made again by a write that comes late.
	c := d.Blob("c", 1, false)
	if err := c.Remove(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.WriteAt(p, 0); !errors.Is(err, iofs.ErrNotExist) {
		t.Errorf("write after Remove: %v", err)
	}
	if _, err := os.Lstat(filepath.Join(root, directoryName(baseURL), "c.1")); err == nil {
		t.Error("made again")
	}
	// A leftover of that name is no part of a new blob.
	if err := os.WriteFile(filepath.Join(root, directoryName(baseURL), "e.1"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Blob("e", 1, false).WriteAt([]byte("n"), 0); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(root, directoryName(baseURL), "e.1")); string(got) != "n" {
		t.Errorf("%q, %v", got, err)
	}
	closeDir(t, d)
	if _, err := d.Blob("e", 1, true).WriteAt(p, 0); err == nil {
		t.Error("a write to a closed spool")
	}
}

func TestHolesAndPunch(t *testing.T) {
	d := open(t, t.TempDir())
	defer closeDir(t, d)
	st, err := d.State()
	if err != nil {
		t.Fatal(err)
	}
	b, n := d.Blob("a", 1, false), st.Block
	if _, err := b.WriteAt(bytes.Repeat([]byte{1}, int(8*n)), 0); err != nil {
		t.Fatal(err)
	}
	set := []ranges.Range{{Start: n, End: 2 * n}, {Start: 4 * n, End: 6 * n}}
	for _, r := range set {
		if err := b.Punch(r); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: no holes here: %v", err)
		}
	}
	holes, size, err := b.Holes([]ranges.Range{{End: 8 * n}})
	if err != nil || size != 8*n || fmt.Sprint(holes.Ranges()) != fmt.Sprint(set) {
		t.Errorf("holes %v of %d, %v", holes.Ranges(), size, err)
	}
}

// TestBlobDescriptors has a descriptor closed once, when its blob is closed or removed, or its directory closed.
func TestBlobDescriptors(t *testing.T) {
	d := open(t, t.TempDir())
	closed, removed, left := d.Blob("a", 1, false), d.Blob("b", 1, false), d.Blob("c", 1, false)
	for _, b := range []*Blob{closed, removed, left} {
		if _, err := b.WriteAt([]byte("x"), 0); err != nil || !b.Open() {
			t.Fatal(err)
		}
	}
	closed.Close()
	closed.Close()
	if closed.Open() {
		t.Error("still open after Close")
	}
	if err := closed.Sync(); err != nil { // Close twice is no error
		t.Error(err)
	}
	if err := removed.Remove(); err != nil || removed.Open() {
		t.Errorf("after Remove: %v, open %v", err, removed.Open())
	}
	closeDir(t, d)
	if _, err := d.journal.f.Stat(); left.Open() || !errors.Is(err, os.ErrClosed) {
		t.Errorf("still open after Close of the directory: a blob %v, the index %v", left.Open(), err)
	}
	d.journal.Queue(record("1"))
	if _, err := left.WriteAt([]byte("x"), 0); !errors.Is(err, ErrClosed) || !errors.Is(d.journal.Write(), ErrClosed) {
		t.Errorf("a write after Close: %v", err)
	}
}

// TestReadBesideClose has a read go on whose descriptor is closed, since too many are open, or has become stale.
func TestReadBesideClose(t *testing.T) {
	var b *Blob
	var first *os.File
	stale := false
	d := openWith(t, t.TempDir(), func(point, _ string) error {
		switch f := b.fd.Load(); {
		case point != "read" || f != first:
		case stale:
			return syscall.ESTALE
		default:
			b.Close()
		}
		return nil
	})
	defer closeDir(t, d)
	b = d.Blob("a", 1, false)
	if _, err := b.WriteAt([]byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		first = b.fd.Load()
		p := make([]byte, 1)
		if _, err := b.ReadAt(p, 0); err != nil || p[0] != 'x' || b.fd.Load() == first {
			t.Errorf("stale %v: %q, %v", stale, p, err)
		}
		stale = true
	}
}
