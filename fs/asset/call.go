package asset

import (
	"sync"
	"sync/atomic"
	"time"
)

// Call is a call to the server. Where open downloads may be the reason why it is not served, paused ones
// give way.
type Call struct {
	store    *Store
	sent     atomic.Pointer[time.Time] // when; nil while it waits for its turn
	refusals int                       // in a row, by the rate limit
	unserved func()                    // called if it has no answer for long and nothing can give way; may be nil
}

// Call returns a call other than a download. s may be nil: then nothing gives way.
func (s *Store) Call() *Call { return &Call{store: s} }

// Watch begins to look at how long c takes, also when it is made again; ended says that it has ended.
func (c *Call) Watch() (ended func()) {
	c.sent.Store(nil)
	c.refusals = 0
	if c.store == nil {
		return func() {}
	}
	done := make(chan struct{})
	var hurry sync.WaitGroup
	hurry.Go(func() { c.hurry(done) })
	return func() {
		close(done)
		hurry.Wait()
	}
}

// Sent records whether c has been sent. If it was and must wait again, it was refused.
func (c *Call) Sent(sent bool) {
	if sent {
		now := time.Now()
		c.sent.Store(&now)
		return
	}
	if c.sent.Swap(nil) == nil {
		return
	}
	if c.refusals++; c.refusals > refusalsMost && c.store != nil {
		c.store.giveWay(time.Now())
	}
}

// SentAt returns when c was sent; zero while it waits for its turn.
func (c *Call) SentAt() (at time.Time) {
	if sent := c.sent.Load(); sent != nil {
		at = *sent
	}
	return at
}

// Answered records that an answer to c is here.
func (c *Call) Answered() {
	if c.store != nil {
		c.store.answered(c.SentAt(), &c.store.other)
	}
}

// hurry returns when c has ended. If it has no answer for long, a paused stream gives way, once each time
// that c is sent.
func (c *Call) hurry(ended <-chan struct{}) {
	s := c.store
	t := time.NewTicker(idle)
	defer t.Stop()
	var gave, last time.Time
	for {
		select {
		case <-ended:
			if !gave.IsZero() {
				s.gaveFor(time.Since(gave))
			}
			return
		case now := <-t.C:
			switch at := c.SentAt(); {
			case at.IsZero(), at.Equal(last), now.Sub(at) < s.patience():
			case s.giveWay(now):
				gave, last = time.Now(), at
			case c.unserved != nil && now.Sub(s.gaveWayAt()) >= idle:
				c.unserved()
			}
		}
	}
}
