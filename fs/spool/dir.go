package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"os"
	"sync"
)

// Options of a Dir. The zero value is good.
type Options struct {
	// Log may be nil.
	Log *slog.Logger
	// Dry has blobs keep nothing: they read as zeros. For simulations.
	Dry bool
	// Fault, if not nil, is called at named points of what is done with the
	// disk, with the name of the file: before a step (create, read, write, sync,
	// append, index-sync, punch, unlink, compact, rename, directory-sync), where
	// an error is taken for the step's own, and after some (written, synced,
	// appended, index-synced, punched, compacted, renamed, directory-synced),
	// where an error is only right if all later ones fail too: a crash. For
	// tests. It may be called from several goroutines.
	Fault func(point, name string) error
}

// A Dir is the spool of one base URL. Its methods may be called concurrently.
type Dir struct {
	o       Options
	path    string
	root    *os.Root
	self    *os.File // the directory
	locked  *os.File
	block   int64
	depth   int
	zeros   bool
	journal *Journal
	opening chan struct{} // has an element while a blob is being opened

	mu   sync.Mutex         // guards open; a leaf
	open map[*Blob]struct{} // have a descriptor; nil once closed
}

// Open makes or opens the spool of baseURL below the directory root and locks
// it; Close unlocks it. It returns a *LockedError if another process uses it
// and an *UnsafeError if it is not this user's alone. The journal has to be
// replayed before anything else is done with it.
func Open(root, baseURL string, o Options) (*Dir, error) {
	path, err := prepare(root, baseURL)
	if err != nil {
		return nil, err
	}
	d := &Dir{o: o, path: path, open: map[*Blob]struct{}{}, opening: make(chan struct{}, 1)}
	if d.o.Log == nil {
		d.o.Log = slog.New(slog.DiscardHandler)
	}
	if d.root, err = os.OpenRoot(path); err != nil {
		return nil, err
	}
	if err := stillPrivate(d.root); err != nil {
		return nil, errors.Join(err, d.root.Close())
	}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// prepare takes the lock and opens what is there.
func (d *Dir) prepare() (err error) {
	if d.locked, err = lock(d.root); err != nil {
		return err
	}
	d.SetHolder(fmt.Sprintf("process %d", os.Getpid()))
	if d.self, err = d.root.Open("."); err != nil {
		return err
	}
	st, err := statfs(d.self)
	if err != nil {
		return err
	}
	d.block, d.depth, d.zeros = blockSize(&st), stackDepth(&st), zerosAreHoles(&st)
	d.journal, err = d.openJournal()
	return err
}

// Path returns the path of the directory.
func (d *Dir) Path() string { return d.path }

// SetHolder writes what a second process is told about this one, say "process
// 12, mounted at /mnt".
func (d *Dir) SetHolder(text string) {
	if err := setHolder(d.locked, text); err != nil {
		d.o.Log.Warn("lock file not written", "error", err)
	}
}

// Journal returns the journal.
func (d *Dir) Journal() *Journal { return d.journal }

// Block is the unit in which the file system takes and frees room, in bytes.
func (d *Dir) Block() int64 { return d.block }

// ZerosAreHoles reports whether the file system makes holes of zeros, so that a
// hole proves nothing.
func (d *Dir) ZerosAreHoles() bool { return d.zeros }

// Free returns how many bytes this user may still write to the disk.
func (d *Dir) Free() (int64, error) {
	st, err := statfs(d.self)
	if err != nil {
		return 0, err
	}
	return available(&st), nil
}

// StackDepth is what the kernel must be told so that it serves files of this
// directory by itself: 1, or 2 on a stacked file system.
func (d *Dir) StackDepth() int { return d.depth }

// Probe returns a descriptor of some file in the directory, to find out what
// can be done with one. The caller closes it.
func (d *Dir) Probe() (*os.File, error) { return d.root.Open(lockName) }

// Sweep calls keep for each regular file that may be a blob, and removes those
// that it does not want.
func (d *Dir) Sweep(keep func(name string, info os.FileInfo) bool) error {
	entries, err := d.self.ReadDir(-1)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		if !isBlobName(name) && name != newIndexName {
			continue
		}
		if info, err := e.Info(); err == nil && name != newIndexName && info.Mode().IsRegular() && keep(name, info) {
			continue
		}
		if err := d.root.Remove(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			d.o.Log.Warn("leftover in the spool not removed", "dir", d.path, "file", name, "error", err)
		}
	}
	return nil
}

// Sync returns when the names in the directory are on the disk.
func (d *Dir) Sync() error {
	if err := d.fault("directory-sync", "."); err != nil {
		return err
	}
	if err := d.self.Sync(); err != nil {
		return err
	}
	return d.fault("directory-synced", ".")
}

// Close closes every descriptor, that of the lock last. Nothing is written.
func (d *Dir) Close() error {
	d.mu.Lock()
	open := d.open
	d.open = nil
	d.mu.Unlock()
	for b := range open {
		b.Close()
	}
	var errs []error
	if d.journal != nil {
		errs = append(errs, d.journal.f.Close())
	}
	for _, c := range []*os.File{d.self, d.locked} {
		if c != nil {
			errs = append(errs, c.Close())
		}
	}
	return errors.Join(append(errs, d.root.Close())...)
}

// fault is called where a test may want something to go wrong.
func (d *Dir) fault(point, name string) error {
	if d.o.Fault == nil {
		return nil
	}
	return d.o.Fault(point, name)
}
