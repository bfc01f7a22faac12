package remote

import (
	"net/http"
	"sync"
	"time"
)

// refusedFor is how long a refusal of ranges is remembered, for one asset or for all.
const refusedFor = 10 * time.Minute

// ranging remembers which servers refuse Range with an error instead of ignoring it.
type ranging struct {
	mu      sync.Mutex // guards the fields below
	assets  map[string]*assetRanging
	works   bool      // some asset was sent in part
	refused int       // assets whose ranges were refused since one was last sent in part
	until   time.Time // no range of any asset is requested before this
	why     *Error
}

// assetRanging is what is known about one asset.
type assetRanging struct {
	works   bool      // a part of it was sent
	refusal *Error    // of its last range; nil: it was not refused
	refused int       // refusals in a row
	until   time.Time // no range of it is requested before this
	owed    bool      // the request without Range got no answer and must be repeated
}

func (g *ranging) ofLocked(id string) *assetRanging {
	if g.assets == nil {
		g.assets = map[string]*assetRanging{}
	}
	if g.assets[id] == nil {
		g.assets[id] = new(assetRanging)
	}
	return g.assets[id]
}

// refusal returns why an asset must be requested without Range from the start, or nil.
func (g *ranging) refusal(id string) *Error {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	if a := g.assets[id]; a != nil && (a.owed || now.Before(a.until)) {
		a.owed = false
		return a.refusal
	}
	if now.Before(g.until) {
		return g.why
	}
	return nil
}

// refuse records that a range was refused with e, and reports whether to ask again without
// Range. One refusal in the middle of an asset that was sent in part before is no reason.
func (g *ranging) refuse(r Request, e *Error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.ofLocked(r.ID)
	if !e.refusesAny() {
		return true
	}
	a.refused++
	if e.refusal() == http.StatusInternalServerError { // far more often it has nothing to do with the range
		return !a.works && a.refused%triesOfDoubt == 0
	}
	return !a.works || r.Start == 0 || a.refused > 1
}

// owe records that the request without Range, sent because of refusal, got no answer, so
// that the next request goes without Range, too. Otherwise a Background request, which
// seldom finds a second free slot, would never get that far.
func (g *ranging) owe(id string, refusal *Error) {
	if refusal == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.ofLocked(id)
	a.owed, a.refusal = true, refusal
}

// answered records the answer to r. refusal is why r went without Range, or nil.
func (g *ranging) answered(r Request, resp *Response, refusal *Error) {
	if !resp.Partial && refusal == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.ofLocked(r.ID)
	switch {
	case resp.Partial:
		*a = assetRanging{works: true}
		g.works, g.refused, g.until = true, 0, time.Time{}
	case !refusal.refusesAny(), resp.End == 0: // it was only about this range
	case g.works && a.refused < 2, time.Now().Before(a.until):
		// The server sends parts, so one refusal may be a gateway's trouble.
	default:
		if a.until.IsZero() {
			g.refused++
		}
		a.until, a.refusal = time.Now().Add(refusedFor), refusal
		if g.refused >= severalAssets && refusal != g.why {
			g.until, g.why = a.until, refusal
		}
	}
}

func (g *ranging) forget() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.assets, g.works, g.refused, g.until = nil, false, 0, time.Time{}
}

// refusesAny reports whether e, the answer to a range, may apply to every range. Servers say that
// with any status that means nothing else.
func (e *Error) refusesAny() bool {
	status := e.refusal()
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusNotFound, http.StatusProxyAuthRequired,
		http.StatusRequestTimeout, http.StatusGone, http.StatusRequestedRangeNotSatisfiable, http.StatusTooManyRequests:
		return false
	}
	return status >= 400 && status <= http.StatusNotImplemented
}

// refusal returns the HTTP status that classifies the error, whoever wrote it.
func (e *Error) refusal() int {
	if e.api {
		return e.Number()
	}
	return e.Status
}
