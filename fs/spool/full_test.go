package spool

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"assetfs/fs/spool/spooltest"
)

// openWritten opens a directory whose index has one record.
func openWritten(t *testing.T, root string) *Dir {
	t.Helper()
	d := open(t, root)
	d.Journal().Queue(record("1"))
	if err := d.Journal().Write(); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestAppendOnFullDisk has a record that only a part of finds room: it counts for
// nothing, and what comes when there is room again is in order.
func TestAppendOnFullDisk(t *testing.T) {
	root := spooltest.SmallDisk(t, 1<<20)
	d := openWritten(t, root)
	j := d.Journal()
	ballast := filepath.Join(root, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 700<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 500<<10)
	j.Queue(record(long))
	for range 2 {
		if err := j.Write(); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("Write: %v", err)
		}
		b, err := os.ReadFile(indexPath(root))
		if err != nil {
			t.Fatal(err)
		}
		if got := indexRecords(t, b); !slices.Equal(got, []string{"1"}) || len(b) < 8<<10 {
			t.Errorf("after a kill: %d records of %d bytes", len(got), len(b))
		}
		j.Queue(record("2"))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := j.Write(); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"1", long, "2", "2"}) {
		t.Errorf("%d records", len(got))
	}
}

// TestHeadroom has a short record find room on a disk that is full, also if it was when the spool was
// opened, and in an index that was compacted before.
func TestHeadroom(t *testing.T) {
	for name, prepare := range map[string]func(root string, d *Dir) *Dir{
		"written": func(_ string, d *Dir) *Dir { return d },
		"compacted": func(_ string, d *Dir) *Dir {
			if err := d.Journal().Compact(func(b []byte) []byte { return append(b, record("1")...) }); err != nil {
				t.Error(err)
			}
			return d
		},
		"opened": func(root string, d *Dir) *Dir {
			closeDir(t, d)
			fillDisk(t, root)
			return open(t, root)
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := spooltest.SmallDisk(t, 1<<20)
			d := prepare(root, openWritten(t, root))
			defer closeDir(t, d)
			fillDisk(t, root)
			j := d.Journal()
			j.Queue(record(strings.Repeat("x", headroom/2)))
			if err := j.Write(); err != nil {
				t.Errorf("Write: %v", err)
			}
		})
	}
}

// fillDisk takes all room of a disk.
func fillDisk(t *testing.T, root string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(root, "ballast"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
}
