package asset

import (
	"sync"
	"sync/atomic"
	"time"
)

// noticed is how long a server has to notice that we closed a connection, before the next request.
const noticed = 50 * time.Millisecond

// unanswered is how long a request may have no answer while paused streams hold what it may wait for: a
// server with few workers lets it queue until one of them is free. It is longer than most servers take
// to find a file, and shorter than a lookup waits. A server known to be slower gets twice its usual time.
const unanswered = 3 * time.Second

// refusalsMost is how many refusals in a row the rate limit explains. Some servers answer with 429, too,
// where a client has too many downloads open.
const refusalsMost = 1

// vainMost is how many streams may give way in vain for one asset before bytes of it come. Two, because
// a gateway may take longer than noticed until it tells its server.
const vainMost = 2

// Call is a call to the server. Where open downloads may be the reason why it is not served, paused ones
// give way.
type Call struct {
	store    *Store
	sent     atomic.Pointer[time.Time] // when; nil while it waits for its turn
	refusals int                       // in a row, by the rate limit
	stuck    func()                    // called while it is unanswered and nothing gives way; may be nil
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
			case c.stuck != nil:
				c.stuck()
			}
		}
	}
}

// open makes the request of s. Where other open downloads may be the reason why it is refused, one of them
// gives way.
func (s *stream) open() (*Response, error) {
	r, err := s.ask(s.request)
	if crowded(err) && !s.request.Background && !s.inVain(0) && s.a.store.giveWay(time.Now()) {
		if r, err = s.ask(s.request); crowded(err) {
			s.inVain(1)
		}
	}
	return r, err
}

// inVain adds to the streams that gave way in vain, and reports whether there were enough: the server
// refuses the asset for another reason, and the others may be all that can still be read.
func (s *stream) inVain(n int) (enough bool) {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	s.a.fail.vain += n
	return s.a.fail.vain >= vainMost
}

// yield ends the request of s where another stream of its asset is on its way there, which is all that
// the server seems to serve: a worker that knows no Range, and serves nothing else before that is read
// to its end. Its readers wait for that stream.
func (s *stream) yield() {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.info.Ranging != RangeUnknown || !s.state.Opening || s.ending {
		return
	}
	for _, o := range a.streams {
		if o != s && !o.ending && !o.state.Opening && o.state.Start == 0 && o.state.Pos <= s.request.Start {
			a.only = o
			s.endLocked()
			return
		}
	}
}

// ask makes a request for s.
func (s *stream) ask(q Request) (*Response, error) {
	if !q.Background {
		defer s.call.Watch()()
	}
	return s.a.store.reading.Source.Open(s.ctx, s.a.id, q)
}

// patience returns how long a call may be unanswered before a stream gives way.
func (s *Store) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(unanswered, 2*s.ttfb, 2*s.other) << s.inVain
}

// gaveFor records how long a call took to be answered once a stream had given way for it. If it was not
// answered soon, the stream was not in its way, and the next one stays twice as long.
func (s *Store) gaveFor(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if took < idle {
		s.inVain = 0
	} else {
		s.inVain = min(s.inVain+1, 5)
	}
}

// giveWay ends the least recently used paused stream of all assets, because the server may not serve
// another one beside them, and returns when the server should know. It ends at most one a second, so that
// readers that take turns still get something done.
func (s *Store) giveWay(now time.Time) bool {
	s.mu.Lock()
	soon := now.Sub(s.gaveWay) < idle
	s.mu.Unlock()
	if soon {
		return false
	}
	var victim *stream
	var first time.Time
	each(s.all(), func(a *Asset) {
		if a.engine == nil {
			return
		}
		for _, o := range a.streams {
			if used, may := o.givesWayLocked(now); may && (victim == nil || used.Before(first)) {
				victim, first = o, used
			}
		}
	})
	if victim == nil {
		return false
	}
	ended := victim.a.stop(func(o *stream) bool {
		_, may := o.givesWayLocked(now) // it may have started to run again
		return may && o == victim
	}, func(o *stream) {
		o.endLocked()
		o.a.gaveWay = true
	})
	if !ended {
		return false
	}
	s.mu.Lock()
	s.gaveWay = now
	s.mu.Unlock()
	time.Sleep(noticed)
	return true
}

// givesWayLocked returns when s was used last, if it may be given up. A stream that can't be resumed by
// Range may end only after half of the asset has come, only once, and after all that can: it counts as
// used in the far future.
func (s *stream) givesWayLocked(now time.Time) (used time.Time, may bool) {
	a, st := s.a, &s.state
	switch {
	case s.ending, st.Opening, !st.Paused && !st.Stuck, now.Sub(st.Used) < idle:
		return used, false
	case a.info.Ranging == RangeYes:
		return st.Used, true
	}
	return st.Used.AddDate(100, 0, 0), !a.gaveWay && a.info.Size >= 0 && 2*st.Pos >= a.info.Size
}
