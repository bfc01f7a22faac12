package remote

import (
	"context"
	"errors"
	"time"
)

// slot is the right to make one call. It ends with exactly one of release and done; write
// comes before done.
type slot struct {
	l       *limiter
	due     time.Time // not to be written before
	noted   time.Time
	granted time.Time
	written bool
	probe   bool
	round   int // of the gate
}

// sentKey is the key of a context whose value is called when a call is written, and when
// one begins to wait.
type sentKey struct{}

// WithSent returns a context for a call. tell is called with true when that is written,
// past all that it waits for here, and with false when it begins to wait for its turn, also
// when it is made again.
func WithSent(ctx context.Context, tell func(sent bool)) context.Context {
	return context.WithValue(ctx, sentKey{}, tell)
}

func tellSent(ctx context.Context, sent bool) {
	if tell, ok := ctx.Value(sentKey{}).(func(bool)); ok {
		tell(sent)
	}
}

// write is called when the call is about to be written to a connection. It waits until that
// is allowed, and reports whether it is; from then on the call counts. It is not if ctx ends before.
func (s *slot) write(ctx context.Context) bool {
	if s.written {
		return true // a redirect, which the API counts as the same call
	}
	l := s.l
	took := time.Since(s.granted)
	if wait := time.Until(s.due); wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return false
	}
	s.written = true
	tellSent(ctx, true)
	now := time.Now()
	if l.ledger != nil && now.Sub(s.noted) > noteAgain {
		// A new process that knows only the earlier time would let the next call go too
		// soon. If this record fails, the first one stands: it is too late to hold the
		// call back.
		_ = l.ledger.NoteCall(l.call, now)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now = time.Now() // so that the times are in order
	l.lead += (min(took, leadMost) - l.lead) / 4
	l.times.pending--
	l.times.sent = append(l.times.sent, now)
	l.last = now
	l.times.forget(l.ratesLocked(now), now)
	return true
}

// release gives back a slot whose call was never written. That says nothing about the
// server.
func (s *slot) release() {
	l := s.l
	l.mu.Lock()
	defer l.mu.Unlock()
	l.releaseLocked(s)
	l.abandonedLocked(s)
	l.serveLocked()
}

func (l *limiter) releaseLocked(s *slot) {
	if !s.written {
		l.times.pending--
	}
}

// abandonedLocked lets the next waiting call be the probe if s was one.
func (l *limiter) abandonedLocked(s *slot) {
	if s.probe && s.round == l.gate.round {
		l.gate.probing = false
	}
}

// done reports how the call on an asset went; err is nil for an answer. gaveUp means that
// the caller ended it.
func (s *slot) done(id string, err *Error, gaveUp bool) {
	l := s.l
	if err != nil {
		err.Op, err.ID = l.call, id // others may wait at the gate because of it
	}
	now := time.Now()
	l.mu.Lock()
	l.releaseLocked(s)
	said := l.heardLocked(s, id, err, gaveUp, now)
	note, changed := l.learnt.save()
	l.serveLocked()
	l.mu.Unlock()
	if said != "" {
		l.log.Warn("rate limit and gate", "call", l.call, "now", said, "error", err)
	}
	if changed && l.notes != nil {
		if err := l.notes.SetNote(noteName(l.call), note); err != nil {
			l.log.Warn("can't record what was learnt about the rate limit", "error", err)
		}
	}
}

// heardLocked updates the gate and what is learnt after a call, and returns what to log.
func (l *limiter) heardLocked(s *slot, id string, err *Error, gaveUp bool, now time.Time) (said string) {
	g := &l.gate
	current := s.round == g.round
	switch {
	case err != nil && err.limits():
		if current {
			said = l.learnt.refused(l.limit, l.passedLocked(now), g.closed, now)
		}
		l.last = time.Time{}                            // the gate is closed for long enough
		g.close(s, err, worth(l.ratesLocked(now)), now) // no call is earned before that
	case err != nil && err.away == "" && errors.Is(err, ErrUnreachable):
		if current && g.cause == nil {
			said = "calls pause: the host can't be reached"
		}
		g.close(s, err, 0, now)
	case gaveUp:
		l.abandonedLocked(s)
	case err != nil && err.troubles():
		if g.troubled(id, err, now) {
			if current && g.cause == nil {
				said = "calls pause: the server fails for several assets"
			}
			g.close(s, err, 0, now)
			break
		}
		// The host was reached. Without an answer that says nothing about a rate limit.
		if s.probe && current && (err.Status != 0 || err.away != "" || g.cause == nil || errors.Is(g.cause, ErrUnreachable)) {
			g.open()
		} else {
			l.abandonedLocked(s)
		}
	default:
		if l.limit.Auto {
			l.passed = append(l.passed, now)
		}
		l.learnt.accepted(l.passedLocked(now), now)
		clear(g.trouble)
		delete(g.asked, id)
		// The answer to a call sent before the gate closed says nothing about now.
		if s.probe && current {
			g.open()
			clear(g.asked)
		}
	}
	return said
}
