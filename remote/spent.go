package remote

import (
	"math"
	"sync"
	"sync/atomic"
)

// Spent is what downloads have taken.
type Spent struct {
	Requests int64 // that reached the wire, redirects not counted
	Bytes    int64 // of bodies, as far as they have come to this machine
}

// meter counts what one program has caused.
type meter struct{ requests, bytes atomic.Int64 }

// meters count what downloads take, in all and for whom. The zero value is ready.
type meters struct {
	bytes   atomic.Int64 // in all; the budgets look at it
	allowed atomic.Int64 // one more than bytes may become, by Client.Allow; 0: no limit

	mu   sync.Mutex // guards what follows
	by   map[string]*meter
	open map[*Body]struct{} // bodies of assets
}

// of returns the meter of a program.
func (m *meters) of(program string) *meter {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.by == nil {
		m.by = map[string]*meter{}
	}
	if m.by[program] == nil {
		m.by[program] = new(meter)
	}
	return m.by[program]
}

// count adds n bytes of b.
func (m *meters) count(b *Body, n int64) {
	m.bytes.Add(n)
	if c := b.meter.Load(); c != nil {
		c.bytes.Add(n)
	}
}

// opened notes a body of an asset, and closed its end. What the kernel still
// holds of it then counts, too.
func (m *meters) opened(b *Body) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.open == nil {
		m.open = map[*Body]struct{}{}
	}
	m.open[b] = struct{}{}
}

func (m *meters) closed(b *Body) {
	m.mu.Lock()
	delete(m.open, b) // first: nothing may count twice
	m.mu.Unlock()
	m.count(b, b.received())
}

// spent returns what each program has caused. A body that is open counts with what
// the kernel holds of it.
func (m *meters) spent() map[string]Spent {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := map[string]Spent{}
	names := map[*meter]string{}
	for program, c := range m.by {
		sum[program] = Spent{c.requests.Load(), c.bytes.Load()}
		names[c] = program
	}
	// After the counters: what is read in between must not count twice.
	for b := range m.open {
		program := names[b.meter.Load()]
		s := sum[program]
		s.Bytes += b.received()
		sum[program] = s
	}
	return sum
}

// Spent returns what each program has caused by its downloads, as Request.For and
// Body.Charge name them. What the kernel holds of open bodies is estimated from below.
func (c *Client) Spent() map[string]Spent { return c.meters.spent() }

// Allow lets at most n more bytes be downloaded, beside Options.MaxDownload; a
// negative n is no limit. Beyond it downloads fail with ErrBudget.
func (c *Client) Allow(n int64) {
	most := int64(0)
	if n >= 0 {
		most = min(n, math.MaxInt64/2) + c.meters.bytes.Load() + 1
	}
	c.meters.allowed.Store(most)
}

// left is how many more bytes may be downloaded, and the error if none may.
func (c *Client) left() (int64, *Error) {
	bytes, left := c.meters.bytes.Load(), int64(math.MaxInt64)
	if most := c.meters.allowed.Load(); most > 0 {
		if left = most - 1 - bytes; left <= 0 {
			return 0, &Error{Err: &detailError{"--max-per-month is reached", ErrBudget}}
		}
	}
	if most := c.o.MaxDownload; most > 0 {
		if left = min(left, most-bytes); left <= 0 {
			return 0, &Error{Err: &detailError{"--max-download is reached", ErrBudget}}
		}
	}
	return left, nil
}
