package asset

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// TestDeleted removes spool files, whole and in part, between two uses: the
// rest is right.
func TestDeleted(t *testing.T) {
	const size = 64 * kib
	setup := func(t *testing.T) string {
		root := t.TempDir()
		d := open(t, root, keep{})
		for _, id := range []string{"a", "b"} {
			f := d.Asset(id)
			f.change(func(m *facts) { m.info.Size, m.name = size, id+".bin" })
			put(t, f, span(0, size))
		}
		closeDir(t, d)
		return root
	}
	dir := func(root string) string { return filepath.Join(root, directory) }
	for what, c := range map[string]struct {
		do   func(root string) error
		want []ranges.Range // of a
		gone bool           // b too
	}{
		"a file":    {do: func(root string) error { return os.Remove(filepath.Join(dir(root), "a.1")) }},
		"truncated": {do: func(root string) error { return os.Truncate(filepath.Join(dir(root), "a.1"), size-1) }},
		"grown":     {do: func(root string) error { return os.Truncate(filepath.Join(dir(root), "a.1"), size+1) }},
		"made anew": {do: func(root string) error {
			path := filepath.Join(dir(root), "a.1")
			return errors.Join(os.Remove(path), os.WriteFile(path, nil, 0o600), os.Truncate(path, size))
		}},
		"a hole": {do: func(root string) error {
			d, err := spool.Open(root, baseURL, spool.Options{})
			if err != nil {
				return err
			}
			return errors.Join(d.Blob("a", 1, true).Punch(span(8192, 12288)), d.Close())
		}, want: []ranges.Range{span(0, 8192), span(12288, size)}},
		"a directory instead": {do: func(root string) error {
			path := filepath.Join(dir(root), "a.1")
			return errors.Join(os.Remove(path), os.Mkdir(path, 0o700))
		}},
		"the lock file":  {do: func(root string) error { return os.Remove(filepath.Join(dir(root), "lock")) }, want: []ranges.Range{span(0, size)}},
		"the index":      {do: func(root string) error { return os.Remove(filepath.Join(dir(root), "index")) }, gone: true},
		"everything":     {do: func(root string) error { return os.RemoveAll(dir(root)) }, gone: true},
		"what is inside": {do: func(root string) error { return errors.Join(os.RemoveAll(dir(root)), os.Mkdir(dir(root), 0o700)) }, gone: true},
	} {
		t.Run(what, func(t *testing.T) {
			root := setup(t)
			if err := c.do(root); err != nil {
				t.Fatal(err)
			}
			d := open(t, root, keep{})
			a, b := d.Asset("a"), d.Asset("b")
			check(t, a)
			check(t, b)
			if got := spooled(a); !slices.Equal(got, c.want) {
				t.Errorf("present of a: %v, want %v", got, c.want)
			}
			if b.whole() == c.gone {
				t.Errorf("b is whole: %v", b.whole())
			}
			if !c.gone && a.kept().name != "a.bin" {
				t.Errorf("a is called %q", a.kept().name)
			}
			var sum int64
			for _, f := range []*Asset{a, b} {
				sum += f.Status().Present
			}
			if held := d.held(); held != sum {
				t.Errorf("%d bytes held, %d present", held, sum)
			}
			put(t, a, span(0, size)) // and goes on
			check(t, a)
			closeDir(t, d)
			d = open(t, root, keep{BootID: "another"})
			check(t, d.Asset("a"))
			if d.Asset("a").Status().Present != size {
				t.Errorf("%d bytes of a at last", d.Asset("a").Status().Present)
			}
		})
	}
}

// TestDeletedInUse removes and truncates spool files under a Dir that uses them.
func TestDeletedInUse(t *testing.T) {
	root := t.TempDir()
	var log logs
	d := open(t, root, keep{Log: log.logger()})
	a, b := d.Asset("a"), d.Asset("b")
	for _, f := range []*Asset{a, b} {
		f.change(func(m *facts) { m.info.Size = 8192 })
		put(t, f, span(0, 8192))
	}
	if err := d.sync(time.Now()); err != nil { // else that might open the file again
		t.Fatal(err)
	}
	a.blob.Close()
	dir := filepath.Join(root, directory)
	if err := errors.Join(os.Remove(filepath.Join(dir, "a.1")), os.Truncate(filepath.Join(dir, "b.1"), 5000)); err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Asset{a, b} {
		if _, err := f.readAt(make([]byte, 8192), 0); !errors.Is(err, ErrAbsent) {
			t.Errorf("%s: %v, want ErrAbsent", f.id, err)
		}
		if f.Status().Present != 0 || f.whole() {
			t.Errorf("%s: still %v", f.id, spooled(f))
		}
		put(t, f, span(0, 8192))
		check(t, f)
	}
	if !strings.Contains(log.String(), "forgotten") {
		t.Errorf("log: %s", log.String())
	}
	if d.held() != 2*8192 {
		t.Errorf("%d bytes held", d.held())
	}
	// The kernel's descriptor of a whole file: none of a file that has gone.
	b.blob.Close()
	if err := os.Remove(filepath.Join(dir, "b.2")); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Backing(); !errors.Is(err, ErrAbsent) {
		t.Errorf("Backing of a file that has gone: %v", err)
	}
}

// TestDirectoryDeletedInUse removes the directory under a store: a write fails, and
// says why, instead of trying for ever.
func TestDirectoryDeletedInUse(t *testing.T) {
	root := t.TempDir()
	var creates atomic.Int64
	d := open(t, root, keep{Fault: func(point, _ string) error {
		if point == "create" && creates.Add(1) > 10 {
			return errCrash
		}
		return nil
	}})
	a, b := d.Asset("a"), d.Asset("b")
	put(t, a, span(0, 8192))
	if err := d.sync(time.Now()); err != nil {
		t.Fatal(err)
	}
	a.blob.Close()
	err := error(syscall.ENOTEMPTY)
	for errors.Is(err, syscall.ENOTEMPTY) { // the store makes an index that is missing
		err = os.RemoveAll(filepath.Join(root, directory))
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*Asset{a, b} {
		if err := f.write(content(f.id, 0, span(0, 8192)), 0); err == nil || !strings.Contains(err.Error(), "has been removed") {
			t.Errorf("%s: write: %v", f.id, err)
		}
		if f.Status().Present != 0 {
			t.Errorf("%s: %d bytes present", f.id, f.Status().Present)
		}
	}
	if d.held() != 0 {
		t.Errorf("%d bytes held", d.held())
	}
}

// TestDeletedInOpen removes a blob between the look at its size and at its holes.
func TestDeletedInOpen(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{})
	put(t, d.Asset("a"), span(0, 64*kib))
	closeDir(t, d)
	d = open(t, root, keep{})
	path := filepath.Join(root, directory, "a.1")
	if err := errors.Join(os.Truncate(path, 0), os.Truncate(path, 64*kib)); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	a := d.Asset("a")
	a.adoptBlob(info)
	if a.Status().Present != 0 {
		t.Errorf("%d bytes present", a.Status().Present)
	}
}

// TestForgetOld: what was found to be lost of a blob says nothing of the next one.
func TestForgetOld(t *testing.T) {
	d := open(t, t.TempDir(), keep{})
	f := d.Asset("re_1")
	put(t, f, span(0, 8192))
	old := f.incarnation
	f.lose(old)
	put(t, f, span(0, 8192))
	if err := f.forget([]ranges.Range{span(0, 8192)}, old); err != nil || f.Status().Present != 8192 {
		t.Errorf("%d bytes are present, %v", f.Status().Present, err)
	}
}
