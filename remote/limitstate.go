package remote

import "time"

// LimitState is what stands before calls of one kind, to be shown.
type LimitState struct {
	Calls   string        // "download", "metadata" or "list"
	Rate    string        // what is kept to now, as ParseRateLimit reads it
	Spread  time.Duration // how far apart calls are kept besides, since somebody else uses the account
	Waiting int           // readers whose turn is to come
	Next    time.Time     // when the next call may go; past: now
	Closed  error         // why none goes whatever the rate; nil if one may
	Until   time.Time     // when one tries again, if Closed
}

// Limits returns what stands before downloads, metadata calls, and calls for lists.
func (c *Client) Limits() []LimitState {
	return []LimitState{c.downloads.limiter.state(), c.metadata.limiter.state(), c.lists.limiter.state()}
}

func (l *limiter) state() LimitState {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	rates := l.ratesLocked(now)
	s := LimitState{Calls: l.call, Rate: RateLimit{Rates: rates}.String(), Spread: l.learnt.gap(rates), Waiting: len(l.queue)}
	if s.Next = l.opensLocked(now, Reader, 0); l.gate.cause != nil {
		s.Closed, s.Until = l.gate.cause, l.gate.until
		s.Next = l.gate.until // while a probe is under way nobody knows better
	}
	return s
}
