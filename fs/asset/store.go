package asset

import (
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// StoreOptions configure a Store. The zero value has no limits.
type StoreOptions struct {
	// Size is the most that the assets may take, in bytes; 0: no limit. Whole blocks are counted. The
	// index, about 200 bytes an asset, is not.
	Size int64
	// MinFree is how many bytes of the disk to leave free. What others write to the disk is noticed
	// within a second of our next write.
	MinFree int64
	// BootID identifies this boot of the machine; "" asks the machine. For tests.
	BootID string
	// Uptime returns the age of this boot, so that a clock that is set does no harm; 0 or nil: unknown.
	Uptime func() time.Duration
	// Impostor, if not nil, is asked by OpenStore about each small whole asset that an older program
	// has stored. If it returns true the bytes are not an asset: they are dropped, with all that is
	// known of it except its name.
	Impostor func(p []byte) bool
	// Log may be nil.
	Log *slog.Logger
	// Spool are the options of the directory. For tests.
	Spool spool.Options
}

// A Store keeps the assets of one base URL: every asset of which something is recorded. It writes
// down what changes, and makes room. It also holds what assets learn together about the server. Its
// methods may be called concurrently.
type Store struct {
	o       StoreOptions
	reading *Options // how assets are read
	dir     *spool.Dir
	journal *spool.Journal
	bootID  string
	began   time.Time // this boot, by the clock as it was at its first mount
	block   int64     // unit of room, bytes
	holes   bool      // a hole in claimed bytes means that they are lost
	unknown [][]byte

	noPunch     atomic.Bool              // the file system can't
	closed      atomic.Bool              // Close was called
	newBytes    atomic.Int64             // written since the last flush
	full        atomic.Pointer[fullness] // nil: there was room at the last attempt to make some
	suspended   atomic.Pointer[error]    // nil: reads may wait; see Suspend
	making      chan struct{}            // has an element while room is made
	pinning     chan struct{}            // has an element while an asset is pinned or unpinned
	flushing    chan struct{}            // has an element while changes are recorded
	changed     chan struct{}            // something has to be recorded
	much        chan struct{}            // enough to do so now
	due         chan struct{}            // something may have to be synced, or the journal compacted
	pinsChanged chan struct{}            // see PinsChanged
	stop        chan struct{}            // closed to end the goroutines
	wg, streams sync.WaitGroup           // their goroutines, and those of streams

	// mu guards what follows. It may be taken while an asset's lock is held, never the other way
	// round.
	mu      sync.Mutex
	assets  map[string]*Asset
	list    []*Asset               // assets, as they came
	dirty   []*Asset               // what a flush has to record
	pending map[*Asset]struct{}    // have to be synced, or their blobs closed
	calls   map[string][]time.Time // by name of the call
	notes   map[string]string
	// newNotes are the names of the notes that a flush has to record.
	newNotes map[string]struct{}
	bytes    int64     // of the blocks of assets
	free     int64     // estimate of what the disk has left
	since    int64     // bytes taken since the disk was asked
	lastUse  time.Time // the latest of an asset
	server
}

// OpenStore makes or opens the store of baseURL below the directory root. Its errors are those of
// spool.Open and Journal.Replay.
func OpenStore(root, baseURL string, o StoreOptions) (*Store, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Spool.Log = o.Log
	dir, err := spool.Open(root, baseURL, o.Spool)
	if err != nil {
		return nil, err
	}
	disk, err := dir.State()
	if err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	s := &Store{
		o: o, reading: &Options{}, dir: dir, journal: dir.Journal(), bootID: o.BootID, block: disk.Block, holes: !disk.ZerosAreHoles,
		making: make(chan struct{}, 1), pinning: make(chan struct{}, 1), flushing: make(chan struct{}, 1), pinsChanged: make(chan struct{}, 1),
		changed: make(chan struct{}, 1), much: make(chan struct{}, 1), due: make(chan struct{}, 1), stop: make(chan struct{}),
		assets: map[string]*Asset{}, pending: map[*Asset]struct{}{}, calls: map[string][]time.Time{}, notes: map[string]string{}, newNotes: map[string]struct{}{},
	}
	if s.bootID == "" {
		if s.bootID, err = spool.BootID(); err != nil || s.bootID == "" {
			o.Log.Warn("this boot has no ID: after a crash only synced bytes count", "error", err)
			s.bootID = rand.Text()
		}
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, dir.Close())
	}
	if o.Size > 0 {
		if err := s.makeRoom(0, nil, ranges.Range{}, 1, nil); err != nil {
			o.Log.Warn("the spool holds more than it should", "error", err)
		}
	}
	s.wg.Go(s.writer)
	s.wg.Go(s.keeper)
	if len(s.pending) > 0 {
		nudge(s.due)
	}
	return s, nil
}

// load reads the journal and looks at the blobs.
func (s *Store) load() error {
	r := loader{s: s, types: map[string]string{}, old: map[*Asset]bool{}}
	whole, err := s.journal.Replay(r.apply)
	if err != nil {
		return err
	}
	if r.refused > 0 || len(s.unknown) > 0 {
		s.o.Log.Warn("spool index has records that are not understood", "dir", s.dir.Path(), "dropped", r.refused, "kept", len(s.unknown))
	}
	if r.boot != s.bootID {
		s.journal.Queue(appendRecord(nil, kindBoot, s.bootID))
	}
	s.startClock()
	if err := s.journal.Write(); full(err) {
		s.o.Log.Warn("no room for the spool index: what is there can be read", "dir", s.dir.Path(), "error", err)
	} else if err != nil {
		return err
	}
	s.askDisk()
	// On a file system that stores zeros as holes, a hole proves a loss only if removals may have
	// been forgotten.
	s.holes = s.holes || !whole
	if err := s.adopt(); err != nil {
		return err
	}
	s.review(r.old)
	// Claims that no longer count must go. They would count again in a boot with that ID, of another
	// machine that shares the directory, or if a cut behind damage doesn't reach the disk.
	if (r.boot != s.bootID || !whole) && len(s.list) > 0 {
		if err := s.journal.Compact(s.snapshot); err != nil {
			s.o.Log.Warn("spool index not compacted", "error", err)
		}
	}
	return nil
}

// Serve sets how assets are read from now on. Call it before any read; the store keeps o.
func (s *Store) Serve(o *Options) {
	s.reading = o
	s.suspended.Store(nil)
}

// Suspend makes waiting reads fail with err, and later ones that would have to wait, until Serve. Streams
// read no further than was planned. An unmount uses it.
func (s *Store) Suspend(err error) {
	s.suspended.Store(&err)
	each(s.all(), func(a *Asset) { a.finishLocked(func(*waiter) (bool, error) { return true, err }) })
}

// suspension returns why no read may wait; nil if they may.
func (s *Store) suspension() error {
	if err := s.suspended.Load(); err != nil {
		return *err
	}
	return nil
}

// CloseAssets ends all streams, makes all waiting reads fail with ErrClosed, and waits for the assets'
// goroutines. It first stores what the sockets hold.
func (s *Store) CloseAssets() {
	s.Suspend(ErrClosed)
	each(s.all(), func(a *Asset) {
		if a.engine == nil {
			return
		}
		for _, o := range a.streams {
			o.endLocked()
		}
		if a.timer != nil {
			a.timer.Stop()
		}
	})
	s.streams.Wait()
}

// ForgetFailures lets reads of all assets try again at once.
func (s *Store) ForgetFailures() {
	each(s.all(), func(a *Asset) {
		if a.engine != nil {
			a.fail = failure{}
			a.planLocked()
		}
	})
}

// Asset returns the asset with that ID, always the same one. Nothing is on the disk until something
// is recorded.
func (s *Store) Asset(id string) *Asset {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.assets[id]; a != nil {
		return a
	}
	return s.newAsset(id)
}

// Holds reports whether anything of the asset with that ID is present.
func (s *Store) Holds(id string) bool {
	s.mu.Lock()
	a := s.assets[id]
	s.mu.Unlock()
	return a != nil && a.Status().Present > 0
}

// newAsset returns a new asset. The caller holds mu, or no other goroutine runs.
func (s *Store) newAsset(id string) *Asset {
	a := &Asset{id: id, store: s, facts: facts{info: Info{Size: -1}, firstSeen: seenNow()}, held: held{incarnation: 1}}
	s.assets[id] = a
	s.list = append(s.list, a)
	return a
}

// all returns all assets, also those of which nothing is recorded.
func (s *Store) all() []*Asset {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.list)
}

// each calls do for each of assets, under the asset's lock.
func each(assets []*Asset, do func(*Asset)) {
	for _, a := range assets {
		a.mu.Lock()
		do(a)
		a.mu.Unlock()
	}
}

// useTime returns the time of a use now: later than that of any before, even if the clock was set back.
func (s *Store) useTime() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := seenNow()
	if !now.After(s.lastUse) {
		now = s.lastUse.Add(time.Microsecond)
	}
	s.lastUse = now
	return now
}

// seenNow returns the time rounded as it is recorded, so that a restart doesn't change it.
func seenNow() time.Time { return time.Now().Truncate(time.Microsecond) }

// Dir returns the directory.
func (s *Store) Dir() *spool.Dir { return s.dir }

// Close syncs all present bytes, claims them for ever, and unlocks the directory. It waits for the
// disk. All assets must be closed before, and the Store must not be used afterwards: what needs the
// disk returns spool.ErrClosed. If something fails it still does the rest.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return spool.ErrClosed
	}
	close(s.stop)
	s.wg.Wait()
	errs := []error{s.flush(), s.sync(time.Now())}
	errs = append(errs, s.journal.Compact(s.snapshot))
	return errors.Join(append(errs, s.dir.Close())...)
}

// hold takes c, a lock that may be held during I/O, and returns the function that releases it.
func hold(c chan struct{}) (release func()) {
	c <- struct{}{}
	return func() { <-c }
}

// nudge wakes whoever waits for c, now or next.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
