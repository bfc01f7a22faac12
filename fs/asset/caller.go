package asset

import "time"

// A Caller is the program that waits for a read or a first contact.
type Caller interface {
	// Program returns its command name and process ID, "" and 0 if unknown. It may do I/O.
	Program() (name string, pid int)
	// Patient reports whether it waits for so much that others may go before it.
	Patient() bool
}

// CallerKey is the key of a context whose value is the Caller.
type CallerKey struct{}

// patient reports whether others may go before w.
func (w *waiter) patient() bool { return w.caller != nil && w.caller.Patient() }

// driveLocked makes the caller of w the one for whom w's stream continues. If w is not patient, the
// stream's request is not either, from now on.
func (a *Asset) driveLocked(w *waiter) {
	s := a.servingLocked(a.missingLocked(w).Start, true)
	if s == nil {
		return
	}
	if w.caller != nil {
		s.caller = w.caller
	}
	if !w.patient() {
		s.patient.Store(false)
	}
}

// charged is a body that counts its bytes for the program that needs them.
type charged interface{ Charge(program string) }

// lookupEvery limits how often a stream looks up which program it works for, if that changes all the
// time: a lookup takes about 50 us.
const lookupEvery = 20 * time.Millisecond

// charge tells the body if the stream now works for another program. Only the stream's own
// goroutine calls it.
func (s *stream) charge(b Body) {
	if s.driver == s.charged || s.driver == nil || time.Since(s.lookedUp) < lookupEvery {
		return
	}
	s.charged, s.lookedUp = s.driver, time.Now()
	if c, ok := b.(charged); ok {
		name, _ := s.charged.Program()
		c.Charge(name)
	}
}
