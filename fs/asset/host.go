package asset

import (
	"sync"
	"time"
)

// Host is what the assets of a mount learn together of the server.
type Host struct {
	remember func(supported bool)

	mu      sync.Mutex // guards what follows
	ranging Ranging
	ttfb    time.Duration // time to the first byte, smoothed
}

// NewHost returns a Host that starts with what is known; remember, if not nil,
// is called when support of Range is proved or disproved.
func NewHost(known Ranging, remember func(supported bool)) *Host {
	return &Host{ranging: known, remember: remember}
}

// Ranging returns what is known of the server's support of Range.
func (h *Host) Ranging() Ranging {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ranging
}

func (h *Host) learn(r *Response, took time.Duration) {
	h.mu.Lock()
	if h.ttfb == 0 {
		h.ttfb = took
	}
	h.ttfb += (took - h.ttfb) / 4
	was := h.ranging
	switch {
	case r.Ranged:
		h.ranging = RangeYes
	case r.Ignored:
		h.ranging = RangeNo
	}
	now := h.ranging
	h.mu.Unlock()
	if now != was && h.remember != nil {
		h.remember(now == RangeYes)
	}
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
