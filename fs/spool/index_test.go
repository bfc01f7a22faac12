package spool

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestNewIndexNotSynced has no sync promise that a record lasts in an index whose name may not be on the
// disk, because it is new.
func TestNewIndexNotSynced(t *testing.T) {
	d, broken := openBreaking(t, t.TempDir(), syscall.EIO, "directory-sync")
	defer closeDir(t, d)
	j := d.Journal()
	*broken = true
	j.Queue(record("1"))
	if err := j.Sync(); !errors.Is(err, syscall.EIO) || !j.Garbage() {
		t.Errorf("Sync: %v, garbage %v", err, j.Garbage())
	}
	*broken = false
	if err := errors.Join(j.Compact(func(b []byte) []byte { return append(b, record("1")...) }), j.Sync()); err != nil || j.Garbage() {
		t.Errorf("after a compaction: %v", err)
	}
}

// TestRenameReported has a rename that is done, but reported as failed, as on NFS.
func TestRenameReported(t *testing.T) {
	root := t.TempDir()
	armed := true
	d := openWith(t, root, func(point, _ string) error {
		if point == "renamed" && armed {
			armed = false
			return syscall.ENOENT
		}
		return nil
	})
	j := d.Journal()
	j.Queue(record("1"))
	if err := j.Compact(func(b []byte) []byte { return append(b, record("2")...) }); err != nil {
		t.Errorf("Compact: %v", err)
	}
	j.Queue(record("3"))
	if err := j.Sync(); err != nil {
		t.Error(err)
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"2", "3"}) {
		t.Errorf("records %q", got)
	}
}

// TestIndexRemoved has the index removed in use, as by one who cleans up: no sync promises anything then,
// and the next compaction writes everything again.
func TestIndexRemoved(t *testing.T) {
	root := t.TempDir()
	d := openWith(t, root, nil)
	j := d.Journal()
	j.Queue(record("1"))
	if err := errors.Join(j.Sync(), os.Remove(indexPath(root))); err != nil {
		t.Fatal(err)
	}
	j.Queue(record("2"))
	if err := j.Sync(); err == nil || !j.Garbage() {
		t.Errorf("Sync: %v, garbage: %v", err, j.Garbage())
	}
	compact := func() error { return j.Compact(func(b []byte) []byte { return append(b, record("1 and 2")...) }) }
	if err := compact(); err != nil {
		t.Fatal(err)
	}
	j.Queue(record("3"))
	if err := j.Sync(); err != nil || j.Garbage() {
		t.Errorf("Sync: %v, garbage: %v", err, j.Garbage())
	}
	if err := errors.Join(compact(), os.Remove(indexPath(root)), compact()); err != nil { // also if nothing is new
		t.Error(err)
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"1 and 2"}) {
		t.Errorf("records %q", got)
	}
}

// TestRenameNotSynced is the same where the name of the new journal may not be on
// the disk.
func TestRenameNotSynced(t *testing.T) {
	d, broken := openBreaking(t, t.TempDir(), syscall.EIO, "directory-sync")
	j := d.Journal()
	*broken = true
	j.Queue(record("0"))
	compact := func() error { return j.Compact(func(b []byte) []byte { return append(b, record("1")...) }) }
	if err := compact(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Compact: %v", err)
	}
	*broken = false
	j.Queue(record("2"))
	if err := j.Sync(); err == nil || !j.Garbage() {
		t.Errorf("Sync: %v, garbage %v", err, j.Garbage())
	}
	if err := compact(); err != nil {
		t.Fatal(err)
	}
	if err := j.Sync(); err != nil {
		t.Error(err)
	}
	closeDir(t, d)
}

// TestRenameFails has nothing lost that is written after a compaction whose last step failed.
func TestRenameFails(t *testing.T) {
	root := t.TempDir()
	d, broken := openBreaking(t, root, syscall.EIO, "rename")
	j := d.Journal()
	j.Queue(record("1"))
	*broken = true
	if err := j.Compact(func(b []byte) []byte { return append(b, record("x")...) }); !errors.Is(err, syscall.EIO) {
		t.Errorf("Compact: %v", err)
	}
	j.Queue(record("2"))
	if err := j.Sync(); err != nil {
		t.Error(err)
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("records %q", got)
	}
}

// TestGarbage has a journal compacted when it is long, and when a sync failed although nothing was written since.
func TestGarbage(t *testing.T) {
	d, broken := openBreaking(t, t.TempDir(), syscall.EIO, "index-sync")
	defer closeDir(t, d)
	j := d.Journal()
	compactions := 0
	compact := func() {
		t.Helper()
		old := j.f
		if err := j.Compact(func(b []byte) []byte { compactions++; return append(b, record("1")...) }); err != nil || j.Garbage() {
			t.Errorf("Compact: %v", err)
		}
		if _, err := old.Stat(); j.f != old && !errors.Is(err, os.ErrClosed) {
			t.Errorf("the old index stays open: %v", err)
		}
	}
	long := record(strings.Repeat("x", compactAbove/2))
	for _, want := range []bool{false, true} {
		j.Queue(long)
		if err := j.Sync(); err != nil || j.Garbage() != want {
			t.Errorf("garbage is %v, want %v, %v", !want, want, err)
		}
	}
	compact()
	compact() // is idle
	*broken = true
	if err := j.Sync(); err == nil || !j.Garbage() {
		t.Errorf("no garbage after %v", err)
	}
	*broken = false
	compact()
	if err := j.Sync(); err != nil || compactions != 2 {
		t.Errorf("%d compactions, then %v", compactions, err)
	}
}
