package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"assetfs/remote/fakeapi"

	"golang.org/x/sys/unix"
)

// openersRig is a mount with one asset under test, and others that evict it from the spool.
type openersRig struct {
	*rig
	asset   fakeapi.Asset
	unsized bool
	kernel  int // expected passthrough opens for each open of the whole asset
	others  int
}

const openersSize = 3<<19 + 4097*3

// openersCases are what may happen to an asset between the look-up of its inode and an open of the inode without a path.
var openersCases = []struct {
	name       string
	asset      func(*fakeapi.Asset)
	open       bool // a file stays open all the time
	unsized    bool // the size is unknown in the end, so splice and mappings can't be used
	before, to []func(*openersRig) error
}{
	{name: "nothing"},
	{name: "unresolved, then in part", to: openersSteps((*openersRig).part)},
	{name: "unresolved, then whole", to: openersSteps((*openersRig).fill)},
	{name: "unresolved, then whole, and open", open: true, to: openersSteps((*openersRig).fill)},
	{name: "of unknown size", unsized: true, asset: openersNoLength, before: openersSteps((*openersRig).part)},
	{name: "unresolved of unknown size, then whole", asset: openersNoLength, to: openersSteps((*openersRig).fill)},
	{name: "of unknown size, then whole", asset: openersNoLength, before: openersSteps((*openersRig).part), to: openersSteps((*openersRig).fill)},
	{name: "of unknown size, then whole, and open", open: true, asset: openersNoLength, before: openersSteps((*openersRig).part), to: openersSteps((*openersRig).fill)},
	{name: "in part, then whole", before: openersSteps((*openersRig).part), to: openersSteps((*openersRig).fill)},
	{name: "in part, then whole, and open", open: true, before: openersSteps((*openersRig).part), to: openersSteps((*openersRig).fill)},
	{name: "whole", before: openersSteps((*openersRig).fill)},
	{name: "whole, and open", open: true, before: openersSteps((*openersRig).fill)},
	{name: "whole, then evicted", before: openersSteps((*openersRig).fill), to: openersSteps((*openersRig).evict)},
	{name: "whole, then evicted, then whole", before: openersSteps((*openersRig).fill), to: openersSteps((*openersRig).evict, (*openersRig).fill)},
	{name: "whole, then another", before: openersSteps((*openersRig).fill), to: openersSteps((*openersRig).evict, (*openersRig).longer)},
	{name: "whole, then another twice", before: openersSteps((*openersRig).fill), to: openersSteps((*openersRig).evict, (*openersRig).longer, (*openersRig).evict, (*openersRig).shorter)},
	{name: "in part, then another of that size", before: openersSteps((*openersRig).part), to: openersSteps((*openersRig).fill, (*openersRig).evict, (*openersRig).other)},
	{name: "whole, then another of that size", before: openersSteps((*openersRig).fill), to: openersSteps((*openersRig).evict, (*openersRig).other)},
	{name: "fetched, then another of that size", before: openersSteps((*openersRig).fetch, (*openersRig).fill), to: openersSteps((*openersRig).evict, (*openersRig).other)},
	{name: "in part, then another", before: openersSteps((*openersRig).part), to: openersSteps((*openersRig).fill, (*openersRig).evict, (*openersRig).shorter)},
}

func openersSteps(steps ...func(*openersRig) error) []func(*openersRig) error { return steps }

func openersNoLength(a *fakeapi.Asset) { a.NoLength, a.ETag = true, "" }

// TestOpeners opens an asset in ways for which the kernel does not look its name up again, after each thing that may have happened to
// the asset. Every way of reading must return the asset's current bytes, and so must an open by its path.
func TestOpeners(t *testing.T) {
	for _, passthrough := range []bool{true, false} {
		t.Run("passthrough "+strconv.FormatBool(passthrough), func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Skip("it takes root to mount")
			}
			r := &openersRig{rig: newRig(t)}
			spool := t.TempDir()
			if passthrough {
				r.kernel = 1
			} else {
				stacked(t, spool)
			}
			r.mount(t, 5*time.Minute, "--spool-dir="+filepath.Join(spool, "s"), "--spool-size=4MiB", "--read-ahead=1MiB")
			for i, c := range openersCases {
				t.Run(c.name, func(t *testing.T) {
					r.unsized = c.unsized
					r.asset = fakeapi.Asset{ID: fmt.Sprintf("re_%d", i), Size: openersSize, ETag: "auto"}
					if c.asset != nil {
						c.asset(&r.asset)
					}
					r.fake.Put(r.asset)
					r.open(t, c.before, c.to, c.open)
				})
			}
		})
	}
}

// stacked mounts a file system on dir for which no kernel allows passthrough: two overlays, one on the other.
func stacked(t *testing.T, dir string) {
	t.Helper()
	base := t.TempDir()
	for _, d := range []string{"lower", "upper1", "work1", "one", "upper2", "work2"} {
		if err := os.Mkdir(filepath.Join(base, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, m := range []struct{ at, options string }{
		{filepath.Join(base, "one"), fmt.Sprintf("lowerdir=%[1]s/lower,upperdir=%[1]s/upper1,workdir=%[1]s/work1", base)},
		{dir, fmt.Sprintf("lowerdir=%[1]s/one,upperdir=%[1]s/upper2,workdir=%[1]s/work2", base)},
	} {
		if err := unix.Mount("none", m.at, "overlay", 0, m.options); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := unix.Unmount(m.at, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	}
}

func (r *openersRig) path() string { return filepath.Join(r.daemon.mnt, r.asset.ID) }

// open looks up the asset's inode after the steps before, and opens it after the steps to.
func (r *openersRig) open(t *testing.T, before, to []func(*openersRig) error, alive bool) {
	for _, step := range before {
		if err := step(r); err != nil {
			t.Fatal(err)
		}
	}
	hold, err := unix.Open(r.path(), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(hold)
	bound := filepath.Join(t.TempDir(), "bound")
	if err := os.WriteFile(bound, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(r.path(), bound, "", unix.MS_BIND, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Unmount(bound, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	names := []string{fmt.Sprintf("/proc/self/fd/%d", hold), bound, r.path()}
	if alive {
		f, err := os.Open(r.path())
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		names = append(names, fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	}
	for _, step := range to {
		if err := step(r); err != nil {
			t.Fatal(err)
		}
	}
	var open []*stressHandle
	defer func() {
		for _, h := range open {
			if err := h.close(); err != nil {
				t.Error(err)
			}
		}
		// A path must now lead to the fastest inode again, whatever was opened before.
		if err := r.fill(); err != nil {
			t.Error(err)
		}
		before := r.kernelOpens(t)
		if err := r.fill(); err != nil {
			t.Error(err)
		}
		if got := r.kernelOpens(t) - before; got != r.kernel {
			t.Errorf("%d opens of the whole asset were left to the kernel, want %d", got, r.kernel)
		}
	}()
	for range 2 { // with nothing open, and with everything open
		for _, name := range names {
			fd, err := openAfterRelease(name)
			if err != nil {
				t.Fatalf("open %s: %v", name, err)
			}
			h := &stressHandle{fd: fd, size: r.asset.Size}
			open = append(open, h)
			if err := r.compare(t, h); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			var st unix.Stat_t
			if err := unix.Stat(name, &st); err != nil || st.Size != r.asset.Size && !r.unsized {
				t.Errorf("stat %s: size %d, %v, want %d", name, st.Size, err, r.asset.Size)
			}
		}
		slices.Reverse(names)
	}
	for _, h := range open {
		if err := r.compare(t, h); err != nil {
			t.Error(err)
		}
	}
}

// compare reads the asset in all ways, first in those that don't ask for its size.
func (r *openersRig) compare(t *testing.T, h *stressHandle) error {
	m, err := newStressMeans(t.TempDir())
	if err != nil {
		return err
	}
	defer func() {
		if err := m.release(); err != nil {
			t.Error(err)
		}
	}()
	want := make([]byte, r.asset.Size)
	if _, err := fakeapi.Content(r.asset.ID, r.asset.Version).ReadAt(want, 0); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	ways := []string{"splice", "copy", "pread", "mmap private", "mmap shared", "readv"}
	if r.unsized {
		ways = []string{"pread"}
	}
	for _, way := range ways {
		const part = 200_001
		for off := int64(0); off < r.asset.Size; off += part {
			n := int(min(part, r.asset.Size-off))
			got, err := stressWays[way](&m, h, off, n)
			if err != nil || !bytes.Equal(got, want[off:off+int64(n)]) {
				return fmt.Errorf("%s of %d bytes at %d: %d bytes, the same: %v, %w", way, n, off, len(got), bytes.Equal(got, want[off:off+int64(n)]), err)
			}
		}
	}
	return nil
}

// kernelOpens returns how many opens were left to the kernel.
func (r *openersRig) kernelOpens(t *testing.T) int {
	t.Helper()
	buf := make([]byte, 64)
	n, err := unix.Getxattr(r.daemon.mnt, "user.assetfs.kernel_opens", buf)
	if err != nil {
		t.Fatal(err)
	}
	opens, err := strconv.Atoi(string(buf[:n]))
	if err != nil {
		t.Fatal(err)
	}
	return opens
}

// part reads the start of the asset.
func (r *openersRig) part() error {
	f, err := os.Open(r.path())
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(make([]byte, 4096), 0)
	return err
}

// fill reads the whole asset by its path.
func (r *openersRig) fill() error {
	got, err := os.ReadFile(r.path())
	for errors.Is(err, unix.ESTALE) { // the read that finds out about new content gets this
		got, err = os.ReadFile(r.path())
	}
	want := make([]byte, r.asset.Size)
	if _, err := fakeapi.Content(r.asset.ID, r.asset.Version).ReadAt(want, 0); err != nil {
		return err
	}
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("the path gives %d bytes, the wrong ones", len(got))
	}
	return err
}

// evict reads other assets until the asset is evicted.
func (r *openersRig) evict() error {
	for range 2 {
		r.others++
		other := fakeapi.Asset{ID: fmt.Sprintf("re_9%d", r.others), Size: 2 << 20}
		r.fake.Put(other)
		if _, err := os.ReadFile(filepath.Join(r.daemon.mnt, other.ID)); err != nil {
			return err
		}
	}
	buf := make([]byte, 64)
	n, err := unix.Getxattr(r.path(), "user.assetfs.spooled", buf)
	if err != nil || string(buf[:n]) != "0" {
		return fmt.Errorf("%q of the asset are still in the spool, %w", buf[:max(0, n)], err)
	}
	return nil
}

// fetch fetches the whole asset, and nobody reads it.
func (r *openersRig) fetch() error {
	out, err := exec.CommandContext(context.Background(), filepath.Join(r.bin, "assetfs"), "fetch", r.path()).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return err
}

func (r *openersRig) other() error   { return r.change(0) }
func (r *openersRig) longer() error  { return r.change(9001) }
func (r *openersRig) shorter() error { return r.change(-1 << 19) }

// change gives the asset other content, and lets a read find out.
func (r *openersRig) change(by int64) error {
	r.asset.Version++
	r.asset.Size += by
	r.fake.Put(r.asset)
	return r.fill()
}

// TestOpenersChanged opens an inode while a file is open on it whose content the asset no longer has. The inode then can't be opened
// with the new content; the path can. After the file is closed the inode can, too.
func TestOpenersChanged(t *testing.T) {
	r := &openersRig{rig: newRig(t), asset: fakeapi.Asset{ID: "re_1", Size: 3 << 20, ETag: "auto"}}
	r.fake.Put(r.asset)
	r.mount(t, time.Minute, "--read-ahead=1MiB")
	hold, err := unix.Open(r.path(), unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(hold)
	old, err := os.Open(r.path())
	if err != nil {
		t.Fatal(err)
	}
	mapping, err := unix.Mmap(int(old.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.ReadAt(make([]byte, 4096), 0); err != nil {
		t.Fatal(err)
	}
	r.asset.Version, r.asset.Size = 1, 4<<20
	r.fake.Put(r.asset)
	if _, err := old.ReadAt(make([]byte, 1), 3<<20-1); !errors.Is(err, unix.ESTALE) {
		t.Fatalf("a read of what is no more: %v, want ESTALE", err)
	}
	name := fmt.Sprintf("/proc/self/fd/%d", hold)
	for _, end := range []func() error{old.Close, func() error { return unix.Munmap(mapping) }} {
		if f, err := os.Open(name); !errors.Is(err, unix.ESTALE) {
			t.Errorf("opened beside what is no more: %v, want ESTALE", err)
			f.Close()
		}
		if err := r.fill(); err != nil {
			t.Error(err)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	fd, err := openAfterRelease(name)
	if err != nil {
		t.Fatal(err)
	}
	h := &stressHandle{fd: fd, size: r.asset.Size}
	if err := errors.Join(r.compare(t, h), h.close()); err != nil {
		t.Error(err)
	}
}

// openAfterRelease opens name once assetfs knows that what is no more was closed: RELEASE is asynchronous.
func openAfterRelease(name string) (fd int, err error) {
	for start := time.Now(); ; {
		fd, err = unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if !errors.Is(err, unix.ESTALE) || time.Since(start) >= readyLimit {
			return fd, err
		}
	}
}
