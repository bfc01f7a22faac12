package fakeapi

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// The kinds of requests, Request.Op.
const (
	opDownload = "download"
	opMetadata = "metadata"
	opStorage  = "storage"
	opList     = "list"
	opOther    = "other"
)

// Request is one request as the server saw it.
type Request struct {
	Op, ID       string // Op is "download", "metadata", "list" (ID is the scope), "storage" (after a redirect) or "other"
	Method, Path string // Path as asked for, with the query
	Host         string // as asked for, with the port

	Range, IfRange string // these headers, "" when absent

	// HasAuthorization and Authorization are that header. The value is there
	// for tests that look for the key where it should not be.
	HasAuthorization bool
	Authorization    string

	Refused bool  // beyond a limit of Config, whatever the answer was
	Status  int   // of the response, 0 before there is one
	Start   int64 // offset in the asset of the body's first byte
	Bytes   int64 // of an asset, written so far: what is billed
	Written int64 // of any body, errors and pages included
	// Acknowledged is how many of Bytes the client's kernel had for certain, as
	// far as this is known: see Watch. It may grow after the response has ended.
	Acknowledged int64
	Time         time.Time // when it came
	Done         bool      // the response has ended, one way or another
}

// record is a request in the log. The server's mutex guards req; the counters
// are ahead of it.
type record struct {
	req            Request
	bytes, written atomic.Int64
	flushed        atomic.Bool  // the server holds no byte back any more
	acknowledged   atomic.Int64 // at least
	socket         *socket      // nil if not known
	sending        bool         // it has a place of Server.room
}

// maxHeld is more than the server's buffers hold back of what was written.
const maxHeld = 16 << 10

// acknowledgedBytes is at least how many of an asset's bytes the client's kernel
// has. What is in the queue may be framing, or of a later answer.
func (rec *record) acknowledgedBytes() int64 {
	n := rec.bytes.Load() // before the queue: what comes in between must not count
	if rec.socket == nil || rec.acknowledged.Load() == n {
		return rec.acknowledged.Load()
	}
	if !rec.flushed.Load() {
		n -= maxHeld
	}
	if queue, known := rec.socket.unacknowledged(); known {
		n -= int64(queue)
		for old := rec.acknowledged.Load(); n > old && !rec.acknowledged.CompareAndSwap(old, n); {
			old = rec.acknowledged.Load()
		}
	}
	return rec.acknowledged.Load()
}

// begin notes a request.
func (s *Server) begin(r *http.Request, op, id string) *record {
	path := r.RequestURI
	if path == "" { // not from a real connection
		path = r.URL.RequestURI()
	}
	auth := r.Header.Values("Authorization")
	rec := &record{req: Request{
		Op: op, ID: id, Method: r.Method, Path: path, Host: r.Host,
		Range: r.Header.Get("Range"), IfRange: r.Header.Get("If-Range"),
		HasAuthorization: len(auth) > 0, Time: time.Now(),
	}, socket: socketOf(r)}
	if len(auth) > 0 {
		rec.req.Authorization = auth[0]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = append(s.log, rec)
	s.running[op]++
	s.peak[op] = max(s.peak[op], s.running[op])
	s.tellLocked()
	return rec
}

// answered notes that the header went out.
func (s *Server) answered(rec *record, status int, start int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.req.Status, rec.req.Start = status, start
	s.tellLocked()
}

// wrote notes n bytes of a body, of an asset if billed.
func (s *Server) wrote(rec *record, n int, billed bool) {
	rec.written.Add(int64(n))
	if billed {
		rec.bytes.Add(int64(n))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tellLocked()
}

// end notes that a request is done with.
func (s *Server) end(rec *record) {
	rec.acknowledgedBytes() // before another answer may come into the queue
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.req.Done = true
	s.running[rec.req.Op]--
	if rec.sending {
		s.sending--
	}
	s.tellLocked()
}

// tellLocked wakes those who wait for a change.
func (s *Server) tellLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Requests returns all requests since the last ResetLog in the order they came.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	all, records := s.requestsLocked(), slices.Clone(s.log)
	s.mu.Unlock()
	for i, rec := range records {
		all[i].Acknowledged = min(rec.acknowledgedBytes(), all[i].Bytes)
	}
	return all
}

// requestsLocked returns them without what the kernel would have to be asked for.

func (s *Server) requestsLocked() []Request {
	all := make([]Request, len(s.log))
	for i, rec := range s.log {
		all[i] = rec.req
		all[i].Bytes, all[i].Written = rec.bytes.Load(), rec.written.Load()
	}
	return all
}

// Downloads returns the requests that count against the limit: those of kind
// "download", also where they were refused or redirected.
func (s *Server) Downloads() []Request {
	var downloads []Request
	for _, r := range s.Requests() {
		if r.Op == opDownload {
			downloads = append(downloads, r)
		}
	}
	return downloads
}

// Billed returns the bytes of assets written since the last ResetLog.
func (s *Server) Billed() int64 {
	var n int64
	for _, r := range s.Requests() {
		n += r.Bytes
	}
	return n
}

// Acknowledged returns how many of the bytes of assets clients' kernels had for
// certain: what a client can have counted is between this and Billed.
func (s *Server) Acknowledged() int64 {
	var n int64
	for _, r := range s.Requests() {
		n += r.Acknowledged
	}
	return n
}

// Refused returns how many requests of one kind were beyond a limit of Config since
// the last ResetLog.
func (s *Server) Refused(op string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Op == op && r.Refused {
			n++
		}
	}
	return n
}

// Other returns how many requests of one kind the other client of the account has
// made by now, since its limit was set.
func (s *Server) Other(op string) (accepted, refused int) {
	s.mu.Lock()
	account := s.account
	s.mu.Unlock()
	return account.other(op)
}

// Peak returns the most requests of one kind that ran at a time since the last
// ResetLog.
func (s *Server) Peak(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak[op]
}

// ResetLog forgets all requests. One that still runs goes on, but neither it nor
// its bytes are seen again; WaitIdle comes first where that matters.
func (s *Server) ResetLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
	clear(s.peak)
	s.tellLocked()
}

// Wait returns once ok is true of the log, or with ctx's error. It looks after
// each change: a request, a header, a write, an end.
func (s *Server) Wait(ctx context.Context, ok func([]Request) bool) error {
	return s.wait(ctx, func() bool { return ok(s.requestsLocked()) })
}

// WaitIdle returns once no request is running, also of those that ResetLog
// forgot, or with ctx's error.
func (s *Server) WaitIdle(ctx context.Context) error {
	return s.wait(ctx, func() bool {
		for _, n := range s.running {
			if n > 0 {
				return false
			}
		}
		return true
	})
}

// wait returns once ok, called with the lock held, is true.
func (s *Server) wait(ctx context.Context, ok func() bool) error {
	for {
		s.mu.Lock()
		if ok() {
			s.mu.Unlock()
			return nil
		}
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// MostWithin returns how many of the requests, in the order of their times, came
// within any span of length d.
func MostWithin(requests []Request, d time.Duration) int {
	most, first := 0, 0
	for i, r := range requests {
		for r.Time.Sub(requests[first].Time) >= d {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
