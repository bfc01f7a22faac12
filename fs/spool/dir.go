// Package spool keeps a journal and blobs in a directory, across restarts,
// crashes and power cuts. It knows neither what the records of the journal mean
// nor which bytes of a blob count, and decides nothing.
//
// A [Dir] belongs to one base URL and, by a lock, to one process. Its [Journal]
// is one file, the index: records behind a versioned header, each with a
// checksum. Records are queued, which is no I/O, and written in that order by
// one goroutine at a time. A [Blob] is one sparse file, named after an ID and a
// number; its descriptor is opened when it is needed and closed when there are
// too many.
package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"os"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"
)

// ErrClosed means that the Dir has been closed.
var ErrClosed = errors.New("spool closed")

const (
	indexName    = "index"
	newIndexName = "index.new"
	lockName     = "lock" // is locked, and says by whom
)

// blobNames are those that BlobName makes.
var blobNames = regexp.MustCompile(`^[a-z0-9_%-]+\.[0-9]+$`)

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
	root    *os.Root
	self    *os.File // the directory
	locked  *os.File
	journal *Journal

	// opening is held while blobs are opened or closed. It guards open, and
	// exists and gone of each.
	opening chan struct{}
	open    map[*Blob]struct{} // have a descriptor; nil once closed
}

// Open makes or opens the spool of baseURL below the directory root and locks
// it; Close unlocks it. It returns a *LockedError if another process uses it,
// and refuses what is not this user's alone. The journal has to be replayed
// before anything else is done with it.
func Open(root, baseURL string, o Options) (*Dir, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := enter(root, baseURL, true)
	if err != nil {
		return nil, err
	}
	d := &Dir{o: o, root: dir, opening: make(chan struct{}, 1), open: map[*Blob]struct{}{}}
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// prepare takes the lock and opens what is there.
func (d *Dir) prepare() (err error) {
	if err := d.root.Chmod(".", 0o700); err != nil {
		return err
	}
	if fi, err := d.root.Stat("."); err != nil || fi.Mode().Perm() != 0o700 { // some file systems have no modes
		return errors.Join(err, unfit(d.Path(), "stays open to others"))
	}
	if d.locked, err = d.root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600); err != nil {
		return err
	}
	if err := lock(d.locked, syscall.LOCK_EX, d.Path()); err != nil {
		return err
	}
	d.SetHolder(fmt.Sprintf("process %d", os.Getpid()))
	if d.self, err = d.root.Open("."); err != nil {
		return err
	}
	f, err := d.root.OpenFile(indexName, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	d.journal = &Journal{d: d, f: f, syncing: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	return nil
}

// Path returns the path of the directory.
func (d *Dir) Path() string { return d.root.Name() }

// State describes the directory, but for what its files take.
func (d *Dir) State() (State, error) {
	s := State{Path: d.Path(), Exists: true}
	return s, s.measure(d.self)
}

// SetHolder writes what a second process is told about this one, say "process
// 12, mounted at /mnt".
func (d *Dir) SetHolder(text string) {
	if err := d.root.WriteFile(lockName, []byte(text+"\n"), 0o600); err != nil {
		d.o.Log.Warn("lock file not written", "error", err)
	}
}

// Journal returns the journal.
func (d *Dir) Journal() *Journal { return d.journal }

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
		if name != newIndexName {
			info, err := e.Info()
			if !blobNames.MatchString(name) || err == nil && info.Mode().IsRegular() && keep(name, info) {
				continue
			}
		}
		if err := d.root.Remove(name); err != nil && !errors.Is(err, iofs.ErrNotExist) {
			d.o.Log.Warn("leftover in the spool not removed", "dir", d.Path(), "file", name, "error", err)
		}
	}
	return nil
}

// Sync returns when the names in the directory are on the disk.
func (d *Dir) Sync() error { return d.step("directory-sync", "directory-synced", ".", d.self.Sync) }

// Close closes every descriptor, that of the lock last. Nothing is written.
func (d *Dir) Close() error {
	defer hold(d.opening)()
	for b := range d.open {
		b.close()
	}
	d.open = nil
	errs := []error{d.root.Close()}
	if d.journal != nil {
		defer hold(d.journal.turn)()
		errs = append(errs, d.journal.f.Close())
	}
	for _, f := range []*os.File{d.self, d.locked} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// step does something with the disk, between two points where a test may have it
// go wrong. A point without a name is none.
func (d *Dir) step(before, after, name string, do func() error) error {
	if err := d.fault(before, name); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return d.fault(after, name)
}

func (d *Dir) fault(point, name string) error {
	if d.o.Fault == nil || point == "" {
		return nil
	}
	return d.o.Fault(point, name)
}

// hold takes c, a lock that may be held while the disk is used, and returns what
// releases it.
func hold(c chan struct{}) (release func()) {
	c <- struct{}{}
	return func() { <-c }
}

// control calls do with the descriptor of f, which stays open meanwhile. It
// returns os.ErrClosed if f is closed.
func control(f *os.File, do func(fd int) error) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var derr error
	err = conn.Control(func(fd uintptr) {
		for {
			if derr = do(int(fd)); !errors.Is(derr, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return os.ErrClosed // the only reason; the error itself is not that one
	}
	return derr
}
