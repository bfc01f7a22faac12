package asset

import "time"

// server is what the assets of a store learn together of the server. The store's
// mu guards it.
type server struct {
	ranging Ranging
	lacking int                 // assets found to be served without Range
	ttfb    time.Duration       // time to the first byte, smoothed
	gaveWay time.Time           // when a stream was given up last
	kinds   map[string][2]usage // by kindOf, the latest assets first
}

// Ranging returns what is likely for an asset of which it is not known whether
// it is served with Range.
func (s *Store) Ranging() Ranging {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ranging
}

// learnRange notes how an asset is served. One with Range shows that the server
// has it; that it has not takes more than a single asset without.
func (s *Store) learnRange(r Ranging) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.ranging
	switch {
	case r == RangeYes:
		s.ranging = RangeYes
	case s.ranging == RangeUnknown:
		if s.lacking++; s.lacking > 1 {
			s.ranging = RangeNo
		}
	}
	if s.ranging != was {
		s.journal.Queue(appendRecord(nil, kindRange, s.ranging == RangeYes))
		nudge(s.changed)
	}
}

// answered notes how long a request took to its header.
func (s *Store) answered(took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ttfb == 0 {
		s.ttfb = took
	}
	s.ttfb += (took - s.ttfb) / 4
}

// worth is how long it pays to wait for bytes that come anyway rather than to
// spend a request: with a limit, what one is worth by it; else twice what a
// request takes, but no less than what jitter makes of it.
func (s *Store) worth(limited time.Duration) time.Duration {
	if limited > 0 {
		return limited
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(2*s.ttfb, 250*time.Millisecond)
}
