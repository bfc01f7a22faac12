package remote

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Class is the priority of a call.
type Class int

// Readers go before background calls, and of these, some are patient: see Request.Patient.
const (
	Reader     Class = iota // somebody waits for it
	Background              // nobody waits for it
)

const (
	// noteAgain: a call written this much later than recorded is recorded again. It is
	// half of the slack of the shortest usual interval.
	noteAgain = 50 * time.Millisecond
	// readersLead is how long after a reader's call background calls stay away, in
	// halves of the time that earns one call. Without it a program that reads one asset
	// after the other would wait twice as long, since every second call would be theirs.
	readersLead = 3
	// leadMost bounds how long before its time a call may start to connect.
	leadMost = time.Second
	// aheadMost is how many readers in a row may go before the patient calls.
	aheadMost = 3
)

// A Ledger remembers across restarts when calls were made. Its methods may be called
// concurrently.
type Ledger interface {
	// Calls returns when calls of that name were made, at least for the last hour.
	Calls(name string) []time.Time
	// NoteCall records a call at t. The record must be safe when NoteCall returns.
	NoteCall(name string, t time.Time) error
}

// Notes remember across restarts what was learnt.
type Notes interface {
	Note(name string) string
	SetNote(name, value string) error
}

// limiter decides when calls of one kind may be written: by a rate limit, and by a gate
// that refusals close. Readers queue in order, patient calls behind them. Background calls never queue: they get a
// free slot, or ErrNoSlot.
type limiter struct {
	call   string // the kind of calls
	limit  RateLimit
	ledger Ledger // nil: none
	notes  Notes  // nil: none
	log    *slog.Logger

	mu     sync.Mutex // guards the fields below; no I/O and no logging under it
	times  schedule
	gate   gate
	learnt learnt
	passed []time.Time // answers within the last minute, needed to learn from a refusal
	queue  []*ticket
	ahead  int         // readers in a row that went before patient calls
	timer  *time.Timer // fires when the next queued call may start; nil if none waits
	lead   time.Duration
	last   time.Time // when the last call was written, unless it was refused
	reader time.Time // when the last reader got its slot
}

// ticket is one waiting call.
type ticket struct {
	id      string // of its asset
	slot    chan *slot
	patient func() bool // nil: it is not
}

func (t *ticket) isPatient() bool { return t.patient != nil && t.patient() }

func newLimiter(call string, limit RateLimit, ledger Ledger, notes Notes, log *slog.Logger) *limiter {
	l := &limiter{call: call, limit: limit, ledger: ledger, notes: notes, log: log}
	now := time.Now()
	if ledger != nil {
		for _, t := range ledger.Calls(call) {
			// Ages come from the wall clock; from here on time is monotonic. A time
			// in the future counts as now.
			age := max(0, now.Round(0).Sub(t.Round(0)))
			l.times.sent = append(l.times.sent, now.Add(-age))
		}
		slices.SortFunc(l.times.sent, time.Time.Compare)
	}
	if notes != nil {
		l.learnt.load(notes.Note(noteName(l.call)), now)
	}
	return l
}

func noteName(call string) string { return "limit." + call }

// ratesLocked returns the rates in force.
func (l *limiter) ratesLocked(now time.Time) []Rate { return l.learnt.rates(l.limit, now) }

// acquire waits for a slot and records its time. An error comes from ctx, from the ledger,
// or is ErrNoSlot for a Background call; no slot is then taken. id and patient are as in Request.
func (l *limiter) acquire(ctx context.Context, class Class, id string, patient func() bool) (*slot, *Error) {
	tellSent(ctx, false)
	if ctx.Err() != nil {
		return nil, waiting(ctx, l.closed())
	}
	s, err := l.take(ctx, class, id, patient)
	if err != nil {
		return nil, err
	}
	if l.ledger == nil {
		return s, nil
	}
	s.noted = later(time.Now(), s.due)
	if err := l.ledger.NoteCall(l.call, s.noted); err != nil {
		s.release()
		return nil, &Error{Err: err}
	}
	return s, nil
}

func (l *limiter) take(ctx context.Context, class Class, id string, patient func() bool) (*slot, *Error) {
	l.mu.Lock()
	if class == Background {
		defer l.mu.Unlock()
		now := time.Now()
		if l.opensLocked(now, Background, len(l.queue)).After(now) {
			return nil, &Error{Err: ErrNoSlot, temporary: true}
		}
		return l.grantLocked(now, now), nil
	}
	t := &ticket{id, make(chan *slot, 1), patient}
	l.queue = append(l.queue, t)
	l.serveLocked()
	l.mu.Unlock()
	select {
	case s := <-t.slot:
		return s, nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	i := slices.Index(l.queue, t)
	if i >= 0 {
		l.queue = slices.Delete(l.queue, i, i+1)
	}
	l.mu.Unlock()
	if i < 0 {
		(<-t.slot).release() // it was granted at the same moment
	}
	return nil, waiting(ctx, l.closed())
}

// leaveLocked removes the next of the queue, which must not be empty, and returns it.
func (l *limiter) leaveLocked() *ticket {
	i, j := -1, -1 // the first reader, and the first patient call
	for k := len(l.queue) - 1; k >= 0; k-- {
		if l.queue[k].isPatient() {
			j = k
		} else {
			i = k
		}
	}
	switch {
	case j < 0:
	case i < 0, l.ahead >= aheadMost:
		i, l.ahead = j, 0
	default:
		l.ahead++
	}
	t := l.queue[i]
	l.queue = slices.Delete(l.queue, i, i+1)
	return t
}

// beforeLocked returns how many of the queue go before a call, patient or not, that goes after so many
// others of its kind; it does not matter if there are fewer.
func (l *limiter) beforeLocked(patient bool, others int) int {
	patients := 0
	for _, t := range l.queue {
		if t.isPatient() {
			patients++
		}
	}
	readers := len(l.queue) - patients
	if patient {
		patients = min(patients, others)
		readers = min(readers, (patients+1)*aheadMost-l.ahead)
	} else {
		readers = min(readers, others)
		patients = min(patients, (l.ahead+readers)/aheadMost)
	}
	return readers + patients
}

// opensLocked returns when a call of class may be written, behind ahead other calls.
func (l *limiter) opensLocked(now time.Time, class Class, ahead int) time.Time {
	at := l.gate.opens(now)
	rates := l.ratesLocked(now)
	if class == Background {
		at = later(at, l.reader.Add(worth(rates)*readersLead/2))
	}
	for _, r := range rates {
		if class == Background {
			at = later(at, l.times.openBackground(r, now, ahead))
		} else {
			at = later(at, l.times.open(r, now, ahead))
		}
	}
	return later(at, l.last.Add(l.learnt.gap(rates)*time.Duration(1+l.times.pending+ahead)))
}

// serveLocked hands out the free slots and sets the timer for the next. A reader may
// connect a little before its time; slot.write then waits for it.
func (l *limiter) serveLocked() {
	if l.timer != nil {
		l.timer.Stop()
	}
	for len(l.queue) > 0 {
		now := time.Now()
		at := l.opensLocked(now, Reader, 0)
		start := at.Add(-l.lead)
		if l.gate.opens(now).After(now) {
			start = at
		}
		if start.After(now) {
			l.timer = time.AfterFunc(start.Sub(now), func() {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.serveLocked()
			})
			return
		}
		t := l.leaveLocked()
		l.reader = later(now, at)
		t.slot <- l.grantLocked(now, at)
	}
}

func (l *limiter) grantLocked(now, due time.Time) *slot {
	l.times.pending++
	s := &slot{l: l, due: due, granted: now}
	s.probe = l.gate.pass(now)
	s.round = l.gate.round
	return s
}

// passedLocked returns how many calls were answered within the last minute.
func (l *limiter) passedLocked(now time.Time) int {
	l.passed = slices.DeleteFunc(l.passed, func(t time.Time) bool { return now.Sub(t) >= time.Minute })
	return len(l.passed)
}

// closed returns why the gate is closed, nil if a call may pass.
func (l *limiter) closed() *Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gate.opens(time.Now()).After(time.Now()) {
		return l.gate.cause
	}
	return nil
}

// forgetFailures opens the gate. The failures of calls that are running say nothing of what comes.
func (l *limiter) forgetFailures() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gate.open()
	l.gate.round++
	clear(l.gate.trouble)
	clear(l.gate.asked)
	l.serveLocked()
}

// Budget describes when calls of one kind may start.
type Budget struct {
	Queued    int           // calls that wait for the limits or the gate
	Before    int           // calls of these that go first
	Available int           // calls that may start now; math.MaxInt without a limit
	Next      time.Time     // when one may start after those, if Available is 0
	Worth     time.Duration // the time that earns one call; 0 without a limit
	Down      error         // why the gate is closed; nil if a call may pass
	Since     time.Time     // when the call that closed it was sent, if Down
	Until     time.Time     // when the next probe may pass, if Down; in the past while one is running
}

// budget returns the Budget for one more call of class.
func (l *limiter) budget(class Class) Budget {
	l.mu.Lock()
	defer l.mu.Unlock()
	if class == Background {
		return l.budgetLocked(class, len(l.queue))
	}
	return l.budgetLocked(class, l.beforeLocked(false, noLimit))
}

// turn returns the Budget for the first call in the queue for an asset or, if there is none, for one
// more call, patient or not.
func (l *limiter) turn(id string, patient bool) Budget {
	l.mu.Lock()
	defer l.mu.Unlock()
	others := noLimit
	if i := slices.IndexFunc(l.queue, func(t *ticket) bool { return t.id == id }); i >= 0 {
		patient, others = l.queue[i].isPatient(), 0
		for _, t := range l.queue[:i] {
			if t.isPatient() == patient {
				others++
			}
		}
	}
	return l.budgetLocked(Reader, l.beforeLocked(patient, others))
}

func (l *limiter) budgetLocked(class Class, ahead int) Budget {
	now := time.Now()
	rates := l.ratesLocked(now)
	b := Budget{Queued: len(l.queue), Before: ahead, Available: noLimit, Worth: worth(rates)}
	opens := l.opensLocked(now, class, ahead).Add(-l.lead)
	for _, r := range rates {
		b.Available = min(b.Available, l.times.free(r, now)-ahead)
	}
	if class == Background && (len(rates) > 0 || !l.gate.proven) {
		b.Available = min(b.Available, 1) // one at a time; the very first call goes alone
	}
	if opens.After(now) {
		b.Available = 0
	} else {
		b.Available = max(b.Available, 1)
	}
	g := &l.gate
	// If somebody waits although a call may pass, a timer is about to make that one the probe.
	if g.cause != nil && (g.opens(now).After(now) || len(l.queue) > 0 && !l.opensLocked(now, Reader, 0).After(now)) {
		b.Down, b.Since, b.Until = g.cause, g.since, g.until
	}
	if b.Available == 0 {
		b.Next = opens
		if g.cause != nil && g.probing {
			b.Next = now.Add(backoffFirst) // the probe may be answered by then
		}
	}
	return b
}
