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

// noteSent records whether the running request has been sent. If it was and must wait again, it was refused.
func (s *stream) noteSent(sent bool) {
	s.a.mu.Lock()
	refused := !sent && !s.sent.IsZero()
	s.sent = time.Time{}
	if sent {
		s.sent = time.Now()
	}
	if refused {
		s.refusals++
	}
	crowded := refused && s.refusals > refusalsMost
	s.a.mu.Unlock()
	if crowded && !s.request.Background {
		s.a.store.giveWay(time.Now())
	}
}

// anew prepares for a further request.
func (s *stream) anew() {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	s.sent, s.refusals = time.Time{}, 0
}

// open makes the request of s. Where other open downloads may be the reason why it is not served, one of
// them gives way.
func (s *stream) open() (*Response, error) {
	source, store := s.a.store.reading.Source, s.a.store
	if s.request.Background {
		return source.Open(s.ctx, s.a.id, s.request)
	}
	answered := make(chan struct{})
	defer close(answered)
	store.streams.Go(func() { store.Hurry(answered, s.sentAt) })
	r, err := source.Open(s.ctx, s.a.id, s.request)
	if crowded(err) && store.giveWay(time.Now()) {
		s.anew()
		r, err = source.Open(s.ctx, s.a.id, s.request)
	}
	return r, err
}

func (s *stream) sentAt() time.Time {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	return s.sent
}

// Hurry returns when a call to the server is answered. If that takes long, a paused stream gives way, once
// each time that the call is sent. sent returns when it was, zero while the call waits for its turn.
func (s *Store) Hurry(answered <-chan struct{}, sent func() time.Time) {
	t := time.NewTicker(idle)
	defer t.Stop()
	var gave, last time.Time
	for {
		select {
		case <-answered:
			if !gave.IsZero() {
				s.gaveFor(time.Since(gave))
			}
			return
		case now := <-t.C:
			if at := sent(); !at.IsZero() && !at.Equal(last) && now.Sub(at) >= s.patience() && s.giveWay(now) {
				gave, last = time.Now(), at
			}
		}
	}
}

// patience returns how long a call may be unanswered before a stream gives way.
func (s *Store) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(unanswered, 2*s.ttfb) << s.inVain
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
