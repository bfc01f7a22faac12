package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	modelThreads = 2
	modelHandles = 4 // kept open by each thread
	// modelHang is longer than any call may take without a limit: a read may retry for --retry-for each time it has made progress.
	modelHang = time.Minute
	// modelLeast is how many operations a thread does before it ends, even on a slow machine.
	modelLeast = 30
)

// modelJob is the job of one worker process, which ends when its standard input does.
type modelJob struct {
	Mnt, Ref, Dir string
	Assets        []modelAsset
	Seed          uint64
	Pause         time.Duration // between operations
	Patience      time.Duration // longer than any call may take
	Least         int           // operations that a thread does before it ends
	Faults        bool          // documented errors are allowed
	Restarts      bool          // and so are the errors of a mount that is gone
}

// modelAsset is an asset and its reference: files ID.0, ID.1, ... in Ref, one per version, all of the same size.
type modelAsset struct {
	ID       string
	Names    []string // possible names, in addition to its ID
	Size     int64
	Versions int
}

// modelCount is what a process did: how often it did each operation, and saw each error.
type modelCount struct{ Done, Failed map[string]int }

// modelWorker is one thread.
type modelWorker struct {
	job    *modelJob
	random *rand.Rand
	count  modelCount
	names  map[string]string // the name of each ID, once seen
	open   []*modelHandle
	stressMeans
}

// modelHandle is an open file.
type modelHandle struct {
	stressHandle
	asset    *modelAsset
	versions []int // that agree with everything read so far
}

// modelWork is the main function of a worker process. It prints a modelCount, and fails the test at the first mistake.
func modelWork(t *testing.T, text string) {
	var job modelJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin) //nolint:errcheck // the end matters, not the reason
		close(ended)
	}()
	var wg sync.WaitGroup
	counts := make([]modelCount, modelThreads)
	for i := range counts {
		wg.Go(func() {
			w := &modelWorker{
				job: &job, random: rand.New(rand.NewPCG(job.Seed, uint64(i))), names: map[string]string{},
				count: modelCount{map[string]int{}, map[string]int{}},
			}
			if err := w.run(ended); err != nil {
				t.Error(err)
			}
			counts[i] = w.count
		})
	}
	wg.Wait()
	sum := modelCount{map[string]int{}, map[string]int{}}
	for _, c := range counts {
		sum.add(c)
	}
	line, err := json.Marshal(sum)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(line))
}

func (c modelCount) add(other modelCount) {
	for k, n := range other.Done {
		c.Done[k] += n
	}
	for k, n := range other.Failed {
		c.Failed[k] += n
	}
}

func (w *modelWorker) run(ended <-chan struct{}) (err error) {
	if w.stressMeans, err = newStressMeans(w.job.Dir); err != nil {
		return err
	}
	defer func() {
		for _, h := range w.open {
			h.close() // fails if the mount is gone
		}
		err = errors.Join(err, w.release())
	}()
	pause := time.NewTicker(max(w.job.Pause, 1))
	defer pause.Stop()
	for n := 0; ; n++ {
		over := ended
		if n < w.job.Least {
			over = nil
		}
		select {
		case <-over:
			return nil
		case <-pause.C:
		}
		name, do := w.operation()
		hangs := time.AfterFunc(w.job.Patience, func() {
			panic(fmt.Sprintf("%s hangs", name)) // not t.Fatal, which can't end the hanging thread
		})
		err := do()
		hangs.Stop()
		var number unix.Errno
		switch {
		case err == nil:
			w.count.Done[name]++
		case !w.job.Faults, !errors.As(err, &number) && !errors.Is(err, errFault), number != 0 && !w.documented(number):
			return fmt.Errorf("%s: %w", name, err)
		case number == 0:
			w.count.Failed["SIGBUS"]++
		default:
			w.count.Failed[unix.ErrnoName(number)]++
		}
	}
}

// documented reports whether the errors that this run provokes may have that number. EINVAL is not one of them.
func (w *modelWorker) documented(number unix.Errno) bool {
	switch number {
	case unix.ENOENT, unix.EACCES, unix.EPERM, unix.EDQUOT, unix.EBUSY, unix.ESTALE, unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.EIO, unix.ENOSPC:
		return true
	case unix.ENOTCONN, unix.ECONNABORTED, unix.ENODEV:
		return w.job.Restarts
	}
	return false
}

// errFault means that a memory mapping could not be read.
var errFault = errors.New("SIGBUS")

// operation picks the next operation.
func (w *modelWorker) operation() (string, func() error) {
	a := &w.job.Assets[w.random.IntN(len(w.job.Assets))]
	switch w.random.IntN(24) {
	case 0:
		return "stat", func() error { return w.stat(a) }
	case 1:
		return "list", w.list
	case 2:
		return "list by-id", w.listIDs
	case 3:
		return "sweep", func() error { return w.sweep(a) }
	case 4:
		return "close", func() error {
			if len(w.open) == 0 {
				return nil
			}
			w.close(w.random.IntN(len(w.open)))
			return nil
		}
	}
	ways := slices.Sorted(maps.Keys(stressWays))
	name := ways[w.random.IntN(len(ways))]
	return name, func() error {
		i, err := w.handle(a)
		if err == nil {
			if err = w.read(w.open[i], name); err != nil {
				w.close(i)
			}
		}
		return err
	}
}

// path returns one of the paths of an asset.
func (w *modelWorker) path(a *modelAsset) string {
	switch w.random.IntN(3) {
	case 0:
		return filepath.Join(w.job.Mnt, "by-id", a.ID)
	case 1:
		if name := w.names[a.ID]; name != "" {
			return filepath.Join(w.job.Mnt, name)
		}
	}
	return filepath.Join(w.job.Mnt, a.ID)
}

func (w *modelWorker) stat(a *modelAsset) error {
	var st unix.Stat_t
	path := w.path(a)
	if err := unix.Stat(path, &st); err != nil {
		return err
	}
	if st.Size != a.Size || st.Mode != unix.S_IFREG|0o444 {
		return fmt.Errorf("%s has size %d and mode %o, want %d", path, st.Size, st.Mode, a.Size)
	}
	return nil
}

// list reads the root: each asset is there once, and has kept its name.
func (w *modelWorker) list() error {
	entries, err := os.ReadDir(w.job.Mnt)
	if err != nil || w.job.Restarts && len(entries) == 0 {
		return err // or the assets are not mounted
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Name()] = true
	}
	for _, a := range w.job.Assets {
		found := slices.DeleteFunc(append([]string{a.ID}, a.Names...), func(name string) bool { return !there[name] })
		// Two assets share a plain name; only one of them has it.
		if len(found) == 0 || len(found) > 2 {
			return fmt.Errorf("%s is listed as %q", a.ID, found)
		}
		link, err := os.Readlink(filepath.Join(w.job.Mnt, "by-id", a.ID))
		if err != nil {
			return err
		}
		name := filepath.Base(link)
		if was := w.names[a.ID]; was != "" && was != name || name != a.ID && !slices.Contains(a.Names, name) {
			return fmt.Errorf("%s is called %q, and was %q", a.ID, name, was)
		}
		if name != a.ID {
			w.names[a.ID] = name
		}
	}
	return nil
}

func (w *modelWorker) listIDs() error {
	entries, err := os.ReadDir(filepath.Join(w.job.Mnt, "by-id"))
	if err == nil && len(entries) != len(w.job.Assets) {
		return fmt.Errorf("by-id has %d entries, want %d", len(entries), len(w.job.Assets))
	}
	return err
}

// handle opens a, or picks an open handle.
func (w *modelWorker) handle(a *modelAsset) (int, error) {
	if n := len(w.open); n > 0 && w.random.IntN(4) > 0 {
		return w.random.IntN(n), nil
	}
	if len(w.open) == modelHandles {
		w.close(0)
	}
	h, err := w.openFile(a)
	if err != nil {
		return 0, err
	}
	w.open = append(w.open, h)
	return len(w.open) - 1, nil
}

func (w *modelWorker) openFile(a *modelAsset) (*modelHandle, error) {
	fd, err := retry(func() (int, error) { return unix.Open(w.path(a), unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	h := &modelHandle{stressHandle: stressHandle{fd: fd, size: a.Size}, asset: a}
	for v := range a.Versions {
		h.versions = append(h.versions, v)
	}
	return h, nil
}

// close closes a handle. Errors don't count, since the mount may be gone.
func (w *modelWorker) close(i int) {
	w.open[i].close()
	w.open = slices.Delete(w.open, i, i+1)
}

// read reads some bytes in one way, and compares them.
func (w *modelWorker) read(h *modelHandle, name string) error {
	off, n := int64(0), int64(0)
	if h.size > 0 {
		off, n = w.random.Int64N(h.size), 1+w.random.Int64N(stressLength)
		if w.random.IntN(8) == 0 {
			off = max(0, h.size-w.random.Int64N(stressLength)-1)
		}
		n = min(n, h.size-off)
	} else {
		name = "pread"
	}
	got, err := w.guarded(name, h, off, int(n))
	if err != nil {
		return err
	}
	if err := h.compare(got, off, w.job.Ref); err != nil || int64(len(got)) == n {
		return err
	}
	if len(got) == 0 || name != "pread" && name != "readv" {
		return fmt.Errorf("%d bytes of %d at %d of %s, and no error", len(got), n, off, h.asset.ID)
	}
	// A short read is right only before an error.
	rest, err := w.pread(&h.stressHandle, off+int64(len(got)), 1)
	if err == nil && len(rest) == 0 {
		return fmt.Errorf("%s ends at %d, of %d bytes", h.asset.ID, off+int64(len(got)), h.size)
	}
	return err
}
