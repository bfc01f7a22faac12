package asset

import (
	"sync"
	"time"
)

// Host is what the assets of a mount learn together of the server.
type Host struct {
	remember func(supported bool)

	// mu guards what follows. It may be taken under an asset's lock, never the
	// other way round.
	mu      sync.Mutex
	ranging Ranging
	lacking int           // assets found to be served without Range
	ttfb    time.Duration // time to the first byte, smoothed
	assets  map[*Asset]struct{}
	gaveWay time.Time           // when a stream was given up last
	kinds   map[string][2]usage // by kindOf, the latest assets first
}

// NewHost returns a Host that starts with what is known; remember, if not nil,
// is called when what is known of the server's support of Range changes.
func NewHost(known Ranging, remember func(supported bool)) *Host {
	return &Host{ranging: known, remember: remember, assets: map[*Asset]struct{}{}}
}

// Ranging returns what is likely for an asset of which it is not known whether
// it is served with Range.
func (h *Host) Ranging() Ranging {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ranging
}

// learnRange notes how an asset is served. One with Range shows that the server
// has it; that it has not takes more than a single asset without.
func (h *Host) learnRange(r Ranging) {
	h.mu.Lock()
	was := h.ranging
	switch {
	case r == RangeYes:
		h.ranging = RangeYes
	case h.ranging == RangeUnknown:
		if h.lacking++; h.lacking > 1 {
			h.ranging = RangeNo
		}
	}
	now := h.ranging
	h.mu.Unlock()
	if now != was && h.remember != nil {
		h.remember(now == RangeYes)
	}
}

// answered notes how long a request took to its header.
func (h *Host) answered(took time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ttfb == 0 {
		h.ttfb = took
	}
	h.ttfb += (took - h.ttfb) / 4
}

// worth is how long it pays to wait for bytes that come anyway rather than to
// spend a request: with a limit, what one is worth by it; else twice what a
// request takes, but no less than what jitter makes of it.
func (h *Host) worth(limited time.Duration) time.Duration {
	if limited > 0 {
		return limited
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return max(2*h.ttfb, 250*time.Millisecond)
}

func (h *Host) join(a *Asset) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.assets[a] = struct{}{}
}

func (h *Host) leave(a *Asset) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.assets, a)
}
