package fakeapi

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"
)

// The kinds of requests, for Request.Op.
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
	Method, Path string // Path as requested, with the query
	Host         string // as requested, with the port

	Range, IfRange string // the headers; "" if absent

	// HasAuthorization and Authorization are that header. Tests use the value to look for
	// the key where it should not be.
	HasAuthorization bool
	Authorization    string

	Refused bool  // beyond a limit of Config, whatever the answer was
	Status  int   // of the response; 0: not answered yet
	Start   int64 // offset in the asset of the body's first byte
	Bytes   int64 // of an asset, written so far: billed
	Written int64 // of any body, including errors and pages
	// Acknowledged is how many of Bytes the client's kernel certainly had, if known: see
	// Watch. It may grow after the response has ended.
	Acknowledged int64
	Time         time.Time // when it arrived
	Done         bool      // the response has ended, in any way
}

// record is a request in the log. The server's mutex guards req. The counters are newer than
// the numbers in req.
type record struct {
	req            Request
	bytes, written atomic.Int64
	flushed        atomic.Bool  // the server's buffers are empty
	acknowledged   atomic.Int64 // lower bound
	socket         *socket      // nil if unknown
	sending        bool         // it counts in Server.sending
}

// maxHeld is an upper bound for the server's own write buffers.
const maxHeld = 16 << 10

// acknowledgedBytes returns how many of an asset's bytes the client's kernel has, at least.
// The send queue may also hold framing, or a later answer.
func (rec *record) acknowledgedBytes() int64 {
	n := rec.bytes.Load() // before the queue, so that bytes written in between don't count
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

// begin records a request.
func (s *Server) begin(r *http.Request, op, id string) *record {
	path := r.RequestURI
	if path == "" { // not from a real connection
		path = r.URL.RequestURI()
	}
	auth := r.Header.Values("Authorization")
	from := socketOf(r)
	rec := &record{req: Request{
		Op: op, ID: id, Method: r.Method, Path: path, Host: r.Host,
		Range: r.Header.Get("Range"), IfRange: r.Header.Get("If-Range"),
		HasAuthorization: len(auth) > 0, Time: from.arrived(),
	}, socket: from}
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

// answered records that the header was sent.
func (s *Server) answered(rec *record, status int, start int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.req.Status, rec.req.Start = status, start
	s.tellLocked()
}

// wrote records n bytes of a body; billed means that it is an asset's.
func (s *Server) wrote(rec *record, n int, billed bool) {
	rec.written.Add(int64(n))
	if billed {
		rec.bytes.Add(int64(n))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tellLocked()
}

// end records that a request has ended.
func (s *Server) end(rec *record) {
	rec.acknowledgedBytes() // before another answer may enter the queue
	s.mu.Lock()
	defer s.mu.Unlock()
	rec.req.Done = true
	s.running[rec.req.Op]--
	if rec.sending {
		s.sending--
	}
	s.tellLocked()
}

// tellLocked wakes those that wait for a change.
func (s *Server) tellLocked() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Requests returns all requests since the last ResetLog, in the order they arrived.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	all, records := s.requestsLocked(), slices.Clone(s.log)
	s.mu.Unlock()
	for i, rec := range records {
		all[i].Acknowledged = min(rec.acknowledgedBytes(), all[i].Bytes)
	}
	return all
}

// requestsLocked is Requests without Acknowledged, which needs system calls.
func (s *Server) requestsLocked() []Request {
	all := make([]Request, len(s.log))
	for i, rec := range s.log {
		all[i] = rec.req
		all[i].Bytes, all[i].Written = rec.bytes.Load(), rec.written.Load()
	}
	return all
}

// Downloads returns the requests that count for the limit: those of kind "download",
// including refused and redirected ones.
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

// Acknowledged returns how many bytes of assets the clients' kernels certainly had. What a
// client has counted lies between this and Billed.
func (s *Server) Acknowledged() int64 {
	var n int64
	for _, r := range s.Requests() {
		n += r.Acknowledged
	}
	return n
}

// Refused returns how many requests of one kind were beyond a limit of Config since the last
// ResetLog.
func (s *Server) Refused(op string) int {
	n := 0
	for _, r := range s.Requests() {
		if r.Op == op && r.Refused {
			n++
		}
	}
	return n
}

// Other returns how many requests of one kind the other client of the account has made since
// its limit was set.
func (s *Server) Other(op string) (accepted, refused int) {
	s.mu.Lock()
	account := s.account
	s.mu.Unlock()
	return account.other(op)
}

// Peak returns how many requests of one kind ran at the same time, at most, since the last
// ResetLog.
func (s *Server) Peak(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peak[op]
}

// ResetLog forgets all requests. Those still running go on, but neither they nor their bytes
// are seen again; call WaitIdle first if that matters.
func (s *Server) ResetLog() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
	clear(s.peak)
	s.tellLocked()
}

// Wait returns nil once ok returns true for the log, or ctx's error. ok is called after each
// change: a request, a header, a write, an end.
func (s *Server) Wait(ctx context.Context, ok func([]Request) bool) error {
	return s.wait(ctx, func() bool { return ok(s.requestsLocked()) })
}

// WaitIdle returns nil once no request is running, including those that ResetLog forgot, or
// ctx's error.
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

// wait returns nil once ok, called with the lock held, returns true.
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

// MostWithin returns the most requests that arrived within any span of length d. They must be
// in order of time.
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
