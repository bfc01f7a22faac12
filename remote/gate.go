package remote

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// backoffFirst and backoffMost bound how long the gate stays closed if the server
	// does not say how long (API.md, 2, "beyond the limit").
	backoffFirst = time.Second
	backoffMost  = 32 * time.Second
	// unreachableMost bounds it for an unreachable host: a probe costs neither money
	// nor a request, and is made only while somebody waits.
	unreachableMost = 2 * time.Second
	// maxRetryAfter bounds Retry-After. A probe is sent after probeAnyway in any case:
	// a wrong date must not stop a mount.
	maxRetryAfter = time.Hour
	probeAnyway   = 5 * time.Minute
	// firstAnswer is how long the very first request holds up the others. A server
	// that limits this client says so in its first answer, and need not say it to each
	// of twenty readers. But a slow answer must not make others wait.
	firstAnswer = time.Second
	// severalAssets is how many assets in a row must meet trouble inside the server
	// before the host is blamed for it.
	severalAssets = 3
)

// gate stands before all calls of one kind. A rate limit, an unreachable host, or trouble
// that several assets meet closes it for a time. Then it lets one probe at a time through,
// and the first probe that gets an answer opens it. The very first request counts as a
// probe, too, for firstAnswer. The limiter's lock guards it.
//
// A redirect is an answer. What goes wrong behind it (a host that can't be reached, a page, a 429)
// is trouble of the asset, like its 503. Only when severalAssets in a row meet trouble at the same
// host does the gate close: most likely the next is sent there, too, and where it will be sent
// nobody knows before it has cost a request.
type gate struct {
	cause   *Error    // why it is closed; nil: it is open
	since   time.Time // when the request that closed it was sent
	until   time.Time // no probe before this
	probing bool
	probed  time.Time // when the last probe was sent
	proven  bool      // the server has answered something
	round   int       // grows whenever the gate closes, or calls that are running don't count any more
	closed  int       // how often it closed since the last answer

	trouble map[string]string    // assets that met trouble since the last good answer, and Error.away
	asked   map[string]time.Time // until when the API asked to wait, by asset
}

// opens returns when a call may pass. While a probe is running that is far in the future:
// its result will wake who waits.
func (g *gate) opens(now time.Time) time.Time {
	switch {
	case g.cause != nil && g.probing:
		return now.Add(perMost)
	case g.cause != nil:
		return later(now, g.until)
	case g.probing: // it is the very first
		return later(now, g.probed.Add(firstAnswer))
	}
	return now
}

// pass records that a call goes through, and reports whether it is a probe.
func (g *gate) pass(now time.Time) (probe bool) {
	if probe = g.cause != nil || !g.proven && !g.probing; probe {
		g.probing, g.probed = true, now
	}
	return probe
}

// open opens the gate, whatever it was closed for. It keeps which assets are in trouble.
func (g *gate) open() {
	g.cause, g.until, g.probing, g.proven, g.closed = nil, time.Time{}, false, true, 0
}

// close closes the gate after call s failed with cause; first is its shortest backoff. Of several calls that were running
// at the same time only the first counts; the others can extend the time if the server
// asked for that.
func (g *gate) close(s *slot, cause *Error, first time.Duration, now time.Time) {
	asked := min(cause.RetryAfter, probeAnyway)
	if s.round != g.round {
		if until := now.Add(asked); g.cause != nil && until.After(g.until) {
			g.cause, g.until = cause, until
		}
		return
	}
	if asked < backoffFirst { // the next backoff is longer in any case
		asked = backoff(first, g.closed)
		if errors.Is(cause, ErrUnreachable) && cause.Status == 0 && cause.away == "" {
			asked = min(asked, unreachableMost)
		}
	}
	if g.cause == nil {
		g.since = s.granted
	}
	g.cause, g.until, g.probing = cause, now.Add(asked), false
	g.round++
	g.closed++
}

// backoff returns how long to wait after a number of failures in a row. It starts at first, but
// at least at 1 s, and grows by half each time. Up to a tenth is added at random, so that two machines don't
// probe at the same time. Doubling would keep a second client of the account out for more
// than its share, and a larger random part would break the rhythm of learn.go.
func backoff(first time.Duration, failures int) time.Duration {
	d := min(max(first, backoffFirst), backoffMost)
	for range failures {
		d = min(d+d/2, backoffMost)
	}
	return d + rand.N(d/10)
}

// troubled records that the server failed to serve an asset, and reports whether to blame
// the host for it.
func (g *gate) troubled(id string, e *Error, now time.Time) bool {
	if e.RetryAfter > 0 && e.away == "" {
		// The Retry-After of a 503 holds for its asset only, until a second asset gets one.
		if g.asked == nil {
			g.asked = map[string]time.Time{}
		}
		for other, until := range g.asked {
			if !now.Before(until) {
				delete(g.asked, other)
			}
		}
		g.asked[id] = now.Add(min(e.RetryAfter, probeAnyway))
		return len(g.asked) > 1
	}
	if g.trouble == nil {
		g.trouble = map[string]string{}
	}
	g.trouble[id] = e.away
	there := 0
	for _, away := range g.trouble {
		if away == e.away {
			there++
		}
	}
	return there >= severalAssets
}
