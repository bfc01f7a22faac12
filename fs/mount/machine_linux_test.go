package mount

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAtLeast(t *testing.T) {
	for release, want := range map[string]bool{"6.9.0": true, "6.8.12-generic": false, "6.18.1": true, "7.0": true, "5.15.0": false, "": false, "odd": false} {
		if atLeast(release, 6, 9) != want {
			t.Errorf("%q is at least 6.9: %t", release, !want)
		}
	}
}

func TestCapable(t *testing.T) {
	for status, want := range map[string]bool{
		"Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n": true,
		"Name:\tx\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000000000\n":             false,
		"Name:\tx\nCapEff:\t0000000000200000\n":                                        true,
		"":                                                                             false,
	} {
		if capable(status, "CapEff", unix.CAP_SYS_ADMIN) != want {
			t.Errorf("%q may mount: %t", status, !want)
		}
	}
}

// Each way in which fusermount3 can't help is told apart.
func TestHelperTrouble(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	check := func(name, status, want string) {
		t.Helper()
		err := helperTrouble(status)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	check("missing", "", "install fuse3")
	helper := filepath.Join(dir, "fusermount3")
	if err := os.WriteFile(helper, nil, 0o700); err != nil {
		t.Fatal(err)
	}
	check("not setuid", "", "chmod u+s")
	if err := os.Chmod(helper, 0o700|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	check("no_new_privs", "Name:\tx\nNoNewPrivs:\t1\nSeccomp:\t0\n", "no_new_privs")
	check("container", "Name:\tx\nCapEff:\t0\nCapBnd:\t00000000a80425fb\n", "give the container CAP_SYS_ADMIN")
	check("good", "Name:\tx\nCapEff:\t0\nCapBnd:\t00000000a82425fb\n", "")
	check("nothing known", "", "")
}

// Check says what Prepare does, and does nothing.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(path("empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", path("dangling")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ path, remark, err string }{
		{path("empty"), "", ""},
		{path("new"), "mounting creates it", ""},
		{path("no/such"), "", "can't create the mount point"},
		{path("file"), "", "is not a directory"},
		{path("file/below"), "", "not a directory"},
		{dir, "", "is not empty"},
		{path("dangling"), "", "is a dangling symbolic link"},
		{"/proc", "", "is mounted already, by another program"},
	} {
		remark, err := Check(tt.path)
		if remark != tt.remark || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %q, %v; want %q, %q", tt.path, remark, err, tt.remark, tt.err)
		}
		if tt.path == dir || tt.path == "/proc" {
			continue
		}
		if tt.err == "" {
			continue
		}
		if _, err := Prepare(tt.path, nil); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("Prepare(%s): %v, want %q", tt.path, err, tt.err)
		}
	}
	if _, err := os.Stat(path("new")); err == nil {
		t.Error("a directory was made")
	}
}

// TestRequestTimeout is the kernel's arithmetic (fs/fuse/inode.c).
func TestRequestTimeout(t *testing.T) {
	for _, tt := range []struct{ standard, most, want uint64 }{
		{0, 0, 0}, {60, 0, 60}, {0, 60, 60}, {60, 30, 30}, {30, 60, 30}, {1, 0, 15}, {0, 3, 15}, {65535, 65535, 65535},
	} {
		if got := effectiveTimeout(tt.standard, tt.most); got != time.Duration(tt.want)*time.Second {
			t.Errorf("default %d, max %d: %v, want %d s", tt.standard, tt.most, got, tt.want)
		}
	}
}
