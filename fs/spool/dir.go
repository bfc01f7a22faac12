package spool

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"assetfs/fs/ranges"
)

// Options of a Dir. The zero value has no limits.
type Options struct {
	// Size is the number of bytes of assets to keep within; 0 is no limit. Bytes
	// count as the blocks that they take. The index, some 200 bytes an asset,
	// is not counted.
	Size int64
	// MinFree is the number of bytes of the disk to leave free. What others
	// write to the disk is noticed within a second of our own writing.
	MinFree int64
	// BootID names this boot of the machine; "" asks the machine. For tests.
	BootID string
	// Accept, if not nil, is asked by Open about each asset of at most
	// acceptSize bytes that is whole. read returns its bytes. On false they and
	// what is known of the asset go, but for its name: an older program may have
	// taken for an asset what is none. It may change m.
	Accept func(m *Meta, read func() []byte) bool
	// Log may be nil.
	Log *slog.Logger
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
	o      Options
	bootID string
	path   string
	root   *os.Root
	self   *os.File // the directory
	locked *os.File
	block  int64 // unit of room, bytes
	depth  int
	holes  bool // a hole in claimed bytes means that they are lost
	// rebooted means that the index was last written in another boot.
	rebooted bool

	noPunch atomic.Bool // the file system can't
	closing atomic.Bool // nothing more is written
	closed  atomic.Bool // nothing more is read

	syncerMu sync.Mutex // held while files are synced: one after the other

	roomMu sync.Mutex // held while room is made
	syncMu sync.Mutex // held where the index on disk must not be replaced

	logMu sync.Mutex // what is appended and what changes with it, in that order
	log   indexLog
	// unrecorded is true since a flush failed.
	unrecorded bool

	room room

	mu sync.Mutex // guards what follows; a leaf
	contents
	dirty    []*File // what a flush has to record
	unsynced map[*File]struct{}
	open     map[*File]struct{} // have a descriptor
	settings bool               // Range support has to be recorded

	newBytes atomic.Int64  // written since the last flush
	changed  chan struct{} // something is dirty
	much     chan struct{} // enough is dirty to flush now
	due      chan struct{} // something may have to be synced
	stop     chan struct{} // closed to end the goroutines
	wg       sync.WaitGroup
}

// Open makes or opens the spool of baseURL below the directory root and locks
// it; Close unlocks it. It returns a *LockedError if another process uses it
// and an *UnsafeError if it is not this user's alone.
func Open(root, baseURL string, o Options) (*Dir, error) {
	path, err := prepare(root, baseURL)
	if err != nil {
		return nil, err
	}
	d := &Dir{
		o: o, bootID: o.BootID, path: path,
		unsynced: map[*File]struct{}{}, open: map[*File]struct{}{},
		changed: make(chan struct{}, 1), much: make(chan struct{}, 1), due: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if d.o.Log == nil {
		d.o.Log = slog.New(slog.DiscardHandler)
	}
	if d.bootID == "" {
		if d.bootID, err = machineBootID(); err != nil || d.bootID == "" {
			d.o.Log.Warn("this boot has no ID: after a crash only synced bytes count", "error", err)
			d.bootID = rand.Text()
		}
	}
	if d.root, err = os.OpenRoot(path); err != nil {
		return nil, err
	}
	if err := stillPrivate(d.root); err != nil {
		return nil, errors.Join(err, d.root.Close())
	}
	if err := d.load(); err != nil {
		return nil, errors.Join(err, d.closeFiles())
	}
	if o.Size > 0 {
		if err := d.makeRoom(0, nil, ranges.Range{}, nil); err != nil {
			d.o.Log.Warn("the spool holds more than it should", "error", err)
		}
	}
	d.wg.Go(d.writer)
	d.wg.Go(d.syncer)
	if len(d.unsynced) > 0 {
		nudge(d.due)
	}
	return d, nil
}

// load takes the lock, reads the index and looks at the spool files.
func (d *Dir) load() error {
	var err error
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
	d.block, d.depth = blockSize(&st), stackDepth(&st)
	d.room = room{size: d.o.Size, minFree: d.o.MinFree, free: available(&st)}
	whole, err := d.readIndex()
	if err != nil {
		return err
	}
	// On a file system that makes holes of zeros, holes prove something only if
	// removals may have been forgotten.
	d.holes = !whole || !zerosAreHoles(&st)
	if err := d.look(); err != nil {
		return err
	}
	if d.rebooted {
		// Claims that no longer count go, lest they count again in a boot with
		// that ID: of another machine that shares the directory.
		if err := d.compact(); err != nil {
			d.o.Log.Warn("spool index not compacted", "error", err)
		}
	}
	d.review()
	return nil
}

// SetHolder writes what a second process is told about this one, say "process
// 12, mounted at /mnt".
func (d *Dir) SetHolder(text string) {
	if err := setHolder(d.locked, text); err != nil {
		d.o.Log.Warn("lock file not written", "error", err)
	}
}

// File returns the file of an asset, always the same for the same ID. Of one
// that is not known yet nothing is on disk until something is recorded.
func (d *Dir) File(id string) *File {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.files[id]
	if f == nil {
		f = &File{d: d, id: id, incarnation: 1, meta: Meta{Size: -1, FirstSeen: seenNow()}}
		d.files[id] = f
	}
	return f
}

// seenNow is the time as it is recorded, so that it stays the same over restarts.
func seenNow() time.Time { return time.Now().Truncate(time.Microsecond) }

// Known returns the IDs of which something is recorded, in the order in which
// they first were.
func (d *Dir) Known() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := make([]string, len(d.order))
	for i, f := range d.order {
		ids[i] = f.id
	}
	return ids
}

// StackDepth is what the kernel must be told so that it serves files of this
// directory by itself: 1, or 2 on a stacked file system.
func (d *Dir) StackDepth() int { return d.depth }

// Probe returns a descriptor of some file in the directory, to find out what
// can be done with one. The caller closes it.
func (d *Dir) Probe() (*os.File, error) { return d.root.Open(lockName) }

// Close makes all present bytes claimed for ever and unlocks the directory. It
// waits for the disk. The Dir and its Files must not be used any more: what
// needs the disk returns ErrClosed. The first error is returned, but everything
// that can be done is.
func (d *Dir) Close() error {
	if d.closing.Swap(true) {
		return ErrClosed
	}
	close(d.stop)
	d.wg.Wait()
	var errs []error
	errs = append(errs, d.flush(), d.syncFiles(time.Now()))
	d.closed.Store(true)
	d.logMu.Lock()
	idle := d.log.size == d.log.base
	d.logMu.Unlock()
	if !idle {
		errs = append(errs, d.compact())
	}
	for _, err := range append(errs, d.closeFiles()) {
		if err != nil {
			return err
		}
	}
	return nil
}

// closeFiles closes every descriptor, that of the lock last.
func (d *Dir) closeFiles() error {
	d.closed.Store(true)
	var errs []error
	d.mu.Lock()
	open := d.open
	d.open = nil
	d.mu.Unlock()
	for f := range open {
		f.closeDescriptor()
	}
	for _, c := range []*os.File{d.log.f, d.self, d.locked} {
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

// nudge wakes whoever waits for c, now or next.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// full reports whether err says that the disk, or this user's share of it, is
// full.
func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
