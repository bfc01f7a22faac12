package remote

import "time"

// LimitState describes the limit on calls of one kind, for display.
type LimitState struct {
	Calls   string        // "download", "metadata" or "list"
	Rate    string        // the rate in force, as ParseRateLimit reads it
	Spread  time.Duration // distance kept between calls because somebody else uses the account
	Waiting int           // readers that wait for their turn
	Next    time.Time     // when the next call may go; in the past: now
	Closed  error         // why the gate is closed; nil: it is open
}

// Limits returns the limits on downloads, metadata calls, and calls for lists.
func (c *Client) Limits() []LimitState {
	return []LimitState{c.downloads.limiter.state(), c.metadata.limiter.state(), c.lists.limiter.state()}
}

func (l *limiter) state() LimitState {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	rates := l.ratesLocked(now)
	s := LimitState{Calls: l.call, Rate: RateLimit{Rates: rates}.String(), Spread: l.learnt.gap(rates), Waiting: len(l.queue)}
	s.Next = l.opensLocked(now, Reader, 0)
	if l.gate.cause != nil {
		s.Closed = l.gate.cause
		if l.gate.probing {
			s.Next = now // unknown, but a call is being tried
		}
	}
	return s
}
