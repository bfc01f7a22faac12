package mount

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Whichever thread is met, the first one too, which never ends.
func TestEndThread(*testing.T) {
	for range 300 {
		endThread()
	}
}

// made returns a mount of which nobody serves a request.
func made(t *testing.T) *Mount {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it takes root to mount")
	}
	m := New(t.TempDir(), Options{})
	connection, err := m.Make("test", []string{"max_read=4096"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Detach(m.Point) }) // or it is unmounted already
	if err := unix.Close(connection); err != nil {
		t.Fatal(err)
	}
	return m
}

// A mount with many layers has a line of any length.
func TestLongMountLine(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mountinfo")
	text := "29 1 0:25 / / rw - overlay overlay rw,lowerdir=" + strings.Repeat("/layer:", 10_000) + "\n30 29 0:26 / /mnt\\040x ro - fuse.assetfs assetfs ro\n"
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var points []string
	eachMount(name, func(l mountLine) { points = append(points, l.point) })
	if want := []string{"/", "/mnt x"}; !slices.Equal(points, want) {
		t.Errorf("mounted on %q, want %q", points, want)
	}
}

// The kernel gives the number of a device that has gone to the next mount, whoever makes it.
func TestUnmountOnlyOwn(t *testing.T) {
	other := made(t)
	for _, end := range []func(m *Mount) error{
		func(m *Mount) error { return m.unmount(false) },
		func(m *Mount) error { return m.unmount(true) },
		func(m *Mount) error { m.abort(); return nil },
	} {
		m := made(t)
		if err := Detach(m.Point); err != nil {
			t.Fatal(err)
		}
		m.device = other.device
		if err := end(m); err != nil || m.lives() {
			t.Errorf("the end of what is unmounted: %v, lives %t", err, m.lives())
		}
		if deviceOf(other.Point) == "" || !other.lives() {
			t.Fatal("another mount was ended")
		}
	}
	if err := other.unmount(false); err != nil || deviceOf(other.Point) != "" || other.lives() {
		t.Errorf("the end of what is mounted: %v, on device %q, lives %t", err, deviceOf(other.Point), other.lives())
	}
}

// Of two that find a dead mount, the second one does not remove what the first has mounted instead.
func TestRemoveDead(t *testing.T) {
	m := made(t)
	if err := unix.Close(m.connection); err != nil {
		t.Fatal(err)
	}
	if dead, err := taken(m.Point); err != nil || !dead {
		t.Fatalf("dead %t, %v", dead, err)
	}
	if err := removeDead(m.Point); err != nil || deviceOf(m.Point) != "" {
		t.Fatalf("removing it: %v, and on device %q", err, deviceOf(m.Point))
	}
	if err := unix.Mount("none", m.Point, "tmpfs", 0, "size=4k"); err != nil {
		t.Fatal(err)
	}
	if err := removeDead(m.Point); err != nil || deviceOf(m.Point) == "" {
		t.Errorf("removing what lives: %v, and on device %q", err, deviceOf(m.Point))
	}
}
