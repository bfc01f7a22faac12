package catalog

import (
	"cmp"
	"context"
	"errors"
	"time"

	"assetfs/fs/asset"
)

const (
	// remembered is how long a failed metadata call is not made again for the same asset: programs stat
	// a file more than once.
	remembered = 5 * time.Second
	// timePatience is how long a stat waits if it lacks only the time. timePause is how long no stat
	// waits for that after one has waited in vain: a stat of what is known must not wait for a server
	// that can't be reached.
	timePatience = 2 * time.Second
	timePause    = time.Minute
	// statTries is how often a stat asks metadata for a size that the header lacks. statPause is how
	// long it waits after the first try.
	statTries = 3
	statPause = 500 * time.Millisecond
)

// state is how far finding out about an asset has come. Catalog.mu guards it.
type state struct {
	flight    *flight      // a metadata call under way; nil: none
	answered  bool         // metadata has told what it knows
	sizeless  bool         // and that was no size
	timed     bool         // a stat has asked metadata for the time alone
	refused   error        // why the last metadata call failed; nil: it did not
	refusedAt time.Time    // when that was
	unseen    bool         // and no header had told of the asset by then
	failed    [2]time.Time // when a sweep of that kind last failed; zero: it did not
	uploading bool         // as metadata said last
	polled    time.Time    // when; zero: look again at once
	polls     int          // in a row
	ready     bool         // its upload has just ended
	again     time.Time    // no sweep before

	turnedAway int   // how often a sweep could not ask
	err        error // the last error, for people
	errAt      time.Time
}

// unmet is the state of all assets without one of their own. It is never written to.
var unmet state

// seenLocked returns the state of a, for reading.
func (a *Asset) seenLocked() *state {
	if a.state == nil {
		return &unmet
	}
	return a.state
}

// metLocked returns the state of a, for changing.
func (a *Asset) metLocked() *state {
	if a.state == nil {
		a.state = new(state)
	}
	return a.state
}

// dueLocked returns when a sweep may ask about the asset.
func (s *state) dueLocked() time.Time {
	if !s.uploading {
		return s.again
	}
	return s.polled.Add(min(pollFirst<<min(s.polls, 16), pollMost))
}

func (s *state) forgetLocked() {
	s.refused, s.failed, s.polled, s.timed = nil, [2]time.Time{}, time.Time{}, false
}

// flight is one metadata call, shared by all who ask at the same time.
type flight struct {
	background bool
	cancel     context.CancelFunc
	done       chan struct{} // closed when err is set
	err        error
	waiting    int // Catalog.mu guards it
}

// call makes the metadata call for a, once for all who ask at the same time. It ends when the last of
// them gives up.
func (c *Catalog) call(ctx context.Context, a *Asset, background bool) error {
	for {
		f, err := c.board(a, background)
		if f == nil {
			return err
		}
		select {
		case <-f.done:
			err = f.err
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
		c.mu.Lock()
		if f.waiting--; f.waiting == 0 {
			f.cancel()
		}
		c.mu.Unlock()
		if f.background && !background && ctx.Err() == nil && errors.Is(err, ErrNotNow) {
			continue // that one did not queue
		}
		return err
	}
}

// board returns the running call for a, or begins one. It returns nil and no error if metadata has told
// what it knows since the caller looked.
func (c *Catalog) board(a *Asset, background bool) (*flight, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a.metLocked().flight != nil && a.flight.waiting > 0 {
		a.flight.waiting++
		return a.flight, nil
	}
	switch {
	case c.closed:
		return nil, context.Canceled
	case c.noCall, a.video != nil: // which has no metadata
		return nil, ErrNoCall
	case a.answered && a.infoLocked().Size >= 0:
		return nil, nil
	case a.refused != nil && time.Since(a.refusedAt) < remembered && !background:
		return nil, a.refused
	}
	ctx, cancel := context.WithCancel(c.ctx)
	f := &flight{background: background, cancel: cancel, done: make(chan struct{}), waiting: 1}
	a.flight = f
	c.wg.Go(func() {
		info, err := c.o.API.Metadata(ctx, background, a.ID)
		if err == nil {
			a.Facts().Learn(info)
		}
		c.landed(a, f, info, err)
		if !background {
			c.giveNames(false) // the sweep, which gives them otherwise, may have ended
		}
	})
	return f, nil
}

// landed records how a call ended.
func (c *Catalog) landed(a *Asset, f *flight, info asset.Info, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	header := a.infoLocked().Header
	if a.flight == f {
		a.flight = nil
	}
	now := time.Now()
	a.refused = nil
	switch {
	case err == nil:
		a.answered, a.sizeless = true, info.Size < 0
		if a.uploading {
			a.uploading, a.polls, a.ready, a.err = false, 0, true, nil
			a.failed[byHeader] = time.Time{}
			if c.headers.wanted {
				c.headers.kickLocked(false)
			}
		}
	case errors.Is(err, ErrUploading):
		if a.uploading {
			a.polls++
		}
		a.uploading, a.polled, a.err, a.errAt = true, now, err, now
		c.calls.nudge()
	case errors.Is(err, ErrNoCall):
		c.noCall = true
	case errors.Is(err, ErrNotNow), errors.Is(err, context.Canceled):
		c.calls.resumeLocked() // it has left this one out, if a program asked
	default:
		a.refused, a.refusedAt, a.unseen = err, now, !header
	}
	f.err = err
	close(f.done)
}

// Stat makes sure that the size of a is known: by the metadata call, otherwise by the header of a
// download. It waits its turn for either, RetryFor in all. If neither gives the size, that is no error.
func (c *Catalog) Stat(ctx context.Context, a *Asset) error {
	c.mu.Lock()
	info := a.infoLocked()
	sized := info.Size >= 0 || info.Header && a.metLocked().answered && a.sizeless
	sweeping := c.headers.running
	if !sized && info.Header && a.unseen {
		a.refused = nil // of an asset that is known to exist, the same answer means something else
	}
	c.mu.Unlock()
	if sized {
		c.askTime(ctx, a)
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.o.RetryFor, ErrBusy)
	defer cancel()
	err := c.late(c.stat(ctx, a, sweeping))
	if err == nil {
		c.foundOut(a)
	}
	return err
}

// late tells a wait for a slot from one for the server, if err says that time ran out.
func (c *Catalog) late(err error) error {
	if !errors.Is(err, ErrBusy) {
		return err
	}
	if calls, headers := c.o.API.Budgets(); calls.Available > 0 && headers.Available > 0 {
		return ErrSlow
	}
	return err
}

// stat finds out the size of a. If the header has none, only metadata can help, and is asked several
// times: programs copy nothing of a file with size 0.
func (c *Catalog) stat(ctx context.Context, a *Asset, sweeping bool) error {
	for try := 1; ; try++ {
		failed := c.call(ctx, a, false)
		info := a.Info()
		switch {
		case info.Size >= 0:
			return nil
		case ctx.Err() != nil:
			return cmp.Or(failed, context.Cause(ctx)) // an answer without a size may have come at the same moment
		case c.gone(a, failed), errors.Is(failed, ErrUploading), errors.Is(failed, ErrNotNow) && !errors.Is(failed, ErrStuck):
			return failed
		}
		if !info.Header {
			info, err := a.Facts().Contact(ctx, asset.Contact{Head: sweeping, RetryFor: c.o.RetryFor})
			if err != nil || info.Size >= 0 {
				return err
			}
		}
		again := retryable(failed) && try < statTries
		switch {
		case errors.Is(failed, ErrNoCall), !again && errors.Is(failed, ErrUntold):
			return nil
		case !again:
			return failed
		}
		select {
		case <-time.After(statPause << (try - 1)):
		case <-ctx.Done():
			return failed
		}
		c.mu.Lock()
		a.refused = nil
		c.mu.Unlock()
	}
}

// retryable reports whether another call may succeed where one failed with err.
func retryable(err error) bool {
	var r interface {
		Retry() (requests int, after time.Duration)
	}
	if !errors.As(err, &r) {
		return false
	}
	requests, _ := r.Retry()
	return requests != 0
}

// gone reports whether err, of a metadata call, means that there is no such asset. Once an asset has
// been seen, only its download can say so, since some servers give that answer to any call that they
// don't know.
func (c *Catalog) gone(a *Asset, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Is(err, ErrNotFound) && a.name == ""
}

// askTime asks metadata for the time of an asset whose header gave none. It asks once, and for no asset
// shortly after metadata was slow or failed.
func (c *Catalog) askTime(ctx context.Context, a *Asset) {
	c.mu.Lock()
	asked := true
	if a.infoLocked().ModTime.IsZero() {
		met := a.metLocked()
		asked = met.timed || time.Now().Before(c.noTimes)
		met.timed = true
	}
	c.mu.Unlock()
	if asked {
		return
	}
	if calls, _ := c.o.API.Budgets(); calls.Away {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, timePatience)
	defer cancel()
	if c.call(ctx, a, false) != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.noTimes = time.Now().Add(timePause)
	}
}

// Contact makes sure that the asset exists and that a read of it can begin: a header has been seen or,
// if names come from the metadata call, metadata.
func (c *Catalog) Contact(ctx context.Context, a *Asset) error {
	err := c.contact(ctx, a, 0)
	if err == nil {
		c.foundOut(a)
	}
	return err
}

func (c *Catalog) contact(ctx context.Context, a *Asset, patience time.Duration) error {
	if a.Info().Header {
		return nil
	}
	if a.CallsFirst() {
		err := c.call(ctx, a, false)
		switch {
		case err == nil && c.o.ByMetadata:
			return nil
		case c.gone(a, err), errors.Is(err, ErrUploading):
			return err
		}
	}
	_, err := a.Facts().Contact(ctx, asset.Contact{RetryFor: patience})
	return err
}

// CallsFirst reports whether Contact makes the metadata call before it asks for a header.
func (a *Asset) CallsFirst() bool {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.c.o.ByMetadata || a.seenLocked().uploading
}

// SetErr keeps err as the asset's last error, for people.
func (a *Asset) SetErr(err error) {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	met := a.metLocked()
	met.err, met.errAt = err, time.Now()
}

// Err returns the asset's last error and when it was; nil if there was none.
func (a *Asset) Err() (at time.Time, err error) {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.seenLocked().errAt, a.seenLocked().err
}
