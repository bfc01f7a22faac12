package remote

import (
	"math"
	"sync"
	"sync/atomic"
)

// Spent is what downloads have cost.
type Spent struct {
	Requests int64 // written to the network; redirects don't count
	Bytes    int64 // of bodies, as far as they have reached this machine
}

// meter counts what one program has caused.
type meter struct{ requests, bytes atomic.Int64 }

// meters count the requests and bytes of downloads, in total and by program. The zero value
// is ready to use.
type meters struct {
	bytes   atomic.Int64 // in total, for the budgets
	allowed atomic.Int64 // bytes may reach this less one (Client.Allow); 0: no limit

	mu   sync.Mutex // guards the fields below
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

// count adds n bytes to b.
func (m *meters) count(b *Body, n int64) {
	m.bytes.Add(n)
	if c := b.meter.Load(); c != nil {
		c.bytes.Add(n)
	}
}

// opened records an open body of an asset. What the kernel holds of it counts, too.
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
	delete(m.open, b) // first, so that nothing counts twice
	m.mu.Unlock()
	m.count(b, b.received())
}

// spent returns what each program has caused, including what the kernel holds of open
// bodies.
func (m *meters) spent() map[string]Spent {
	m.mu.Lock()
	defer m.mu.Unlock()
	sum := map[string]Spent{}
	names := map[*meter]string{}
	for program, c := range m.by {
		sum[program] = Spent{c.requests.Load(), c.bytes.Load()}
		names[c] = program
	}
	// After the counters, so that bytes read in between don't count twice.
	for b := range m.open {
		program := names[b.meter.Load()]
		s := sum[program]
		s.Bytes += b.received()
		sum[program] = s
	}
	return sum
}

// Spent returns what the downloads of each program have cost, by the names in Request.For
// and Body.Charge. For what the kernel holds of open bodies it uses a lower bound.
func (c *Client) Spent() map[string]Spent { return c.meters.spent() }

// Allow lets at most n more bytes be downloaded, in addition to the limit of
// Options.MaxDownload. A negative n means no limit. Beyond it downloads fail with ErrBudget.
func (c *Client) Allow(n int64) {
	most := int64(0)
	if n >= 0 {
		most = min(n, math.MaxInt64/2) + c.meters.bytes.Load() + 1
	}
	c.meters.allowed.Store(most)
}

// left returns how many more bytes may be downloaded, or an error if none may.
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
