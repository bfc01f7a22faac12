package fakeapi

import (
	"sync"
	"time"
)

// account counts requests for the limits. A server has one of its own, or shares one with
// other servers.
type account struct {
	mu     sync.Mutex // guards all fields below
	meters map[string]*meter
}

func newAccount() *account { return &account{meters: map[string]*meter{}} }

// limit sets the limit l, which must be valid, for calls of kind op. Earlier requests keep
// counting unless the rates or the mode change.
func (a *account) limit(op string, l Limit) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meters[op]
	switch {
	case m == nil && l == Limit{}, m != nil && m.limit == l:
	case m == nil || m.limit.Rates != l.Rates || m.limit.Mode != l.Mode || m.limit.Other != l.Other:
		a.meters[op] = newMeter(l, time.Now())
	default:
		m.limit = l
	}
}

// admit counts a request of kind op that arrived then. If it is refused, it returns the limit and
// how long to wait for the next one.
func (a *account) admit(op string, then time.Time) (l Limit, wait time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meters[op]
	if m == nil {
		return Limit{}, 0, true
	}
	m.catchUp(then)
	if m.take(then) {
		return m.limit, 0, true
	}
	return m.limit, m.wait(time.Now()), false
}

// other returns how many requests of kind op the other client has made so far.
func (a *account) other(op string) (accepted, refused int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	m := a.meters[op]
	if m == nil {
		return 0, 0
	}
	m.catchUp(time.Now())
	return m.accepted, m.refused
}

// meter counts the requests of one kind. The account's mutex guards it.
type meter struct {
	limit             Limit
	counters          []counter
	others            []visitor
	accepted, refused int // requests of the others
}

// counter is one rate of a limit.
type counter interface {
	allows(now time.Time) bool
	count(now time.Time, accepted bool)
	wait(now time.Time) time.Duration // until it allows another request, if none comes before
}

// visitor is another client, at one pace.
type visitor struct {
	pace
	next time.Time
}

func newMeter(l Limit, now time.Time) *meter {
	m := &meter{limit: l}
	rates, _ := parseRates(l.Rates) // l has been checked
	for _, r := range rates {
		if l.Mode == "bucket" {
			m.counters = append(m.counters, &bucket{rate: r, tokens: float64(r.n), at: now})
		} else {
			m.counters = append(m.counters, &window{rate: r, strict: l.Mode == "strict"})
		}
	}
	paces, _ := parsePaces(l.Other)
	for _, p := range paces {
		m.others = append(m.others, visitor{p, now.Add(p.start)})
	}
	return m
}

// take counts a request, and reports whether all rates allow it.
func (m *meter) take(now time.Time) bool {
	ok := true
	for _, c := range m.counters {
		ok = ok && c.allows(now)
	}
	for _, c := range m.counters {
		c.count(now, ok)
	}
	return ok
}

func (m *meter) wait(now time.Time) time.Duration {
	var d time.Duration
	for _, c := range m.counters {
		d = max(d, c.wait(now))
	}
	return d
}

// catchUp makes the requests that the other client would have made by now, each at its own
// time. So no other client has to run.
func (m *meter) catchUp(now time.Time) {
	for {
		var first *visitor
		for i := range m.others {
			if v := &m.others[i]; !v.next.After(now) && (first == nil || v.next.Before(first.next)) {
				first = v
			}
		}
		if first == nil {
			return
		}
		for range first.n {
			if m.take(first.next) {
				m.accepted++
			} else {
				m.refused++
			}
		}
		first.next = first.next.Add(first.per)
	}
}

// window allows n requests in any interval.
type window struct {
	rate
	strict bool        // refused requests count, too
	times  []time.Time // of the requests that count, oldest first
}

func (w *window) allows(now time.Time) bool {
	gone := 0
	for gone < len(w.times) && now.Sub(w.times[gone]) >= w.per {
		gone++
	}
	w.times = w.times[gone:]
	return len(w.times) < w.n
}

func (w *window) count(now time.Time, accepted bool) {
	if accepted || w.strict {
		w.times = append(w.times, now)
	}
}

func (w *window) wait(now time.Time) time.Duration {
	if w.allows(now) {
		return 0
	}
	return w.times[len(w.times)-w.n].Add(w.per).Sub(now)
}

// bucket holds up to n tokens; each accepted request takes one.
type bucket struct {
	rate
	tokens float64
	at     time.Time // when there were that many
}

// tokenDust is the rounding error allowed in a token.
const tokenDust = 1e-6

func (b *bucket) allows(now time.Time) bool {
	b.tokens = min(float64(b.n), b.tokens+float64(now.Sub(b.at))*float64(b.n)/float64(b.per))
	b.at = now
	return b.tokens >= 1-tokenDust
}

func (b *bucket) count(_ time.Time, accepted bool) {
	if accepted {
		b.tokens--
	}
}

func (b *bucket) wait(now time.Time) time.Duration {
	if b.allows(now) {
		return 0
	}
	return time.Duration((1 - b.tokens) * float64(b.per) / float64(b.n))
}
