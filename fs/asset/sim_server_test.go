package asset

import (
	"context"
	"io"
	"sync"
	"time"

	"assetfs/fs/ranges"
)

// simLimit is a limit of requests: n in each interval, as the client keeps it.
type simLimit struct {
	name     string
	n        int
	interval time.Duration // with the client's margin
	worth    time.Duration // of a request, 0: no limit
}

var simLimits = []simLimit{
	{"none", 0, 0, 0},
	{"1/s", 1, 1100 * time.Millisecond, time.Second},
	{"12/m", 12, 61 * time.Second, 5 * time.Second},
}

// next returns when a request may be sent, not before now, if others were at times.
func (l simLimit) next(times []time.Duration, now time.Duration) time.Duration {
	if l.n == 0 || len(times) < l.n {
		return now
	}
	return max(now, times[len(times)-l.n]+l.interval)
}

// simLink is how the server is reached.
type simLink struct {
	latency time.Duration // before the header
	speed   int64         // bytes a second of each stream
	ranged  bool
	limit   simLimit
	small   bool // sockets hold next to nothing
	unsized bool // no header tells the size
}

// worth is what a request is worth in time, as the planner is told.
func (l simLink) worth() time.Duration {
	if l.limit.n > 0 {
		return l.limit.worth
	}
	return max(2*l.latency, 250*time.Millisecond)
}

// simServer is a Source in virtual time that only counts bytes. A server writes until the sockets between
// are full, whether or not anybody reads; what was written has been received and is billed.
type simServer struct {
	simLink
	size  int64
	began time.Time

	mu       sync.Mutex // guards what follows
	times    []time.Duration
	requests []Request
	received ranges.Set
	bytes    int64
	open     int
	most     int // streams at once
}

// socketLeast is what arrives at once.
const socketLeast = 32 << 10

// socketFirst is what a socket holds that nobody reads: the first TCP window. socketYoung is what one
// holds at most until more was read of it than remote lets grow it for (see holdWindow there).
const (
	socketFirst = 128 << 10
	socketYoung = 256 << 10
)

// socket is what a socket holds of which n bytes have been read: the kernel makes its buffer as large as
// two round trips need, and remote lets it have a third of what was read.
func (l simLink) socket(n int64) int64 {
	if l.small {
		return socketLeast
	}
	most := int64(2 * l.latency.Seconds() * float64(l.speed))
	return max(socketFirst, min(n, most, 4<<20, max(socketYoung, n/3)))
}

func (s *simServer) Budget() Budget {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Since(s.began)
	b := Budget{Available: 1 << 20, Worth: s.limit.worth}
	if s.limit.n > 0 {
		used := 0
		for _, t := range s.times {
			if t+s.limit.interval > now {
				used++
			}
		}
		if b.Available = s.limit.n - used; b.Available <= 0 {
			b.Available, b.Next = 0, s.began.Add(s.limit.next(s.times, now))
		}
	}
	return b
}

func (s *simServer) Open(ctx context.Context, _ string, r Request) (*Response, error) {
	s.mu.Lock()
	now := time.Since(s.began)
	at := s.limit.next(s.times, now) // first come, first served
	s.times = append(s.times, at)
	s.requests = append(s.requests, r)
	if len(s.requests) > 20_000 {
		panic("requests without an end")
	}
	s.mu.Unlock()
	if err := sleep(ctx, at-now); err != nil {
		return nil, err
	}
	if err := sleep(ctx, s.latency); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open++
	s.most = max(s.most, s.open)
	resp := &Response{Info: Info{Name: "a.bin", Size: s.size, ETag: `"1"`}, Ranged: s.ranged, End: s.size}
	if s.ranged {
		resp.Start = r.Start
		if r.End > 0 {
			resp.End = min(r.End, s.size)
		}
	}
	if s.unsized {
		resp.Info.Size = -1
		if !s.ranged {
			resp.End = -1
		}
	}
	end := resp.End
	if end < 0 {
		end = s.size
	}
	resp.Body = &simBody{s: s, ctx: ctx, start: resp.Start, off: resp.Start, arrived: resp.Start, end: end, last: time.Now()}
	return resp, nil
}

// simBody is a response on its way. Only its stream uses it.
type simBody struct {
	s          *simServer
	ctx        context.Context
	start, off int64
	arrived    int64 // end of what the sockets have taken
	end        int64
	last       time.Time // when arrived was true
}

// advance lets bytes arrive up to now.
func (b *simBody) advance() {
	now := time.Now()
	most := min(b.end, b.off+b.s.socket(b.off-b.start))
	to := max(b.arrived, min(most, b.arrived+int64(float64(b.s.speed)*now.Sub(b.last).Seconds())))
	b.s.mu.Lock()
	b.s.bytes += to - b.arrived
	b.s.received.Add(ranges.Range{Start: b.arrived, End: to})
	b.s.mu.Unlock()
	b.arrived, b.last = to, now
}

func (b *simBody) Read(p []byte) (int, error) {
	b.advance()
	if b.off == b.end {
		return 0, io.EOF
	}
	if b.off == b.arrived {
		n := min(socketLeast, b.end-b.off, int64(len(p)))
		if err := sleep(b.ctx, time.Duration(float64(n)/float64(b.s.speed)*float64(time.Second))+1); err != nil {
			return 0, err
		}
		b.advance()
	}
	n := min(int64(len(p)), b.arrived-b.off)
	clear(p[:n]) // which another test may have filled: buffers are shared
	b.off += n
	return int(n), nil
}

func (b *simBody) Stop() int {
	b.advance()
	return int(b.arrived - b.off)
}

func (b *simBody) Close() error {
	b.advance()
	b.s.mu.Lock()
	b.s.open--
	b.s.mu.Unlock()
	return nil
}
