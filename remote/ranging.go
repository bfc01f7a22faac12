package remote

import (
	"net/http"
	"sync"
	"time"
)

// refusedFor is how long a refusal of ranges is believed, of an asset or of all.
const refusedFor = 10 * time.Minute

// ranging is what is known of servers that refuse a Range with an error instead of
// ignoring it.
type ranging struct {
	mu      sync.Mutex // guards what follows
	assets  map[string]*assetRanging
	works   bool      // some asset was sent in part
	refused int       // assets that ranges were refused of, since one was last sent in part
	until   time.Time // no asset is asked for a range before
	why     *Error
}

// assetRanging is what is known of one asset.
type assetRanging struct {
	works   bool      // a part of it was sent
	refusal *Error    // of its last range; nil: it was not refused
	refused int       // ranges in a row
	until   time.Time // it is not asked for a range before
	owed    bool      // it is to be asked for without, which was not answered
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

// refusal is why an asset is to be asked for without Range from the beginning, or nil.
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

// refuse notes that a range was refused with e, and reports whether to ask without. One
// refusal in the middle of an asset of which a part was sent says nothing yet.
func (g *ranging) refuse(r Request, e *Error) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.ofLocked(r.ID)
	a.refusal = e
	if !e.refusesAny() {
		return true
	}
	a.refused++
	return !a.works || r.Start == 0 || a.refused > 1
}

// owe notes that the request that was to go without Range, since refusal, was not
// answered: it is the next. In the background there is seldom a slot for a second one.
func (g *ranging) owe(id string, refusal *Error) {
	if refusal == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	a := g.ofLocked(id)
	a.owed, a.refusal = true, refusal
}

// answered notes how r was answered; refusal is why it went without Range, or nil.
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
	case !refusal.refusesAny() || resp.End == 0:
		a.refusal = nil // it was about this range
	case g.works && a.refused < 2, time.Now().Before(a.until):
		// Where parts are sent, once may be a gateway's trouble.
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

// refusesAny tells that e, which a range has met, may be about any range.
func (e *Error) refusesAny() bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		return true
	}
	return false
}
