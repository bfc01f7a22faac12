package catalog

import (
	"context"
	"errors"
	"time"

	"assetfs/fs/asset"
)

const (
	// atOnce limits how many calls of a sweep run at a time: enough to hide latency where there is no
	// rate limit.
	atOnce = 8
	// forgive is how long listings don't ask again about an asset that could not be asked about: an
	// `ls` now and then must not cost a request for each of them.
	forgive = 5 * time.Minute
	// pauseFirst and pauseMost limit how long a sweep pauses when a call could not be made although
	// one seemed free. The pause doubles each time.
	pauseFirst = 100 * time.Millisecond
	pauseMost  = time.Minute
	// lookAgain is the least time between two looks at a budget without a free call; awayAgain is that
	// while the host can't be reached.
	lookAgain = 50 * time.Millisecond
	awayAgain = time.Second
	// firstRead is how long no downloads are made only for names after a listing has waited in vain: the
	// program goes on to stat and read, and would pay for the beginning of an asset and then for the
	// rest.
	firstRead = 2 * time.Second
	// pollFirst and pollMost limit how long an unfinished upload is left alone in the background, which
	// doubles each time. pollLeast is the same for listings.
	pollFirst = 10 * time.Second
	pollMost  = 5 * time.Minute
	pollLeast = 2 * time.Second
)

// kind is one of the two ways to learn about assets.
type kind int

const (
	byCall kind = iota
	byHeader
)

// sweep finds out in the background, in the order of the list, what listed assets lack. It runs while
// there is something to find out.
type sweep struct {
	c    *Catalog
	kind kind
	wake chan struct{} // one element: look again

	// Catalog.mu guards what follows.
	running bool
	wanted  bool            // somebody has asked for what it finds
	queue   []*Asset        // to be asked, some perhaps no more
	asking  map[*Asset]bool // under way
	due     time.Time       // when the next asset that has to wait is to be asked; zero: there is none
	hold    time.Time       // no call before
	pauses  int             // in a row
	next    time.Time       // it waits for a slot until then; zero: it does not
	away    bool            // because the host is away
	stuck   bool            // its last call failed as all would, so nobody waits for it
	told    []time.Time     // when the last answers came, a few at most
}

func newSweep(c *Catalog, k kind) *sweep {
	return &sweep{c: c, kind: k, wake: make(chan struct{}, 1), asking: map[*Asset]bool{}}
}

// kickLocked starts the sweep for all that is lacking. With again, it also asks about assets that failed
// some time ago, and about unfinished uploads.
func (s *sweep) kickLocked(again bool) {
	if now := time.Now(); again {
		for _, a := range s.c.list {
			if a.state == nil {
				continue
			}
			if now.Sub(a.failed[s.kind]) > forgive {
				a.failed[s.kind] = time.Time{}
			}
			if now.Sub(a.polled) >= pollLeast {
				a.polled, a.polls = time.Time{}, 0
			}
		}
	}
	s.hold, s.pauses, s.next, s.away, s.stuck = time.Time{}, 0, time.Time{}, false, false
	s.resumeLocked()
}

// resumeLocked makes the sweep look for what is lacking.
func (s *sweep) resumeLocked() {
	c := s.c
	s.refillLocked()
	if !s.running && c.started && !c.closed && (len(s.queue) > 0 || !s.due.IsZero()) {
		s.running = true
		c.wg.Go(s.run)
	}
	s.nudge()
}

func (s *sweep) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// lacksLocked reports whether the sweep could learn about a.
func (s *sweep) lacksLocked(a *Asset) bool {
	c := s.c
	met := a.seenLocked()
	if a.place < 0 || s.asking[a] || !met.failed[s.kind].IsZero() {
		return false
	}
	info := a.infoLocked()
	if s.kind == byHeader {
		return !c.o.ByMetadata && a.name == "" && !info.Header && !met.uploading
	}
	told := info.Size >= 0 && !info.ModTime.IsZero() && (!c.o.ByMetadata || info.Header || info.Name != "")
	return !c.noCall && !met.answered && !told && met.flight == nil
}

// refillLocked makes a new queue.
func (s *sweep) refillLocked() {
	now := time.Now()
	s.queue, s.due = nil, time.Time{}
	for _, a := range s.c.list {
		if !s.lacksLocked(a) {
			continue
		}
		if due := a.seenLocked().dueLocked(); now.Before(due) {
			if s.due.IsZero() || due.Before(s.due) {
				s.due = due
			}
			continue
		}
		s.queue = append(s.queue, a)
	}
}

// headLocked returns the asset to be asked about next, or nil.
func (s *sweep) headLocked() *Asset {
	for pass := range 2 {
		for len(s.queue) > 0 {
			if s.lacksLocked(s.queue[0]) {
				return s.queue[0]
			}
			s.queue = s.queue[1:]
		}
		if pass == 0 {
			s.refillLocked()
		}
	}
	return nil
}

// run is the sweep's goroutine.
func (s *sweep) run() {
	c := s.c
	for {
		c.mu.Lock()
		a, active, hold, due := s.headLocked(), len(s.asking), s.hold, s.due
		if c.closed || a == nil && active == 0 && due.IsZero() {
			s.running = false
			c.notifyLocked()
			c.mu.Unlock()
			c.giveNames(false)
			return
		}
		c.mu.Unlock()
		if a == nil {
			s.wait(due, false)
			continue
		}
		b, now := s.budget(), time.Now()
		if !b.Away && b.Available > active && active < atOnce && !now.Before(hold) {
			s.start()
			continue
		}
		next := latest(b.Next, hold)
		switch least := now.Add(lookAgain); {
		case b.Away:
			next = latest(next, now.Add(awayAgain))
		case active == 0:
			next = latest(next, least)
		case !next.After(now):
			next = time.Time{} // an answer will wake us
		}
		s.wait(next, b.Away)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (s *sweep) budget() Budget {
	calls, headers := s.c.o.API.Budgets()
	if s.kind == byCall {
		return calls
	}
	return headers
}

// wait waits until next, unless that is zero, or until something has happened.
func (s *sweep) wait(next time.Time, away bool) {
	c := s.c
	c.mu.Lock()
	if !s.next.Equal(next) || s.away != away {
		s.next, s.away = next, away
		c.notifyLocked()
	}
	c.mu.Unlock()
	var timer <-chan time.Time
	if !next.IsZero() {
		c.giveNames(false) // there is time for it
		timer = time.After(time.Until(next))
	}
	select {
	case <-s.wake:
	case <-timer:
	case <-c.ctx.Done():
	}
}

// start asks about the first asset of the queue.
func (s *sweep) start() {
	c := s.c
	c.mu.Lock()
	defer c.mu.Unlock()
	a := s.headLocked()
	if a == nil || c.closed {
		return
	}
	s.queue = s.queue[1:]
	s.asking[a] = true
	s.next, s.away = time.Time{}, false
	c.wg.Go(func() { s.finished(a, s.ask(a)) })
}

func (s *sweep) ask(a *Asset) error {
	if s.kind == byCall {
		return s.c.call(s.c.ctx, a, true)
	}
	_, err := a.Facts().Contact(s.c.ctx, asset.Contact{Head: true, Background: true, RetryFor: s.c.o.ListWait})
	return err
}

// finished records how a call ended. An error that says nothing about the asset does not count against
// it.
func (s *sweep) finished(a *Asset, err error) {
	c, now := s.c, time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(s.asking, a)
	a.metLocked()
	s.stuck = errors.Is(err, ErrStuck)
	switch {
	case err == nil:
		s.pauses = 0
		s.told = append(s.told[max(0, len(s.told)-toldMost+1):], now)
		if s.lacksLocked(a) {
			a.failed[s.kind] = now // it told nothing
		}
	case errors.Is(err, ErrNotNow), errors.Is(err, context.Canceled):
		if !now.Before(s.hold) { // else it was turned away together with others
			s.hold = now.Add(min(pauseFirst<<min(s.pauses, 16), pauseMost))
			s.pauses++
		}
		if a.turnedAway++; a.turnedAway%3 == 0 {
			s.queue = append(s.queue, a) // perhaps it is the asset, after all
		} else {
			s.queue = append([]*Asset{a}, s.queue...)
		}
	case errors.Is(err, ErrUploading), errors.Is(err, ErrNoCall):
	case a.ready && s.kind == byHeader:
		a.ready, a.again = false, now.Add(pollFirst) // somebody may remember what it was like before
	default:
		a.failed[s.kind] = now
		a.err, a.errAt = err, now
	}
	c.notifyLocked()
	s.nudge()
}

// comingLocked reports whether the sweep may find something out before deadline.
func (s *sweep) comingLocked(deadline time.Time) bool {
	switch {
	case !s.running:
		return false
	case len(s.asking) > 0:
		return true
	}
	return len(s.queue) > 0 && !s.away && !s.stuck && !s.next.After(deadline) && !s.hold.After(deadline)
}

// The rate is taken from at most toldMost answers, none of them older than toldFor.
const (
	toldMost = 64
	toldFor  = 2 * time.Minute
)

// Coming returns how many names of listed assets are being found out, and how many come per second; 0 if
// unknown.
func (c *Catalog) Coming() (left int, perSecond float64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.finderLocked()
	if !s.running {
		return 0, 0
	}
	return len(s.queue) + len(s.asking), pace(s.told, time.Now())
}

// pace returns how many of the events at those times happen per second.
func pace(times []time.Time, now time.Time) float64 {
	n := 0
	for _, t := range times {
		if now.Sub(t) > toldFor {
			n++
		}
	}
	if times = times[n:]; len(times) < 2 {
		return 0
	}
	return float64(len(times)-1) / max(now.Sub(times[0]), time.Millisecond).Seconds()
}
