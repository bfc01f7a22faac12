package spool

import (
	"bytes"
	"errors"
	"fmt"
	iofs "io/fs"
	"os"
	"path/filepath"
	"sync"
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
