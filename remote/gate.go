package remote

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
)

const (
	// backoffFirst and backoffMost bound how long the gate stays closed when
	// the server does not say how long. The most is the length of the API's
	// own rate window.
	backoffFirst = time.Second
	backoffMost  = time.Minute
	// unreachableMost bounds it for a host that can't be reached: a probe costs
	// neither money nor a request, and is made only while somebody waits.
	unreachableMost = 2 * time.Second
	// maxRetryAfter bounds what a server may ask for: a wrong date must not
	// close a mount for good.
	maxRetryAfter = time.Hour
	// firstAnswer is how long the first request of all holds up others: a server
	// that limits this client says so in its first answer, and need not say it
	// to each of twenty readers. One that is slow must not make others wait.
	firstAnswer = time.Second
)

// gate stands before all downloads of a client. A rate limit or an unreachable
// host closes it until a given time; after that it lets one probe at a time
// through, and a probe that gets an answer opens it. The first request of all
// is a probe, too, for a moment.
type gate struct {
	mu      sync.Mutex // guards what follows
	cause   *Error     // why it is closed; nil when open
	since   time.Time  // when the request was sent that closed it
	until   time.Time  // no probe before
	probing bool
	first   time.Time     // when the first request was sent; zero before
	proven  bool          // the server has answered something
	round   int           // grows whenever the gate opens or closes
	changed chan struct{} // closed and replaced whenever a waiter must look again
	backoff *backoff.ExponentialBackOff
}

func newGate() *gate {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = backoffFirst
	b.MaxInterval = backoffMost
	b.Multiplier = 2
	b.RandomizationFactor = 0.25 // many mounts must not probe in step
	b.Reset()
	return &gate{changed: make(chan struct{}), backoff: b}
}

// wait returns when a claim may succeed. When ctx ends first it returns why the
// gate is closed.
func (g *gate) wait(ctx context.Context) *Error {
	for {
		g.mu.Lock()
		if g.cause == nil && !g.holdsLocked() || !g.probing && !time.Now().Before(g.until) {
			g.mu.Unlock()
			return nil
		}
		cause, changed, left, probing := g.cause, g.changed, time.Until(g.until), g.probing
		if cause == nil {
			left, probing = time.Until(g.first.Add(firstAnswer)), false
		}
		g.mu.Unlock()
		if probing {
			select {
			case <-changed:
			case <-ctx.Done():
				return cause
			}
			continue
		}
		due := time.NewTimer(left)
		select {
		case <-changed:
		case <-due.C:
		case <-ctx.Done():
		}
		due.Stop()
		if ctx.Err() != nil {
			return cause
		}
	}
}

// holdsLocked reports whether the first request of all is still unanswered.
func (g *gate) holdsLocked() bool {
	return !g.proven && g.probing && time.Since(g.first) < firstAnswer
}

// pass is the right to send one request. Exactly one of its methods ends it.
type pass struct {
	g     *gate
	at    time.Time // when it was given
	round int
	probe bool
}

// claim returns a pass, or nil when the caller has to wait again.
func (g *gate) claim() *pass {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil {
		if g.holdsLocked() {
			return nil
		}
		p := &pass{g: g, at: time.Now(), round: g.round, probe: !g.proven && !g.probing}
		if p.probe {
			g.probing, g.first = true, time.Now()
		}
		return p
	}
	if g.probing || time.Now().Before(g.until) {
		return nil
	}
	g.probing = true
	return &pass{g: g, at: time.Now(), round: g.round, probe: true}
}

// observer returns a pass for a request that does not wait here. It can close
// the gate, and never opens it.
func (g *gate) observer() *pass {
	g.mu.Lock()
	defer g.mu.Unlock()
	return &pass{g: g, at: time.Now(), round: g.round}
}

// answered tells that the request got an answer other than a rate limit.
func (p *pass) answered() {
	g := p.g
	g.mu.Lock()
	defer g.mu.Unlock()
	// An answer to a request that was sent before the gate closed says
	// nothing about now.
	if p.probe && p.round == g.round {
		g.openLocked()
	}
}

// failed tells that the request met a rate limit or an unreachable host. Of the
// requests that were under way together, the first closes the gate, and others
// can only lengthen that by a Retry-After.
func (p *pass) failed(cause *Error) {
	g := p.g
	g.mu.Lock()
	defer g.mu.Unlock()
	asked := min(cause.RetryAfter, maxRetryAfter)
	if p.round != g.round {
		if until := time.Now().Add(asked); g.cause != nil && until.After(g.until) {
			g.cause, g.until = cause, until
			g.wakeLocked()
		}
		return
	}
	if asked <= 0 {
		asked = min(max(g.backoff.NextBackOff(), backoffFirst), backoffMost)
		if errors.Is(cause, ErrUnreachable) {
			asked = min(asked, unreachableMost)
		}
	}
	if g.cause == nil {
		g.since = p.at
	}
	g.cause, g.until, g.probing = cause, time.Now().Add(asked), false
	g.round++
	g.wakeLocked()
}

// unanswered tells that the host was reached but gave no answer. That proves an
// unreachable host reachable, and says nothing on a rate limit.
func (p *pass) unanswered() {
	g := p.g
	g.mu.Lock()
	reached := p.probe && p.round == g.round && g.cause != nil && errors.Is(g.cause, ErrUnreachable)
	if reached {
		g.openLocked()
	}
	g.mu.Unlock()
	if !reached {
		p.abandoned()
	}
}

// abandoned tells that the request ended with no word on the server's state; a
// probe passes to the next who waits.
func (p *pass) abandoned() {
	g := p.g
	g.mu.Lock()
	defer g.mu.Unlock()
	if p.probe && p.round == g.round {
		g.probing = false
		g.wakeLocked()
	}
}

// open opens the gate, whatever it was closed for.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.openLocked()
}

// state is why requests wait here, since when and until when; nil when one may
// go through.
func (g *gate) state() (cause *Error, since, until time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause == nil || !g.probing && !time.Now().Before(g.until) {
		return nil, time.Time{}, time.Time{}
	}
	return g.cause, g.since, g.until
}

func (g *gate) openLocked() {
	g.cause, g.until, g.probing, g.proven = nil, time.Time{}, false, true
	g.round++
	g.backoff.Reset()
	g.wakeLocked()
}

func (g *gate) wakeLocked() {
	close(g.changed)
	g.changed = make(chan struct{})
}
