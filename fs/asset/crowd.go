package asset

import "time"

// noticed is how long a server has to notice that we closed a connection, before the next request.
const noticed = 50 * time.Millisecond

// giveWay ends the least recently used paused stream of all assets, because the server refuses
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
