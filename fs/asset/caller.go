package asset

import "time"

// A Caller is the program that waits for a read or a first contact.
type Caller interface {
	// Program returns its command name and process ID, "" and 0 if they can't be
	// found out. That may take some I/O.
	Program() (name string, pid int)
}

// CallerKey is the key of a context whose value is the Caller.
type CallerKey struct{}

// driveLocked makes the caller of w the one for whom the stream goes on that w
// waits for.
func (a *Asset) driveLocked(w *waiter) {
	if s := a.servingLocked(a.missingLocked(w).Start); s != nil && w.caller != nil {
		s.caller = w.caller
	}
}

// charged is a body that counts for whom it is read.
type charged interface{ Charge(program string) }

const (
	// freeLookups and lookupEvery bound how often a stream that several programs
	// drive in turns looks at who does: each time takes some 50 us.
	freeLookups = 50
	lookupEvery = 20 * time.Millisecond
)

// charge tells the body when another program drives the stream. Only the stream's
// own goroutine calls it.
func (s *stream) charge(b Body) {
	if s.driver == s.charged || s.driver == nil || s.lookups > freeLookups+int(time.Since(s.opened)/lookupEvery) {
		return
	}
	s.charged = s.driver
	s.lookups++
	if c, ok := b.(charged); ok {
		name, _ := s.charged.Program()
		c.Charge(name)
	}
}
