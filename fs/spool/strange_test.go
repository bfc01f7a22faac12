package spool

import (
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestStrangeFiles has something else in the place of each file of a spool. Nothing waits for it, nothing
// is written through it, and what it leads to stays.
func TestStrangeFiles(t *testing.T) {
	kinds := map[string]func(target, path string) error{
		"link":         os.Symlink,
		"link to own":  func(_, path string) error { return os.Symlink("other.1", path) },
		"link to none": func(_, path string) error { return os.Symlink("nowhere", path) },
		"FIFO":         func(_, path string) error { return syscall.Mkfifo(path, 0o600) },
		"directory":    func(_, path string) error { return os.Mkdir(path, 0o700) },
		"full directory": func(_, path string) error {
			return errors.Join(os.Mkdir(path, 0o700), os.WriteFile(filepath.Join(path, "x"), nil, 0o600))
		},
	}
	for kind, place := range kinds {
		t.Run(kind, func(t *testing.T) {
			setup := func(name string) (root, target, own string) {
				root, target = t.TempDir(), filepath.Join(t.TempDir(), "target")
				d := open(t, root)
				own = filepath.Join(d.Path(), "other.1")
				path := filepath.Join(d.Path(), name)
				closeDir(t, d)
				if err := os.Remove(path); err != nil && !errors.Is(err, iofs.ErrNotExist) {
					t.Fatal(err)
				}
				err := errors.Join(os.WriteFile(target, []byte("target"), 0o600), os.WriteFile(own, []byte("own"), 0o600), place(target, path))
				if err != nil {
					t.Fatal(err)
				}
				return root, target, own
			}
			untouched := func(target, own string) {
				t.Helper()
				a, aerr := os.ReadFile(target)
				b, berr := os.ReadFile(own)
				if string(a)+string(b) != "targetown" {
					t.Errorf("%q and %q, %v", a, b, errors.Join(aerr, berr))
				}
			}
			for _, name := range []string{lockName, indexName} {
				root, target, own := setup(name)
				d, err := Open(root, baseURL, Options{})
				if err == nil {
					closeDir(t, d)
				}
				if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "--spool-dir") {
					t.Errorf("%s: Open: %v", name, err)
				}
				if _, err := Inspect(root, baseURL, func([]byte) {}); err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%s: Inspect: %v", name, err)
				}
				untouched(target, own)
			}

			root, target, own := setup(newIndexName)
			d := open(t, root)
			d.Journal().Queue(record("1"))
			err := d.Journal().Compact(func(b []byte) []byte { return append(b, record("2")...) })
			if failed := err != nil; failed != (kind == "full directory") {
				t.Errorf("Compact: %v", err)
			}
			untouched(target, own)
			closeDir(t, d)

			root, target, own = setup("re_1.1")
			d = open(t, root)
			defer closeDir(t, d)
			b := d.Blob("re_1", 1, true)
			p := []byte("x")
			_, rerr := b.ReadAt(p, 0)
			_, werr := b.WriteAt(p, 0)
			_, oerr := b.Reader()
			for _, err := range []error{rerr, werr, oerr} {
				if !errors.Is(err, iofs.ErrNotExist) {
					t.Errorf("use of a blob: %v", err)
				}
			}
			if err := d.Sweep(func(string, os.FileInfo) bool { return true }); err != nil {
				t.Error(err)
			}
			untouched(target, own)
			if _, err := os.Lstat(filepath.Join(d.Path(), "re_1.1")); errors.Is(err, iofs.ErrNotExist) == (kind == "full directory") {
				t.Errorf("after a sweep: %v", err)
			}
		})
	}
}

// TestCloseFails has an error of a close reach the next sync: on a network it may be that of a write.
func TestCloseFails(t *testing.T) {
	armed := true
	d := openWith(t, t.TempDir(), func(point, _ string) error {
		if point == "close" && armed {
			armed = false
			return syscall.ENOSPC
		}
		return nil
	})
	defer closeDir(t, d)
	b := d.Blob("a", 1, false)
	if _, err := b.WriteAt([]byte("abc"), 0); err != nil {
		t.Fatal(err)
	}
	b.Close()
	if err := b.Sync(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("first: %v", err)
	}
	if err := b.Sync(); err != nil {
		t.Errorf("second: %v", err)
	}
}

// TestStale has the server of a network file system forget a file once.
func TestStale(t *testing.T) {
	left := 0
	d := openWith(t, t.TempDir(), func(point, _ string) error {
		if point == "read" && left > 0 {
			left--
			return syscall.ESTALE
		}
		return nil
	})
	defer closeDir(t, d)
	b, p := d.Blob("a", 1, false), make([]byte, 1)
	if _, err := b.WriteAt([]byte("a"), 0); err != nil {
		t.Fatal(err)
	}
	left = 1
	if _, err := b.ReadAt(p, 0); err != nil || left > 0 {
		t.Errorf("stale once: %v", err)
	}
	left = 3
	if _, err := b.ReadAt(p, 0); !errors.Is(err, syscall.ESTALE) || left != 1 {
		t.Errorf("stale for good: %v", err)
	}
}
