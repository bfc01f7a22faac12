package asset

import (
	"cmp"
	"context"
	"slices"
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
	// Turns holds one element for each read or write of the disk that is running, so its
	// capacity limits them; nil: no limit.
	Turns chan struct{}
}

// An Asset is one remote file. Its methods may be called concurrently.
type Asset struct {
	id    string
	store *Store

	// mu guards what follows, the fields of streams that say so, and each sequence of
	// looking at what is present, planning and acting. No I/O is done while it is held.
	mu sync.Mutex
	facts
	held
	factsAdded func()  // called when facts were added; may be nil
	lastErr    *mishap // for people; nil: there was none
	given      uint64  // how often the kernel was given bytes of this content in this mount
	*engine            // nil while it would hold nothing; see readyLocked
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
	WellAt      time.Time // when a download last went well
}

// Status returns the asset's present state.
func (a *Asset) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Status{Info: a.info, Version: a.version, FirstSeen: a.firstSeen, Present: a.present.Len(), Whole: a.wholeLocked(), Pinned: a.pinned}
	if a.lastErr != nil {
		s.LastError, s.LastErrorAt = a.lastErr.err, a.lastErr.at
	}
	if a.engine != nil {
		s.WellAt = a.well
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
		if i.Size < 0 && (a.engine == nil || said.Size != a.disproved) && said.Size >= a.leastLocked() && said.Size <= maxSize {
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
	a.readyLocked()
	now := time.Now()
	a.lastClose = now // a contact that nobody reads is left like a closed file
	err := a.fetchLocked(ctx, WaiterState{Header: true, Head: c.Head, Background: c.Background, Since: now}, c.RetryFor)
	return a.info, err
}

// planLocked makes a plan and carries it out. It is called whenever something has happened that
// a plan may depend on.
func (a *Asset) planLocked() {
	if a.engine == nil || a.store.suspension() != nil {
		return
	}
	now := time.Now()
	if len(a.streams) == 0 && len(a.waiters) == 0 {
		a.planning = nil
		a.restLocked(now)
		return
	}
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
	if len(a.waiters) > 0 {
		p.wake(a.tended.Add(a.store.reading.tendEvery()))
	}
	if d.Wake.IsZero() {
		return
	}
	a.planAgainLocked(max(d.Wake.Sub(now), time.Millisecond))
}

// planAgainLocked makes a new plan after wait.
func (a *Asset) planAgainLocked(wait time.Duration) {
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, a.tend)
	} else {
		a.timer.Reset(wait)
	}
}

// rangingLocked returns whether the server supports Range for this asset, as far as known or
// likely.
func (a *Asset) rangingLocked() Ranging {
	if a.info.Ranging != RangeUnknown {
		return a.info.Ranging
	}
	if a.engine != nil && slices.Contains(a.streams, a.only) {
		return RangeNo // for now
	}
	return a.store.Ranging()
}
