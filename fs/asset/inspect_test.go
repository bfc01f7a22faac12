package asset

import (
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"assetfs/fs/spool"
)

// listing is all that is below a directory, to see that nothing has changed.
func listing(t *testing.T, root string) map[string]time.Time {
	t.Helper()
	found := map[string]time.Time{}
	err := filepath.WalkDir(root, func(path string, e iofs.DirEntry, err error) error {
		if err == nil {
			info, err := e.Info()
			found[path] = info.ModTime()
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Inspect says what Open would, and changes nothing.
func TestInspect(t *testing.T) {
	parent := t.TempDir()
	root := filepath.Join(parent, "a", "spool")
	inspect := func(root string) (State, error) {
		t.Helper()
		before := listing(t, parent)
		s, err := Inspect(root, baseURL)
		var locked *spool.LockedError
		if errors.As(err, &locked) {
			return s, err // its holder writes
		}
		for path, at := range listing(t, parent) {
			if !before[path].Equal(at) {
				t.Errorf("%s has changed", path)
			}
		}
		return s, err
	}
	if s, err := inspect(root); err != nil || s.Exists || s.Free <= 0 || s.Disk < s.Free || filepath.Dir(s.Path) != root {
		t.Errorf("before: %+v, %v", s, err)
	}
	d := open(t, root, keep{})
	put(t, d.Asset("re_1"), span(0, 64*kib))
	if err := d.SetNote("n", "v"); err != nil {
		t.Fatal(err)
	}
	d.dir.SetHolder("pid 7, mounted at /mnt")
	s, err := inspect(root)
	var locked *spool.LockedError
	if !errors.As(err, &locked) || locked.Holder != "pid 7, mounted at /mnt" || !s.Exists || s.Notes["n"] != "v" || s.Held < 64*kib || s.Path != d.dir.Path() {
		t.Errorf("in use: %+v, %v", s, err)
	}
	closeDir(t, d)
	if s, err := inspect(root); err != nil || s.Notes["n"] != "v" {
		t.Errorf("free again: %+v, %v", s, err)
	}
	closeDir(t, open(t, root, keep{}))

	if err := os.Chmod(s.Path, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := inspect(root); err == nil || !strings.Contains(err.Error(), "written to by others") {
		t.Errorf("open to others: %v", err)
	}
	file := filepath.Join(parent, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{file, filepath.Join(file, "below")} {
		if _, err := inspect(bad); err == nil {
			t.Errorf("%s is taken for a spool", bad)
		}
	}
}
