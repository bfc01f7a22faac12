package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"assetfs/fs/spool/spooltest"
)

// TestVolumeRoot keeps the spool of a volume that all may write to in a
// directory of this user's. What is not the root of a volume stays refused.
func TestVolumeRoot(t *testing.T) {
	volume := spooltest.SmallDisk(t, 16<<20)
	own := fmt.Sprintf("assetfs-%d", os.Geteuid())
	for _, c := range []struct {
		mode os.FileMode
		uid  int
		want string
	}{
		{0o700, os.Geteuid(), "."},
		{0o755, os.Geteuid(), "."},
		{0o777, os.Geteuid(), own},
		{0o770, os.Geteuid(), own},
		{0o777 | os.ModeSticky, 65534, own},
	} {
		if err := errors.Join(os.Chown(volume, c.uid, -1), os.Chmod(volume, c.mode)); err != nil {
			t.Fatal(err)
		}
		root := Root(volume)
		if want := filepath.Join(volume, c.want); root != want {
			t.Errorf("mode %v of user %d: the root is %s, want %s", c.mode, c.uid, root, want)
			continue
		}
		closeDir(t, open(t, root))
		if fi, err := os.Stat(root); err != nil || root != volume && fi.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", root, fi, err)
		}
	}
	// The directory inside must be ours, too.
	root := Root(volume)
	if err := os.Chown(root, 65534, -1); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(root, baseURL, Options{}); err == nil || !strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("with another user's directory in the volume Open returned %v", err)
	}
	below := filepath.Join(volume, "below")
	if err := errors.Join(os.Mkdir(below, 0o777), os.Chmod(below, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Root(below), baseURL, Options{}); err == nil || !strings.Contains(err.Error(), "written to by others") {
		t.Errorf("below the root of a volume Open returned %v", err)
	}
}

// A directory of the same file system that was mounted is a volume's root, too:
// so containers get theirs.
func TestBoundVolume(t *testing.T) {
	volume := spooltest.SmallDisk(t, 16<<20)
	from, to := filepath.Join(volume, "from"), filepath.Join(volume, "to")
	if err := errors.Join(os.Mkdir(from, 0o777), os.Chmod(from, 0o777), os.Mkdir(to, 0o700)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(to, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	if root := Root(to); root == to {
		t.Error("what is mounted from the same file system is no volume's root")
	}
}
