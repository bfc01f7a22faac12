package asset

import (
	"context"
	"io"
	"time"

	"assetfs/fs/ranges"
)

// Info is what responses say about an asset.
type Info struct {
	Name         string    // a safe file name, "" when the response gave none
	Size         int64     // bytes, -1 unknown
	Type         string    // media type, "" unknown
	ModTime      time.Time // zero unknown
	ETag         string    // as sent
	LastModified string    // as sent
	Header       bool      // by a download's header, not only by metadata

	Learnt
}

// clip returns r as far as the asset goes.
func (i *Info) clip(r ranges.Range) ranges.Range {
	if i.Size >= 0 {
		r.End = max(r.Start, min(r.End, i.Size))
	}
	return r
}

// maxSize is the size of the largest asset, in bytes. No file system holds more, and sums of smaller
// offsets can't overflow.
const maxSize = 1 << 60

// A Source is where bytes come from. Its errors may have these methods:
//
//   - Retry() (requests int, after time.Duration) says how many requests are worth making, counting
//     all: 0 none, -1 as many as RetryFor allows. It also says how long to wait at least before the
//     next. An error without this method is not tried again.
//   - Crowded() bool says that the server may have refused the request because another download of
//     ours is open.
type Source interface {
	// Open asks for bytes of an asset. It waits for the gate and the rate limits. ctx ends that wait,
	// and also the body.
	Open(ctx context.Context, id string, r Request) (*Response, error)
	// Budget says which requests may be made now.
	Budget() Budget
}

// Request is one download.
type Request struct {
	Start, End int64 // End is exclusive; 0 means to the end of the asset
	// Background means that nobody waits for it. It never queues: it takes a slot if one is free, and
	// otherwise fails at once with ErrNoSlot.
	Background bool
	// Program and PID are those of the program that waits for it, "" and 0 if none does.
	Program string
	PID     int
	// Patient, if not nil, reports whether all who wait for it wait for so much that others may go
	// before them. That may change.
	Patient func() bool
	// Sent, if not nil, is called with true when the request is sent, and with false if it must wait
	// for its turn again after that.
	Sent func(sent bool)
	// NoRange asks for the whole asset without a Range, because the server answers a Range with wrong
	// bytes.
	NoRange bool
}

// Response is the answer to a Request. The receiver must close Body.
type Response struct {
	Info     Info
	Ranged   bool  // the server honoured Range; else the body is everything
	Unframed bool  // nothing tells where the body ends, so its end proves nothing
	Doubtful bool  // where the bytes belong is not sure
	Start    int64 // of the body's first byte, never behind that asked for
	End      int64 // exclusive; -1 unknown, like Info.Size then
	Body     Body
}

// Body is a stream of bytes. A body that ends before Response.End returns an
// error other than io.EOF.
type Body interface {
	io.ReadCloser
	// Stop lets the server send no more than it has, as far as that is possible, and returns how many
	// bytes can be read without waiting. They have been sent, so they are paid for.
	Stop() int
}

// Budget is the state of the rate limits and of the gate, for a reader.
type Budget struct {
	Queued    int       // requests that wait for the limits
	Available int       // requests that may start now
	Next      time.Time // when one more may, if none may now
	Down      error     // why no request gets through at all, nil if one may
	Since     time.Time // when the request was sent that found out, if Down
	// Worth is how long the limits take to allow another request; 0: there is no limit.
	Worth time.Duration
}
