package asset

import "time"

// server is what the assets of a store learn together about the server. The store's mu guards it.
type server struct {
	ranging    Ranging
	lacking    int                 // assets found to be served without Range
	ttfb       time.Duration       // from a request for bytes to the header, smoothed
	other      time.Duration       // and from other calls to their answers
	gaveWay    time.Time           // when a stream was given up last
	gaveInVain int                 // so often in a row no answer came soon after that
	kinds      map[string][2]usage // by kindOf, the latest assets first
}

// Ranging returns what is likely for an asset of which it is unknown whether it is served with Range.
func (s *Store) Ranging() Ranging {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ranging
}

// learnRange records how an asset is served. A single asset with Range shows that the server supports
// it; that it doesn't takes more than one asset without.
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

// answered records in usual, which is one of s's, that the answer came now to what was sent then. If a
// stream has given way since, that says nothing: it waited for that.
func (s *Store) answered(sent time.Time, usual *time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sent.IsZero() || s.gaveWay.After(sent) {
		return
	}
	took := time.Since(sent)
	if *usual == 0 {
		*usual = took
	}
	*usual += (took - *usual) / 4
}

// worth returns how long it pays to wait for bytes that come anyway, instead of making a request.
// With a rate limit, that is what limited says. Otherwise it is twice the time that a request takes,
// but not so little that jitter decides.
func (s *Store) worth(limited time.Duration) time.Duration {
	if limited > 0 {
		return limited
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return max(2*s.ttfb, 250*time.Millisecond)
}
