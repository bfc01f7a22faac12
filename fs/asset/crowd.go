package asset

import "time"

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
	if a.info.Ranging != RangeUnknown || s.answered() || s.ending {
		return
	}
	for _, o := range a.streams {
		if o.answered() && !o.ending && o.state.Start == 0 && o.state.Pos <= s.request.Start {
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
	return max(unanswered, 2*s.ttfb, 2*s.other) << s.gaveInVain
}

// gaveFor records how long a call took to be answered once a stream had given way for it. If it was not
// answered soon, the stream was not in its way, and the next one stays twice as long.
func (s *Store) gaveFor(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if took < idle {
		s.gaveInVain = 0
	} else {
		s.gaveInVain = min(s.gaveInVain+1, 5)
	}
}

// giveWay ends the least recently used paused stream of all assets, because the server may not serve
// another one beside them, and returns when the server should know. It ends at most one a second, so that
// readers that take turns still get something done.
func (s *Store) giveWay(now time.Time) bool {
	if now.Sub(s.gaveWayAt()) < idle {
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

// gaveWayAt returns when a stream was given up last.
func (s *Store) gaveWayAt() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gaveWay
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
