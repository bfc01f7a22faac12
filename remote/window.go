package remote

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"
)

// Class is what a request is for.
type Class int

// Readers go before resolvers and have a part of the window to themselves.
const (
	Reader   Class = iota // somebody waits for the bytes
	Resolver              // a listing wants to know a name
	classes
)

const (
	// windowLength is a second more than the minute that the API counts, since
	// requests a minute apart here may arrive closer together there.
	windowLength = 61 * time.Second
	// noteAgain is how much later than noted a request may be written before
	// it is noted again: half of what windowLength adds.
	noteAgain = 500 * time.Millisecond
)

// Window is an exact sliding window: in any windowLength at most limit requests
// are written to the wire. A slot that was acquired but is not yet written
// counts all the while, since its time is still to come.
type Window struct {
	limit   int
	reserve int // what resolvers may have of it at most
	note    func(time.Time) error

	mu      sync.Mutex // guards what follows; never held while note runs
	sent    []stamp    // in order of time
	pending [classes]int
	queue   [classes][]*ticket
	timer   *time.Timer // wakes the queues when the next stamp leaves; nil if none is due
}

type stamp struct {
	at    time.Time
	class Class
}

// ticket is one waiting Acquire. ready is closed when it has its slot.
type ticket struct{ ready chan struct{} }

// NewWindow makes a window for limit requests; 0 means no limit. past are the
// noted times of an earlier process; times in the future count as now, and all
// of them as a resolver's, so that readers keep their reserve. note stores a
// time before the request is sent, and may be nil; it is called even where
// there is no limit, from several goroutines at once.
func NewWindow(limit int, past []time.Time, note func(time.Time) error) *Window {
	if note == nil {
		note = func(time.Time) error { return nil }
	}
	w := &Window{limit: max(0, limit), reserve: max(1, 2*limit/3), note: note}
	if w.limit == 0 {
		return w
	}
	now := time.Now()
	for _, t := range past {
		// Ages are taken from the wall clock, from here on time is monotonic.
		age := max(0, now.Round(0).Sub(t.Round(0)))
		if age < windowLength {
			w.sent = append(w.sent, stamp{now.Add(-age), Resolver})
		}
	}
	slices.SortFunc(w.sent, func(a, b stamp) int { return a.at.Compare(b.at) })
	return w
}

// Slot is the right to one request. Exactly one of Sent and Release ends it.
type Slot struct {
	w     *Window
	class Class
	noted time.Time
}

// Acquire waits for a slot and notes its time. Each class is served in order,
// readers first. An error is ctx's or note's, and then nothing is taken.
func (w *Window) Acquire(ctx context.Context, class Class) (*Slot, error) {
	s, err := w.acquire(ctx, class)
	if err != nil {
		return nil, err
	}
	if err := s.record(); err != nil {
		s.Release()
		return nil, err
	}
	return s, nil
}

// acquire is Acquire without the note, for a caller that may have to give the
// slot back at once.
func (w *Window) acquire(ctx context.Context, class Class) (*Slot, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	s := &Slot{w: w, class: class}
	if w.limit == 0 {
		return s, nil
	}
	t := &ticket{make(chan struct{})}
	w.mu.Lock()
	w.queue[class] = append(w.queue[class], t)
	w.grantLocked()
	w.mu.Unlock()
	select {
	case <-t.ready:
		return s, nil
	case <-ctx.Done():
	}
	w.mu.Lock()
	if i := slices.Index(w.queue[class], t); i >= 0 {
		w.queue[class] = slices.Delete(w.queue[class], i, i+1)
	} else {
		w.pending[class]-- // granted in the same moment
	}
	w.grantLocked()
	w.mu.Unlock()
	return nil, context.Cause(ctx)
}

// record notes the time of a request that is about to be sent.
func (s *Slot) record() error {
	s.noted = time.Now()
	return s.w.note(s.noted)
}

// Sent tells that the request is being written to the wire now: from now on it
// counts for windowLength.
func (s *Slot) Sent() {
	now := time.Now()
	if now.Sub(s.noted) > noteAgain {
		// Connecting took long. A process that starts with the earlier time
		// alone would count this request too short. The first note stands
		// when this one fails: the request can't be held back any more.
		_ = s.w.note(now)
	}
	w := s.w
	if w.limit == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending[s.class]--
	w.sent = append(w.sent, stamp{now, s.class})
	// Two slots may be sent in one order and get here in the other.
	slices.SortFunc(w.sent, func(a, b stamp) int { return a.at.Compare(b.at) })
	w.grantLocked()
}

// Release gives back a slot whose request never reached the wire.
func (s *Slot) Release() {
	w := s.w
	if w.limit == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending[s.class]--
	w.grantLocked()
}

// Available is how many requests of class may start now, and if none, when one
// more may at the earliest, given those that already wait.
func (w *Window) Available(class Class) (n int, next time.Time) {
	if w.limit == 0 {
		return math.MaxInt, time.Time{}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.expireLocked(now)
	all, resolvers := w.usedLocked()
	ahead := len(w.queue[Reader])
	n = w.limit - all - ahead
	if class == Resolver {
		ahead += len(w.queue[Resolver])
		n = min(w.limit-all-ahead, w.reserve-resolvers-len(w.queue[Resolver]))
	}
	if n > 0 {
		return n, time.Time{}
	}
	next = w.freeLocked(now, all+ahead-w.limit, func(stamp) bool { return true })
	if class == Resolver {
		own := w.freeLocked(now, resolvers+len(w.queue[Resolver])-w.reserve, func(s stamp) bool { return s.class == Resolver })
		if own.After(next) {
			next = own
		}
	}
	return 0, next
}

// freeLocked is when the stamp after the first skip of those that count has
// left the window, so that one more fits. With a negative skip one fits now.
// What is not yet sent, and what will follow those that wait, is taken to be
// sent as soon as it can.
func (w *Window) freeLocked(now time.Time, skip int, counts func(stamp) bool) time.Time {
	if skip < 0 {
		return now
	}
	var times []time.Time
	for _, s := range w.sent {
		if counts(s) {
			times = append(times, s.at)
		}
	}
	for class, n := range w.pending {
		if counts(stamp{now, Class(class)}) {
			times = append(times, slices.Repeat([]time.Time{now}, n)...)
		}
	}
	if len(times) == 0 {
		return now
	}
	rounds := time.Duration(1 + skip/len(times))
	return times[skip%len(times)].Add(rounds * windowLength)
}

// grantLocked hands out the slots that are free and sets the timer for the next.
func (w *Window) grantLocked() {
	now := time.Now()
	w.expireLocked(now)
	for {
		all, resolvers := w.usedLocked()
		class := Reader
		if len(w.queue[Reader]) == 0 {
			class = Resolver
		}
		if len(w.queue[class]) == 0 || all >= w.limit || class == Resolver && resolvers >= w.reserve {
			break
		}
		close(w.queue[class][0].ready)
		w.queue[class] = slices.Delete(w.queue[class], 0, 1)
		w.pending[class]++
	}
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
	// With nothing sent, the slots are pending and will come here again.
	if len(w.queue[Reader])+len(w.queue[Resolver]) > 0 && len(w.sent) > 0 {
		w.timer = time.AfterFunc(w.sent[0].at.Add(windowLength).Sub(now), func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.grantLocked()
		})
	}
}

func (w *Window) expireLocked(now time.Time) {
	i := 0
	for i < len(w.sent) && now.Sub(w.sent[i].at) >= windowLength {
		i++
	}
	w.sent = slices.Delete(w.sent, 0, i)
}

func (w *Window) usedLocked() (all, resolvers int) {
	for _, s := range w.sent {
		if s.class == Resolver {
			resolvers++
		}
	}
	return len(w.sent) + w.pending[Reader] + w.pending[Resolver], resolvers + w.pending[Resolver]
}
