package asset

import (
	"context"
	"io"
	"time"
)

// Info is what responses say of an asset.
type Info struct {
	Name         string    // a safe file name, "" when the response gave none
	Size         int64     // bytes, -1 unknown
	Type         string    // media type, "" unknown
	ModTime      time.Time // zero unknown
	ETag         string    // as sent
	LastModified string    // as sent
	Date         time.Time // of the first response with this content, zero unknown
	Header       bool      // by a download's header, not only by metadata

	Learnt
}

// maxSize is the size of the largest asset, in bytes. No file system holds more,
// and sums of offsets below it can't overflow.
const maxSize = 1 << 60

// A Source is where bytes come from. Its errors may have these methods:
//
//   - Retry() (requests int, after time.Duration) says how many requests in all
//     are worth making: 0 none, -1 as many as RetryFor allows; and how long to
//     wait for the next one at least. An error without it is not tried again.
//   - Crowded() bool says that the server may have refused the request because
//     another download of ours is open.
type Source interface {
	// Open asks for bytes of an asset. It waits for the retry gate and the
	// rate limits. ctx bounds the waiting and the life of the body.
	Open(ctx context.Context, id string, r Request) (*Response, error)
	// Budget tells of the requests that may be made now.
	Budget() Budget
}

// Request is one download.
type Request struct {
	Start, End int64 // End is exclusive; 0 means to the end of the asset
	// Background means that nobody waits for it. It never queues: it takes a
	// slot if one is free, else fails at once with ErrNoSlot.
	Background bool
	// Program and PID are those of who waits for it, "" and 0 if nobody does.
	Program string
	PID     int
	// Sent, if not nil, is called with true when the request is sent, and with false when
	// after that it has to wait for its turn again.
	Sent func(sent bool)
	// NoRange asks for the whole asset without a Range: what the server makes
	// of one can't be believed.
	NoRange bool
}

// Response is the answer to a Request. The receiver closes Body.
type Response struct {
	Info     Info
	Ranged   bool  // the server honoured Range; else the body is everything
	Unframed bool  // nothing tells where the body ends, so its end proves nothing
	Doubtful bool  // where the bytes belong is not sure
	Start    int64 // of the body's first byte, never behind that asked for
	End      int64 // exclusive, -1 unknown
	Body     Body
}

// Body is a stream of bytes. A body that ends before Response.End returns an
// error other than io.EOF.
type Body interface {
	io.ReadCloser
	// Buffered is how many bytes can be read without waiting: they have been
	// sent, so they are paid for.
	Buffered() int
}

// Budget is the state of rate limits and retry gate for a reader.
type Budget struct {
	Queued    int       // requests that wait for the limits
	Available int       // requests that may start now
	Next      time.Time // when one more may, if none may now
	Down      error     // why no request gets through at all, nil if one may
	Since     time.Time // when the request was sent that found out, if Down
	// Worth is what a request is worth by the limits: how long one takes to
	// come back. 0: there is no limit.
	Worth time.Duration
}
