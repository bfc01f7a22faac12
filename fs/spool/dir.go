// Package spool keeps a journal and blobs in a directory, across restarts, crashes and power cuts. It
// neither knows what the journal's records mean nor which bytes of a blob are valid, and decides
// nothing.
//
// A [Dir] belongs to one base URL and, by a lock, to one process. Its [Journal] is one file, the
// index: a header with a version, and then records, each with a checksum. Queueing a record is no
// I/O; one goroutine at a time writes records, in that order. A [Blob] is one sparse file, named
// after an ID and a number. Its descriptor is opened when needed, and closed when there are too many.
package spool

import (
	"errors"
	"fmt"
	iofs "io/fs"
	"log/slog"
	"os"
	"regexp"
	"sync/atomic"
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

// blobNames matches what BlobName returns.
var blobNames = regexp.MustCompile(`^[a-z0-9_%-]+\.[0-9]+$`)

// Options of a Dir. The zero value is good.
type Options struct {
	// Log may be nil.
	Log *slog.Logger
	// Dry makes blobs keep nothing: they read as zeros. For simulations.
	Dry bool
	// Fault, if not nil, is called at named points with the name of the file. For tests. An error
	// before a step (create, read, write, sync, close, append, index-sync, punch, unlink, compact,
	// rename, directory-sync) becomes the error of the step. An error after a step (written, synced, appended,
	// index-synced, punched, compacted, renamed, directory-synced) is right only if all later calls
	// fail, too: it is a crash. Fault may be called from several goroutines.
	Fault func(point, name string) error
}

// A Dir is the spool of one base URL. Its methods may be called concurrently.
type Dir struct {
	o       Options
	root    *os.Root
	self    *os.File // the directory
	locked  *os.File
	journal *Journal
	synced  atomic.Bool // Sync has succeeded, so the index has its name on the disk

	// opening is held while blobs are opened or closed. It guards open, and exists, gone and failed of
	// each blob.
	opening chan struct{}
	open    map[*Blob]struct{} // have a descriptor; nil once closed
}

// Open makes or opens the spool of baseURL below the directory root, and locks it. Close unlocks it.
// It returns a *LockedError if another process uses it, and an error if the directory does not belong
// to this user alone. Replay the journal before doing anything else.
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

// prepare takes the lock and opens the journal.
func (d *Dir) prepare() (err error) {
	if err := d.root.Chmod(".", 0o700); err != nil {
		return err
	}
	if fi, err := d.root.Stat("."); err != nil || fi.Mode().Perm() != 0o700 { // some file systems have no modes
		return errors.Join(err, unfit(d.Path(), "stays open to others"))
	}
	if d.self, err = d.root.Open("."); err != nil {
		return err
	}
	if d.locked, err = openOwn(d.root, lockName, os.O_RDWR|os.O_CREATE); err != nil {
		return err
	}
	if err := lock(d.locked, syscall.LOCK_EX, d.Path()); err != nil {
		return err
	}
	// The directory, too: the file may have been removed while the other process runs. On NFS that
	// is not possible.
	var other *LockedError
	if err := lock(d.self, syscall.LOCK_EX, d.Path()); errors.As(err, &other) {
		return err
	}
	d.SetHolder(fmt.Sprintf("process %d", os.Getpid()))
	f, err := openOwn(d.root, indexName, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	writeInPlace(f)
	d.journal = &Journal{d: d, f: f, syncing: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	return nil
}

// openOwn opens a file of the spool itself in dir.
func openOwn(dir *os.Root, name string, flags int) (*os.File, error) {
	f, err := openRegular(dir, name, flags)
	if errors.Is(err, errIrregular) {
		return nil, unfit(dir.Name(), "has something else where its file "+name+" should be")
	}
	return f, err
}

// errIrregular means that a name is that of something else than a file. It counts as missing.
var errIrregular = fmt.Errorf("no regular file: %w", iofs.ErrNotExist)

// openRegular opens a file in dir. It neither follows links, which os.Root does within dir, nor waits for
// the other end of a FIFO.
func openRegular(dir *os.Root, name string, flags int) (*os.File, error) {
	if fi, err := dir.Lstat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, &iofs.PathError{Op: "open", Path: name, Err: errIrregular}
	}
	return dir.OpenFile(name, flags, 0o600)
}

// Path returns the path of the directory.
func (d *Dir) Path() string { return d.root.Name() }

// State describes the directory, without the room that its files take.
func (d *Dir) State() (State, error) {
	s := State{Path: d.Path(), Exists: true}
	return s, s.measure(d.self)
}

// SetHolder sets what a second process is told about this one, such as "process 12, mounted at /mnt".
func (d *Dir) SetHolder(text string) {
	_, err := d.locked.WriteAt([]byte(text+"\n"), 0)
	if err := errors.Join(err, d.locked.Truncate(int64(len(text)+1))); err != nil {
		d.o.Log.Warn("lock file not written", "error", err)
	}
}

// Journal returns the journal.
func (d *Dir) Journal() *Journal { return d.journal }

// Probe returns a descriptor of some file in the directory, to find out what can be done with such
// files. The caller must close it.
func (d *Dir) Probe() (*os.File, error) { return d.root.Open(lockName) }

// Sweep calls keep for each regular file that may be a blob, and removes those for which it returns
// false.
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

// Sync returns when the names in the directory are on the disk, if the file system can tell.
func (d *Dir) Sync() error {
	return d.step("directory-sync", "directory-synced", ".", func() error {
		err := d.self.Sync()
		if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) { // such as SMB
			err = nil
		}
		d.synced.Store(err == nil)
		return err
	})
}

// Close closes all descriptors, that of the lock last. It writes nothing.
func (d *Dir) Close() error {
	defer hold(d.opening)()
	for b := range d.open {
		b.close()
	}
	d.open = nil
	errs := []error{d.root.Close()}
	if d.journal != nil {
		defer hold(d.journal.turn)()
		d.journal.closed = true
		errs = append(errs, d.journal.f.Close())
	}
	for _, f := range []*os.File{d.self, d.locked} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// step does something with the disk, between two points where a test may make it fail. An empty name
// is no such point.
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

// hold takes c, a lock that may be held during disk I/O, and returns the function that releases it.
func hold(c chan struct{}) (release func()) {
	c <- struct{}{}
	return func() { <-c }
}

// control calls do with the descriptor of f, which stays open during that. It returns os.ErrClosed if
// f is closed.
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
