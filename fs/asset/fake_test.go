package asset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"
)

// period is prime, so that no misplacement by a power of two goes unseen.
const period = 65537

var pattern = func() (p [4][2 * period]byte) {
	for v := range p {
		r := rand.New(rand.NewPCG(uint64(v), 0))
		for i := range period {
			p[v][i] = byte(r.Uint32())
		}
		copy(p[v][period:], p[v][:period])
	}
	return p
}()

// fill makes p the bytes of a content version at an offset.
func fill(p []byte, version int, off int64) {
	for len(p) > 0 {
		n := copy(p, pattern[version%len(pattern)][off%period:][:period])
		p, off = p[n:], off+int64(n)
	}
}

// apiError is a server's answer that is not a file.
type apiError struct {
	status  int
	temp    bool
	tries   int // not 0: worth so many requests
	after   time.Duration
	crowded bool
}

func (e *apiError) Error() string { return fmt.Sprintf("status %d", e.status) }
func (e *apiError) Crowded() bool { return e.crowded }
func (e *apiError) Retry() (requests int, after time.Duration) {
	if e.temp {
		return -1, e.after
	}
	return e.tries, e.after
}

// fakeServer is a Source that behaves, in virtual time.
type fakeServer struct {
	mu       sync.Mutex // guards all
	size     int64
	version  int
	ranged   bool
	etag     bool
	noLength bool
	rate     int64         // bytes a second
	latency  time.Duration // before the header
	perMin   int           // 0: no limit

	cutAfter int64 // cut each response after so many bytes, 0: never
	stall    int64 // stall a response after so many bytes, 0: never
	narrow   int64 // answers but the first end so many bytes too early, and say so
	failures []error
	random   *rand.Rand // not nil: random faults

	// Habits. n counts requests from 0.
	validators func(n, version int) (etag, date string) // nil: as etag says
	plain      func(n int, r Request) bool              // answers without Range; nil: as ranged says
	unframed   bool                                     // with noLength: the end says nothing
	endAt      int64                                    // a body without length ends there
	single     bool                                     // refuses a download beside another
	alone      bool                                     // the same in the name of the rate limit, so that the client tries again each second
	queues     bool                                     // with alone: instead it waits for the other
	limits     int                                      // so many requests are refused by the rate limit
	most       int64                                    // parts have so many bytes at most; 0: any
	unsized    bool                                     // parts don't tell the size
	surplus    int64                                    // parts tell a size that is too large by so much
	shift      int64                                    // parts come from so far behind where they should, doubtfully
	doubtful   bool                                     // parts are doubtful
	oneByOne   bool                                     // while a request waits for its answer, no other may start
	unsent     bool                                     // requests are never sent: there is no connection

	queued  int // requests that wait for the limit
	waiting int // requests that wait for their answer

	requests []Request
	times    []time.Time
	billed   int64
	open     int
	again    int // times that the client has made a request again
}

func (f *fakeServer) Budget() Budget {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.budgetLocked()
}

const window = 61 * time.Second

func (f *fakeServer) budgetLocked() Budget {
	if f.oneByOne {
		return Budget{Available: 1 - f.waiting, Worth: time.Second}
	}
	if f.perMin == 0 {
		return Budget{Available: 1 << 20}
	}
	now := time.Now()
	n, first := 0, time.Time{}
	for _, t := range f.times {
		if now.Sub(t) < window {
			if n == 0 {
				first = t
			}
			n++
		}
	}
	b := Budget{Queued: f.queued, Available: f.perMin - n, Worth: time.Minute / time.Duration(f.perMin)}
	if b.Available <= 0 {
		b.Next = first.Add(window)
	}
	return b
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// await returns when the request is served.
func (f *fakeServer) await(ctx context.Context, sent func(bool)) error {
	for {
		f.mu.Lock()
		served := f.limits == 0 && (f.open == 0 || !f.alone)
		if f.limits > 0 {
			f.limits--
		}
		f.mu.Unlock()
		if served {
			return nil
		}
		if !f.queues {
			sent(false)
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		if !f.queues {
			sent(true)
			f.mu.Lock()
			f.again++
			f.mu.Unlock()
		}
	}
}

func (f *fakeServer) Open(ctx context.Context, _ string, r Request) (*Response, error) {
	for {
		f.mu.Lock()
		b := f.budgetLocked()
		if b.Available > 0 {
			break
		}
		if r.Background {
			f.mu.Unlock()
			return nil, ErrNoSlot
		}
		f.queued++
		f.mu.Unlock()
		err := sleep(ctx, time.Until(b.Next))
		f.mu.Lock()
		f.queued--
		f.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
	n := len(f.requests)
	sent := r.Sent
	r.Sent = nil // so that requests can be compared
	f.requests = append(f.requests, r)
	f.times = append(f.times, time.Now())
	var failure error
	if len(f.failures) > 0 {
		failure, f.failures = f.failures[0], f.failures[1:]
	} else if f.random != nil && f.random.IntN(20) == 0 {
		failure = errServer
	}
	if f.single && f.open > 0 {
		failure = &apiError{status: 503, temp: true, crowded: true}
	}
	f.waiting++
	f.mu.Unlock()
	if sent != nil && !f.unsent {
		sent(true)
	}
	err := sleep(ctx, f.latency)
	if err == nil && sent != nil && !f.unsent {
		err = f.await(ctx, sent)
	}
	f.mu.Lock()
	f.waiting--
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if failure != nil {
		return nil, failure
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	resp := &Response{Info: Info{Name: "a.bin", Size: f.size, Learnt: Learnt{Date: time.Now().Unix()}}, End: f.size}
	if f.etag {
		resp.Info.ETag = fmt.Sprintf(`"%d"`, f.version)
	}
	if f.validators != nil {
		resp.Info.ETag, resp.Info.LastModified = f.validators(n, f.version)
		resp.Info.ModTime, _ = time.Parse(time.RFC1123, resp.Info.LastModified) // zero if it is none
	}
	body := &fakeBody{f: f, ctx: ctx, version: f.version, end: f.size, cut: -1, stall: -1}
	// A range behind the end is asked for again without Range, by the client itself.
	ranged := f.ranged && !r.NoRange && r.Start < f.size && (f.plain == nil || !f.plain(n, r))
	if ranged {
		resp.Ranged, resp.Start = true, r.Start
		body.off = r.Start
		if r.End > 0 {
			body.end = min(r.End, f.size)
		}
		if len(f.requests) > 1 {
			body.end = min(body.end, f.size-f.narrow)
		}
		if f.most > 0 {
			body.end = min(body.end, r.Start+f.most)
		}
		resp.Info.Size += f.surplus
		if f.unsized {
			resp.Info.Size = -1
		}
		resp.End = body.end
	} else if f.noLength {
		resp.Info.Size, resp.End, resp.Unframed = -1, -1, f.unframed
		if f.endAt > 0 {
			body.end = f.endAt
		}
	}
	if f.shift > 0 && ranged && r.Start > 0 {
		resp.Doubtful, body.shift = true, f.shift
	}
	resp.Doubtful = resp.Doubtful || f.doubtful && ranged
	if f.cutAfter > 0 {
		body.cut = body.off + f.cutAfter
	}
	if f.stall > 0 {
		body.stall = body.off + f.stall
	}
	if f.random != nil {
		switch f.random.IntN(12) {
		case 0:
			body.cut = body.off + f.random.Int64N(f.size)
		case 1:
			body.stall = body.off + f.random.Int64N(f.size)
		}
	}
	f.open++
	resp.Body = body
	return resp, nil
}

type fakeBody struct {
	f        *fakeServer
	ctx      context.Context
	version  int
	off, end int64
	cut      int64 // -1 never
	stall    int64
	queued   int64 // in the socket
	shift    int64
	closed   bool
}

var (
	errCut    = &apiError{temp: true}
	errServer = &apiError{status: 500, temp: true}
)

func (b *fakeBody) Read(p []byte) (int, error) {
	if b.cut >= 0 && b.off >= b.cut {
		return 0, errCut
	}
	if b.stall >= 0 && b.off >= b.stall {
		<-b.ctx.Done()
		return 0, b.ctx.Err()
	}
	if b.off >= b.end {
		return 0, io.EOF
	}
	n := min(int64(len(p)), 64<<10, b.end-b.off)
	if b.queued > 0 {
		n = min(n, b.queued)
	}
	if b.cut >= 0 {
		n = min(n, b.cut-b.off)
	}
	if b.stall >= 0 {
		n = min(n, b.stall-b.off)
	}
	if err := sleep(b.ctx, time.Duration(n*int64(time.Second)/b.f.rate)); err != nil {
		return 0, b.ctx.Err()
	}
	fill(p[:n], b.version, b.off+b.shift)
	b.off += n
	if b.queued > 0 {
		b.queued -= n
	} else {
		b.queued = min(16<<10, b.end-b.off)
		for _, at := range []int64{b.cut, b.stall} {
			if at >= 0 {
				b.queued = max(0, min(b.queued, at-b.off))
			}
		}
	}
	b.f.mu.Lock()
	b.f.billed += n
	b.f.mu.Unlock()
	return int(n), nil
}

// Stop pretends that a few bytes come behind those that had to be waited for.
func (b *fakeBody) Stop() int { return int(b.queued) }

func (b *fakeBody) Close() error {
	if b.closed {
		return errors.New("closed twice")
	}
	b.closed = true
	b.f.mu.Lock()
	b.f.open--
	b.f.mu.Unlock()
	return nil
}

// byID is a source with servers of their own for some assets; one of them answers for the limits.
type byID map[string]*fakeServer

func (b byID) Open(ctx context.Context, id string, r Request) (*Response, error) {
	return b[id].Open(ctx, id, r)
}

func (b byID) Budget() Budget { return b["re_1"].Budget() }
