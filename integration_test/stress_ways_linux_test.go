package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"

	"assetfs/remote/fakeapi"

	"golang.org/x/sys/unix"
)

const (
	stressOps     = 60        // reads after the asset was seen whole, so that both states are read
	stressHandles = 5         // handles that each worker keeps open
	stressLength  = 192 << 10 // the longest read: more than the kernel's 128 KiB
)

// stressWorker reads one asset in random ways, with handles that it keeps open for a while.
type stressWorker struct {
	job    *stressJob
	random *rand.Rand
	truth  []io.ReaderAt // by version
	count  stressCount
	open   []*stressHandle
	inode  int // O_PATH descriptor of the asset's first inode
	stressMeans
}

// stressMeans are files that some ways of reading need.
type stressMeans struct {
	copy *os.File // target of copies
	pipe [2]int
}

// stressHandle is an open file with its mappings.
type stressHandle struct {
	fd              int
	size            int64
	whole           bool // opened after the asset was seen whole
	version         int  // of what was read from it; -1: nothing was
	private, shared []byte
}

// stressWays are the ways of reading n bytes at off. Only the end of the file may make a read shorter.
var stressWays = map[string]func(w *stressMeans, h *stressHandle, off int64, n int) ([]byte, error){
	"pread":        (*stressMeans).pread,
	"readv":        (*stressMeans).readv,
	"mmap private": (*stressMeans).mapPrivate,
	"mmap shared":  (*stressMeans).mapShared,
	"copy":         (*stressMeans).copyRange,
	"splice":       (*stressMeans).splice,
}

func newStressWorker(job *stressJob, number uint64) *stressWorker {
	w := &stressWorker{
		job: job, random: rand.New(rand.NewPCG(job.Seed, number)),
		count: stressCount{Partial: map[string]int{}, Whole: map[string]int{}},
	}
	for version := range job.Versions {
		w.truth = append(w.truth, fakeapi.Content(job.ID, version))
	}
	return w
}

// run reads until the asset has been whole for stressOps reads. It ends at any error or wrong byte. If the content changes, a handle
// with an older version may return ESTALE, and is closed; no handle returns bytes of two versions.
func (w *stressWorker) run() (err error) {
	if w.stressMeans, err = newStressMeans(w.job.Dir); err != nil {
		return err
	}
	if w.inode, err = unix.Open(w.job.Path, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, w.closeAll(), unix.Close(w.inode), w.release())
	}()
	names := slices.Collect(maps.Keys(stressWays))
	for left := stressOps; left > 0; {
		whole, err := w.whole()
		if err != nil {
			return err
		}
		if whole {
			left--
		}
		if w.changes() && w.random.IntN(stressOps/2) == 0 { // so that the asset can be evicted
			if err := w.closeAll(); err != nil {
				return err
			}
		}
		h, err := w.handle(whole)
		if err == nil {
			err = w.read(h, names[w.random.IntN(len(names))])
		}
		switch {
		case err == nil:
		case !w.changes() || !errors.Is(err, unix.ESTALE):
			return err
		default:
			if err := w.closeAll(); err != nil {
				return err
			}
		}
	}
	return nil
}

// changes reports whether the asset changes and loses its present bytes during the test.
func (w *stressWorker) changes() bool { return w.job.Versions > 1 }

func (w *stressWorker) closeAll() (err error) {
	for _, h := range w.open {
		err = errors.Join(err, h.close())
	}
	w.open = nil
	return err
}

func newStressMeans(dir string) (m stressMeans, err error) {
	if m.copy, err = os.CreateTemp(dir, "copy"); err != nil {
		return m, err
	}
	return m, unix.Pipe2(m.pipe[:], unix.O_CLOEXEC)
}

func (w *stressMeans) release() error {
	return errors.Join(w.copy.Close(), unix.Close(w.pipe[0]), unix.Close(w.pipe[1]))
}

// whole reports whether the whole asset is in the spool.
func (w *stressWorker) whole() (bool, error) {
	buf := make([]byte, 64)
	n, err := retry(func() (int, error) { return unix.Getxattr(w.job.Path, "user.assetfs.spooled", buf) })
	if err != nil {
		return false, fmt.Errorf("getxattr: %w", err)
	}
	spooled, err := strconv.ParseInt(string(buf[:n]), 10, 64)
	return spooled == w.job.Size, err
}

// handle opens the asset, or picks an open handle. Sometimes it closes one.
func (w *stressWorker) handle(whole bool) (*stressHandle, error) {
	i := w.random.IntN(stressHandles)
	if i < len(w.open) && w.random.IntN(4) > 0 {
		return w.open[i], nil
	}
	// The first two stay open, so that some outlive the switch.
	if len(w.open) == stressHandles {
		i = 2 + w.random.IntN(stressHandles-2)
		if err := w.open[i].close(); err != nil {
			return nil, err
		}
		w.open = append(w.open[:i], w.open[i+1:]...)
	}
	if w.random.IntN(4) == 0 {
		if err := w.list(); err != nil {
			return nil, err
		}
	}
	name := w.name()
	fd, err := retry(func() (int, error) { return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	h := &stressHandle{fd: fd, size: w.job.Size, whole: whole, version: -1}
	w.open = append(w.open, h)
	return h, nil
}

// name returns what to open: the asset's path, or one of its inodes, which its path may no longer lead to.
func (w *stressWorker) name() string {
	switch w.random.IntN(4) {
	case 0:
		return fmt.Sprintf("/proc/self/fd/%d", w.inode)
	case 1:
		if len(w.open) > 0 {
			return fmt.Sprintf("/proc/self/fd/%d", w.open[w.random.IntN(len(w.open))].fd)
		}
	}
	return w.job.Path
}

// list does what ls -l does. While it reads the directory, the kernel looks names up and attaches them to the inodes that it is given,
// even those of open files.
func (w *stressWorker) list() error {
	entries, err := os.ReadDir(filepath.Dir(w.job.Path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, err := e.Info(); err != nil {
			return err
		}
	}
	return nil
}

// read reads some bytes in one way, and compares them.
func (w *stressWorker) read(h *stressHandle, name string) error {
	off, n := w.random.Int64N(w.job.Size), 1+w.random.IntN(stressLength)
	if w.random.IntN(8) == 0 {
		off = max(0, w.job.Size-int64(w.random.IntN(stressLength))-1) // mistakes are likely at the end
	}
	n = int(min(int64(n), w.job.Size-off))
	got, err := w.way(name, h, off, n)
	if err != nil {
		return fmt.Errorf("%s of %d bytes at %d, opened whole: %v: %w", name, n, off, h.whole, err)
	}
	wrong := 0
	for version, truth := range w.truth {
		if h.version >= 0 && h.version != version {
			continue
		}
		want := make([]byte, n)
		if _, err := truth.ReadAt(want, off); err != nil {
			return err
		}
		if bytes.Equal(got, want) {
			h.version, wrong = version, -1
			break
		}
		at := 0
		for at < min(len(got), n) && got[at] == want[at] {
			at++
		}
		wrong = max(wrong, at)
	}
	if wrong >= 0 {
		return fmt.Errorf("%s of %d bytes at %d, opened whole: %v, version %d: %d bytes, the first wrong one at %d", name, n, off, h.whole, h.version, len(got), off+int64(wrong))
	}
	if h.version > 0 {
		w.count.Later++
	}
	if h.whole {
		w.count.Whole[name]++
	} else {
		w.count.Partial[name]++
	}
	return nil
}

// way reads in one way. A SIGBUS of a mapping becomes a panic of this goroutine, and then ESTALE if the content may change.
func (w *stressWorker) way(name string, h *stressHandle, off int64, n int) (got []byte, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("a mapping failed: %v", fault)
			if w.changes() {
				err = unix.ESTALE
			}
		}
	}()
	return stressWays[name](&w.stressMeans, h, off, n)
}

func (w *stressMeans) pread(h *stressHandle, off int64, n int) ([]byte, error) {
	p := make([]byte, n)
	m, err := retry(func() (int, error) { return unix.Pread(h.fd, p, off) })
	return p[:max(0, m)], err
}

func (w *stressMeans) readv(h *stressHandle, off int64, n int) ([]byte, error) {
	p := make([]byte, n)
	a, b := n/3, n/2
	m, err := retry(func() (int, error) { return unix.Preadv(h.fd, [][]byte{p[:a], p[a:b], p[b:]}, off) })
	return p[:max(0, m)], err
}

func (w *stressMeans) mapPrivate(h *stressHandle, off int64, n int) ([]byte, error) {
	return mapped(&h.private, h.fd, h.size, unix.MAP_PRIVATE, off, n)
}

func (w *stressMeans) mapShared(h *stressHandle, off int64, n int) ([]byte, error) {
	return mapped(&h.shared, h.fd, h.size, unix.MAP_SHARED, off, n)
}

// mapped copies from a mapping of the whole file, which it makes when first called.
func mapped(mapping *[]byte, fd int, size int64, flags int, off int64, n int) ([]byte, error) {
	if *mapping == nil {
		m, err := unix.Mmap(fd, 0, int(size), unix.PROT_READ, flags)
		if err != nil {
			return nil, err
		}
		*mapping = m
	}
	return bytes.Clone((*mapping)[off : off+int64(n)]), nil
}

// copyRange copies to a local file, as cp does: by copy_file_range, or by sendfile if the kernel refuses that between two file systems.
func (w *stressMeans) copyRange(h *stressHandle, off int64, n int) ([]byte, error) {
	if err := w.copy.Truncate(0); err != nil {
		return nil, err
	}
	if _, err := w.copy.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	to := int(w.copy.Fd())
	for done := 0; done < n; {
		m, err := retry(func() (int, error) { return unix.CopyFileRange(h.fd, &off, to, nil, n-done, 0) })
		if errors.Is(err, unix.EXDEV) {
			m, err = retry(func() (int, error) { return unix.Sendfile(to, h.fd, &off, n-done) })
		}
		if err != nil || m == 0 {
			return nil, err
		}
		done += m
	}
	return os.ReadFile(w.copy.Name())
}

// splice reads through a pipe.
func (w *stressMeans) splice(h *stressHandle, off int64, n int) ([]byte, error) {
	p := make([]byte, n)
	for done := 0; done < n; {
		m, err := retry(func() (int, error) {
			m, err := unix.Splice(h.fd, &off, w.pipe[1], nil, min(n-done, 16<<10), 0)
			return int(m), err
		})
		if err != nil || m == 0 {
			return p[:done], err
		}
		if _, err := unix.Read(w.pipe[0], p[done:done+m]); err != nil { // the pipe holds exactly that many
			return p[:done], err
		}
		done += m
	}
	return p, nil
}

// close removes the mappings and closes the file.
func (h *stressHandle) close() error {
	var errs []error
	for _, m := range [][]byte{h.private, h.shared} {
		if m != nil {
			errs = append(errs, unix.Munmap(m))
		}
	}
	return errors.Join(append(errs, unix.Close(h.fd))...)
}

// retry repeats a call that was interrupted by a signal, such as those by which Go preempts threads.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
