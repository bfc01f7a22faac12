package spool

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestReadOnlyBlob has a blob that can't be opened for writing: it can be read, and written once that is
// possible again.
func TestReadOnlyBlob(t *testing.T) {
	d := open(t, t.TempDir())
	defer closeDir(t, d)
	b := d.Blob("a", 1, false)
	if _, err := b.WriteAt([]byte("abc"), 0); err != nil {
		t.Fatal(err)
	}
	b.Close()
	path := filepath.Join(d.Path(), "a.1")
	immutable(t, path, true)
	t.Cleanup(func() { immutable(t, path, false) })
	p := make([]byte, 3)
	if _, err := b.ReadAt(p, 0); err != nil || string(p) != "abc" {
		t.Errorf("%q, %v", p, err)
	}
	if _, err := b.WriteAt([]byte("d"), 0); !errors.Is(err, syscall.EROFS) {
		t.Errorf("write: %v", err)
	}
	immutable(t, path, false)
	if _, err := b.WriteAt([]byte("d"), 0); err != nil {
		t.Errorf("write: %v", err)
	}
}

// immutableFlag is FS_IMMUTABLE_FL.
const immutableFlag = 0x10

// immutable has a file refuse writes, also of root.
func immutable(t *testing.T, path string, on bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	flags, err := unix.IoctlGetInt(int(f.Fd()), unix.FS_IOC_GETFLAGS)
	flags &^= immutableFlag
	if on {
		flags |= immutableFlag
	}
	if err == nil {
		err = unix.IoctlSetPointerInt(int(f.Fd()), unix.FS_IOC_SETFLAGS, flags)
	}
	if err != nil {
		t.Skipf("SKIPPED, NOT TESTED: files that can't be written here: %v", err)
	}
}
