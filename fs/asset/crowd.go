package asset

import "time"

// giveWay ends the least recently used paused stream of all assets, because the server refuses
// another one beside them, and returns when it is closed. It ends at most one a second, so that
// readers that take turns still get something done.
func (s *Store) giveWay(now time.Time) bool {
	s.mu.Lock()
	early := now.Sub(s.gaveWay) < idle
	s.mu.Unlock()
	if early {
		return false
	}
	var victim spare
	for _, a := range s.all() {
		if c := a.spareStream(now); c.before(victim) {
			victim = c
		}
	}
	if victim.stream == nil || !victim.stream.giveUp() {
		return false
	}
	s.mu.Lock()
	s.gaveWay = now
	s.mu.Unlock()
	return true
}

// spare is a paused stream that may be given up.
type spare struct {
	stream    *stream
	resumable bool // by Range
	used      time.Time
}

// before reports whether s should end before o.
func (s spare) before(o spare) bool {
	switch {
	case s.stream == nil || o.stream == nil:
		return s.stream != nil
	case s.resumable != o.resumable:
		return s.resumable
	}
	return s.used.Before(o.used)
}

// spareStream returns the stream of a that may end first. One that can't be resumed may end only
// after half of the asset has come, and only once.
func (a *Asset) spareStream(now time.Time) (best spare) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.engine == nil {
		return best
	}
	resumable := a.info.Ranging == RangeYes
	for _, s := range a.streams {
		st := &s.state
		switch {
		case s.ending, st.Opening, !st.Paused && !st.Stuck, now.Sub(st.Used) < idle:
			continue
		case !resumable && (a.gaveWay || a.info.Size < 0 || 2*st.Pos < a.info.Size):
			continue
		}
		if c := (spare{s, resumable, st.Used}); c.before(best) {
			best = c
		}
	}
	return best
}

// giveUp ends s and waits until it is closed, unless it has started to run again.
func (s *stream) giveUp() bool {
	a := s.a
	a.mu.Lock()
	if s.ending || a.engine == nil || !s.state.Paused && !s.state.Stuck {
		a.mu.Unlock()
		return false
	}
	a.gaveWay = true
	s.endLocked()
	a.mu.Unlock()
	<-s.done
	return true
}
