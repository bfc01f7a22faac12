package asset

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"assetfs/fs/ranges"
)

// Options are shared by all assets of a mount.
type Options struct {
	Source       Source
	ReadAhead    int64         // bytes a stream may run ahead of its readers
	StallTimeout time.Duration // no byte for this long is a dead stream
	RetryFor     time.Duration // how long one read keeps retrying
	Log          *slog.Logger
	// Turns holds one element for each read or write of the disk that is running, so its
	// capacity limits them; nil: no limit.
	Turns chan struct{}
}

// An Asset is one remote file. Its methods may be called concurrently.
type Asset struct {
	id    string
	store *Store
	wg    sync.WaitGroup // stream goroutines

	// mu guards what follows, the fields of streams that say so, and each sequence of
	// looking at what is present, planning and acting. No I/O is done while it is held.
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
	disproved  int64      // a size that metadata gave and that is wrong; -1 none
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
	timer      *time.Timer // plans again
	tending    *time.Timer // runs while somebody waits
	tended     time.Time
	closed     bool
	suspended  error // not nil: no read may wait
}

func newEngine(o *Options) *engine {
	return &engine{o: o, readers: map[*Reader]struct{}{}, endedAt: -1, disproved: -1}
}

// OnFacts sets the function that is called, under the asset's lock, when facts were added.
func (a *Asset) OnFacts(changed func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.factsAdded = changed
}

// Info returns what is known of the asset.
func (a *Asset) Info() Info {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.info
}

// Status is the state of an asset.
type Status struct {
	Info
	Version     uint64    // counts the contents that it has had
	FirstSeen   time.Time // the content
	Present     int64     // bytes
	Whole       bool      // all of them are
	Pinned      bool      // it stays, whatever room is needed
	LastError   error     // of its downloads; nil: none
	LastErrorAt time.Time
}

// Status returns the asset's present state.
func (a *Asset) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{Info: a.info, Version: a.version, FirstSeen: a.firstSeen, Present: a.present.Len(), Whole: a.wholeLocked(), Pinned: a.pinned}
	if a.engine != nil {
		s.LastError, s.LastErrorAt = a.lastErr, a.lastErrAt
	}
	return s
}

func (a *Asset) wholeLocked() bool {
	return a.info.Size >= 0 && a.info.Header && a.present.Contains(ranges.Range{End: a.info.Size})
}

// Learn adds what metadata says. It does not replace what a download's header says, and a known
// size stays until a header contradicts it.
func (a *Asset) Learn(said Info) {
	a.mu.Lock()
	defer a.mu.Unlock()
	size := a.info.Size
	a.learnLocked(func(i *Info) {
		if i.Size < 0 && said.Size != a.disproved && said.Size >= a.leastLocked() && said.Size <= maxSize {
			i.Size = said.Size
		}
		if i.ModTime.IsZero() || !i.Header && !said.ModTime.IsZero() {
			i.ModTime = said.ModTime
		}
		if !i.Header {
			i.Name, i.Type = cmp.Or(said.Name, i.Name), cmp.Or(said.Type, i.Type)
		}
	})
	if size != a.info.Size {
		a.finishLocked(func(w *waiter) (bool, error) { return !w.state.Header, nil }) // to look again
	}
}

// Contact says how to make the first request of an asset.
type Contact struct {
	Head       bool          // ask for a head block only: nobody is likely to read on
	Background bool          // use the share of the window left to resolving
	RetryFor   time.Duration // 0: as long as a read does
}

// Contact returns what is known once a download's header has been seen; if none has, it makes a
// request. Without c.Head a read can go on with the stream of that request.
func (a *Asset) Contact(ctx context.Context, c Contact) (Info, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.info.Header {
		return a.info, nil
	}
	now := time.Now()
	a.lastClose = now // a contact that nobody reads is left like a closed file
	err := a.fetchLocked(ctx, WaiterState{Header: true, Head: c.Head, Background: c.Background, Since: now}, c.RetryFor)
	return a.info, err
}

// ForgetFailure lets the next read try again at once.
func (a *Asset) ForgetFailure() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fail = failure{}
	a.planLocked()
}

// Suspend makes waiting reads fail with err, and later ones that would have to wait, until it is
// called with nil. An unmount uses it.
func (a *Asset) Suspend(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.suspended = err
	if err != nil {
		a.finishLocked(func(*waiter) (bool, error) { return true, err })
	}
	a.planLocked()
}

// Close ends all streams, makes all waiting reads fail with ErrClosed, and waits for the asset's
// goroutines. It first stores what the sockets hold.
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
	for _, t := range []*time.Timer{a.timer, a.tending} {
		if t != nil {
			t.Stop()
		}
	}
	a.mu.Unlock()
	a.wg.Wait()
}

// planLocked makes a plan and carries it out. It is called whenever something has happened that
// a plan may depend on.
func (a *Asset) planLocked() {
	if a.closed {
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
			s.limit = d.Limit[i]
			if s.limit > s.state.Pos && s.state.Paused || s.state.Stuck && d.Serves[i] {
				nudge(s.wake) // if it is stuck, to find room, or to say that there is none
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
// rangingLocked returns whether the server supports Range for this asset, as far as known or
// likely.
func (a *Asset) rangingLocked() Ranging {
	if a.info.Ranging != RangeUnknown {
		return a.info.Ranging
	}
	return a.store.Ranging()
}
