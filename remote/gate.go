package remote

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// backoffFirst and backoffMost bound how long a gate stays closed when the
	// server does not say how long (API.md, 2, "beyond the limit").
	backoffFirst = time.Second
	backoffMost  = 32 * time.Second
	// unreachableMost bounds it for a host that can't be reached: a probe costs
	// neither money nor a request, and is made only while somebody waits.
	unreachableMost = 2 * time.Second
	// maxRetryAfter bounds what a Retry-After is taken for. A probe goes out
	// after probeAnyway all the same: a wrong date must not stop a mount.
	maxRetryAfter = time.Hour
	probeAnyway   = 5 * time.Minute
	// firstAnswer is how long the first request of all holds up others: a server
	// that limits this client says so in its first answer, and need not say it
	// to each of twenty readers. One that is slow must not make others wait.
	firstAnswer = time.Second
	// severalAssets is how many assets in a row must meet trouble inside the
	// server before it is taken for the host's, and not theirs.
	severalAssets = 3
)

// gate stands before all calls of one kind. A rate limit, an unreachable host,
// or trouble that several assets meet closes it for a time; then one probe at
// a time goes through, and one that gets an answer opens it. The first request
// of all is a probe, too, for a moment. The lock is the limiter's.
type gate struct {
	cause   *Error    // why it is closed; nil when open
	since   time.Time // when the request was sent that closed it
	until   time.Time // no probe before
	probing bool
	first   time.Time // when the first request was sent; zero before
	proven  bool      // the server has answered something
	round   int       // grows whenever the gate opens or closes
	closed  int       // how often in a row without an answer between

	trouble map[string]struct{}  // assets that met trouble since the last good answer
	asked   map[string]time.Time // assets that were asked to wait, and until when
}

// opens returns when a call may pass. While a probe is under way that is as good
// as never: its outcome will be told.
func (g *gate) opens(now time.Time) time.Time {
	switch {
	case g.cause != nil && g.probing:
		return now.Add(perMost)
	case g.cause != nil:
		return later(now, g.until)
	case !g.proven && g.probing:
		return later(now, g.first.Add(firstAnswer))
	}
	return now
}

// pass notes that a call goes through, and reports whether it is a probe.
func (g *gate) pass(now time.Time) (probe bool) {
	if probe = g.cause != nil || !g.proven && !g.probing; probe {
		g.probing = true
		if g.cause == nil {
			g.first = now
		}
	}
	return probe
}

// open lets calls through, whatever the gate was closed for.
func (g *gate) open() {
	g.cause, g.until, g.probing, g.proven, g.closed = nil, time.Time{}, false, true, 0
	g.round++
	clear(g.trouble)
	clear(g.asked)
}

// close closes the gate because of what call s met. Of the calls that were under
// way together, the first counts; others can only lengthen that by what the
// server asked.
func (g *gate) close(s *slot, cause *Error, now time.Time) {
	asked := min(cause.RetryAfter, probeAnyway)
	if s.round != g.round {
		if until := now.Add(asked); g.cause != nil && asked > 0 && until.After(g.until) {
			g.cause, g.until = cause, until
		}
		return
	}
	if asked <= 0 {
		asked = backoff(g.closed)
		if errors.Is(cause, ErrUnreachable) && cause.Status == 0 {
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

// backoff is how long to wait after a number of failures in a row: 1 s, half as
// much again each time, and up to a tenth more, so that two machines don't probe
// in step. Doubling would keep a second client of the account out for longer
// than its share, and more jitter would bring it out of step (learn.go).
func backoff(failures int) time.Duration {
	d := backoffFirst
	for range failures {
		d = min(d+d/2, backoffMost)
	}
	return d + rand.N(d/10)
}

// troubled notes that the server could not serve an asset, and reports whether
// that is the host's trouble.
func (g *gate) troubled(id string, e *Error, now time.Time) bool {
	if e.RetryAfter > 0 {
		// The wish of a 503 holds for its asset until a second one meets it.
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
		g.trouble = map[string]struct{}{}
	}
	g.trouble[id] = struct{}{}
	return len(g.trouble) >= severalAssets
}
