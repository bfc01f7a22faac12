package asset

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"assetfs/fs/ranges"
)

// Options are the policy and the surroundings that all assets of a mount share.
type Options struct {
	Source       Source
	ReadAhead    int64         // bytes a stream may run ahead of its readers
	StallTimeout time.Duration // no byte for this long is a dead stream
	RetryFor     time.Duration // how long one read keeps retrying
	Log          *slog.Logger
	// Turns has an element for each read or write of the disk that is under way,
	// so that they are no more than it holds; nil: any number.
	Turns chan struct{}
}

// An Asset is one remote file. Its methods may be called concurrently.
type Asset struct {
	id    string
	store *Store
	wg    sync.WaitGroup // stream goroutines

	// mu guards what follows, the fields of streams marked so, and the
	// sequence of looking at what is present, planning and acting. No I/O under
	// it.
	mu sync.Mutex
	facts
	held
	*engine // nil until somebody asks for the asset
}

// engine is what an asset needs to be read.
type engine struct {
	o          *Options
	factsAdded func()     // called when facts were added; may be nil
	first      *stream    // that brought the first bytes of the content
	young      ranges.Set // bytes that others have brought since the content was proved
	trusted    bool       // bytes have shown that doubtful responses are right
	denied     bool       // the last answer had no Range, though that was proved
	pieces     bool       // the server sends less at a time than it is asked for
	endedAt    int64      // where a body ended properly, but not at the size; -1 nowhere
	disproved  int64      // a size that was told and is wrong; -1 none
	gaveWay    bool       // a stream was given up for another asset's
	streams    []*stream
	waiters    []*waiter
	readers    map[*Reader]struct{}
	history    history
	planning   *planning    // nil while there is nothing to plan
	span       ranges.Range // of the readers
	lastClose  time.Time
	fail       failure
	lastErr    error // for people; outlives fail
	lastErrAt  time.Time
	timer      *time.Timer
	closed     bool
	suspended  error         // not nil: no read may wait
	resetting  chan struct{} // not nil while old content is being dropped; closed then
}

func newEngine(o *Options) *engine {
	return &engine{o: o, readers: map[*Reader]struct{}{}, endedAt: -1, disproved: -1}
}

// OnFacts has changed called when facts of the asset were added, under its lock.
func (a *Asset) OnFacts(changed func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.factsAdded = changed
}

// ID returns the asset's ID.
func (a *Asset) ID() string { return a.id }

// Info returns what is known of the asset now.
func (a *Asset) Info() Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.info
}

// Version counts the contents the asset has had.
func (a *Asset) Version() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.version
}

// State returns what the inode of the asset depends on: content version, and
// whether all bytes are present.
func (a *Asset) State() (version uint64, whole bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.version, a.wholeLocked()
}

func (a *Asset) wholeLocked() bool {
	return a.info.Size >= 0 && a.info.Header && a.present.Contains(ranges.Range{End: a.info.Size})
}

// FirstSeen returns when the content was first seen.
func (a *Asset) FirstSeen() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.firstSeen
}

// LastError returns the last error of the asset's downloads, nil if none.
func (a *Asset) LastError() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastErr
}

// LastErrorTime returns when that was.
func (a *Asset) LastErrorTime() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lastErrAt
}

// Learn adds what a metadata call told. A download's header knows better, and a
// size that was told once stays until one contradicts it.
func (a *Asset) Learn(told Info) {
	a.mu.Lock()
	defer a.mu.Unlock()
	info := a.info
	if info.Size < 0 && told.Size != a.disproved && told.Size >= a.leastLocked() && told.Size <= maxSize {
		info.Size = told.Size
	}
	if info.ModTime.IsZero() || !info.Header && !told.ModTime.IsZero() {
		info.ModTime = told.ModTime
	}
	if !info.Header {
		info.Name, info.Type = cmp.Or(told.Name, info.Name), cmp.Or(told.Type, info.Type)
	}
	sized := info.Size != a.info.Size
	a.setInfoLocked(info)
	if sized {
		a.finishLocked(func(w *waiter) (bool, error) { return !w.state.Header, nil }) // to look again
	}
}

// Contact says how the first request of an asset is made.
type Contact struct {
	Head       bool          // ask for a head block only: nobody is likely to read on
	Background bool          // use the share of the window left to resolving
	Patience   time.Duration // how long to retry; 0: as long as a read does
}

// Contact sees to it that a download's header has told of the asset, and
// returns what is known then. Without c.Head the response is a stream that a
// read can go on with.
func (a *Asset) Contact(ctx context.Context, c Contact) (Info, error) {
	a.mu.Lock()
	if err := a.awaitContentLocked(ctx, a.version); err != nil && !errors.Is(err, ErrChanged) {
		defer a.mu.Unlock()
		return a.info, err
	}
	if a.info.Header {
		defer a.mu.Unlock()
		return a.info, nil
	}
	now := time.Now()
	w, err := a.waitLocked(ctx, WaiterState{Header: true, Head: c.Head, Background: c.Background, Since: now}, c.Patience)
	a.lastClose = now // a contact that nobody reads is left like a closed file
	a.planLocked()
	if err == nil {
		a.driveLocked(w)
	}
	a.mu.Unlock()
	if err == nil {
		err = a.await(ctx, w)
	}
	return a.Info(), err
}

// ForgetFailure lets the next read try again at once.
func (a *Asset) ForgetFailure() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = failure{}
	a.planLocked()
}

// Suspend fails all waiting reads with err, and later ones that would have to
// wait, until it is called with nil. Readers are sent home with it before an
// unmount.
func (a *Asset) Suspend(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.suspended = err
	if err != nil {
		a.finishLocked(func(*waiter) (bool, error) { return true, err })
	}
	a.planLocked()
}

// Close ends all streams, fails all waiters with ErrClosed and waits for the
// asset's goroutines. What sockets hold is stored before.
func (a *Asset) Close() {
	a.mu.Lock()
	a.closed = true
	for _, w := range a.waiters {
		w.finish(ErrClosed)
	}
	a.waiters = nil
	for _, s := range a.streams {
		s.endLocked()
	}
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	a.wg.Wait()
}

// planLocked looks, plans and acts. It is called whenever something has
// happened that a plan may depend on.
func (a *Asset) planLocked() {
	if a.closed || a.resetting != nil {
		return
	}
	if len(a.streams) == 0 && len(a.waiters) == 0 {
		a.planning = nil
		return
	}
	now := time.Now()
	p := a.snapshotLocked(now)
	d := p.plan()

	for i, s := range p.live {
		if d.End[i] {
			s.endLocked()
		} else {
			s.allowLocked(d.Limit[i])
			if s.state.Stuck && d.Serves[i] {
				s.nudge() // to find room, or to say that there is none
			}
		}
	}
	for _, o := range d.Open {
		a.openLocked(o, now)
	}
	if d.Wake.IsZero() {
		return
	}
	wait := max(d.Wake.Sub(now), time.Millisecond)
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, a.replan)
	} else {
		a.timer.Reset(wait)
	}
}

func (a *Asset) replan() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.planLocked()
}

// rangingLocked is what is known of the server's support of Range for this
// asset, or likely.
func (a *Asset) rangingLocked() Ranging {
	if a.info.Ranging != RangeUnknown {
		return a.info.Ranging
	}
	return a.store.Ranging()
}
