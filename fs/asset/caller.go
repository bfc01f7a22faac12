package asset

import (
	"context"
	"time"
)

// A Caller is the program that waits for a read or a first contact.
type Caller interface {
	// Program returns its command name and process ID, "" and 0 if they can't be
	// found out. That may take some I/O.
	Program() (name string, pid int)
}

// CallerKey is the key of a context whose value is the Caller.
type CallerKey struct{}

// callerOf returns who waits with ctx, nil if that is not known.
func callerOf(ctx context.Context) Caller {
	c, _ := ctx.Value(CallerKey{}).(Caller)
	return c
}

// nameOf is Program of c, which may be nil.
func nameOf(c Caller) (name string, pid int) {
	if c == nil {
		return "", 0
	}
	return c.Program()
}

// callerLocked returns whose wait opens o, nil if nobody's does.
func (a *Asset) callerLocked(o Opening) Caller {
	var best *waiter
	nearest := int64(maxSize)
	for _, w := range a.waiters {
		if at := a.missingLocked(w).Start; at >= o.Start && at < nearest {
			best, nearest = w, at
		}
	}
	if best == nil {
		return nil
	}
	return best.caller
}

// driveLocked makes the caller of w the one for whom the stream goes on that w
// waits for.
func (a *Asset) driveLocked(w *waiter) {
	if w.caller == nil {
		return
	}
	var best *stream
	at := a.missingLocked(w).Start
	for _, s := range a.streams {
		serves := s.state.Pos <= at && (s.state.End < 0 || at < s.state.End) && (s.state.Opening || at < s.limit)
		if serves && !s.ending && (best == nil || s.state.Pos > best.state.Pos) {
			best = s
		}
	}
	if best != nil {
		best.caller = w.caller
	}
}

// charged is a body that is told for whom it is read.
type charged interface{ Charge(program string) }

// payer is for whom a stream is read, as its body knows it.
type payer struct {
	caller  Caller
	next    Caller    // who drives the stream now
	since   time.Time // when the stream was opened
	lookups int
}

const (
	// freeLookups and lookupEvery bound how often a stream that several programs
	// drive in turns looks at who does: each time takes some 50 us.
	freeLookups = 50
	lookupEvery = 20 * time.Millisecond
)

// charge tells the body when another program drives the stream. Only the stream's
// own goroutine calls it.
func (s *stream) charge(b Body) {
	p := &s.payer
	if p.next == p.caller || p.next == nil || p.lookups > freeLookups+int(time.Since(p.since)/lookupEvery) {
		return
	}
	p.caller = p.next
	p.lookups++
	if c, ok := b.(charged); ok {
		name, _ := p.caller.Program()
		c.Charge(name)
	}
}
