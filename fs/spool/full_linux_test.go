package spool

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestFullBtrfs has a record find room on a full disk that never writes in place by itself.
func TestFullBtrfs(t *testing.T) {
	dir := t.TempDir()
	image, root := filepath.Join(dir, "image"), filepath.Join(dir, "disk")
	if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 128<<20), os.Mkdir(root, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"mkfs.btrfs", "-q", image}, {"mount", "-o", "loop", image, root}} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("SKIPPED, NOT TESTED: a full btrfs: %v: %s", err, out)
		}
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	d := open(t, root)
	defer closeDir(t, d)
	j := d.Journal()
	j.Queue(record("1"))
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	for _, index := range []string{"new", "compacted"} {
		fillDisk(t, root)
		for range 10 {
			j.Queue(record("2"))
			if err := j.Sync(); err != nil {
				t.Fatalf("%s: %v", index, err)
			}
		}
		if err := os.Remove(filepath.Join(root, "ballast")); err != nil {
			t.Fatal(err)
		}
		if err := j.Compact(func(b []byte) []byte { return append(b, record("1")...) }); err != nil {
			t.Fatal(err)
		}
	}
}
