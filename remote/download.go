package remote

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
)

const opDownload = "download"

// Request is one download.
type Request struct {
	ID string
	// Bucket and Blob are the place of the asset. With a Blob it is downloaded from
	// there, else by its ID.
	Bucket, Blob string

	Class Class
	// Patient, if not nil, reports whether the reader waits for so much that others may go
	// before it, a few at a time. That may change, and must not block.
	Patient func() bool
	Start   int64
	End     int64  // exclusive; 0: to the end of the asset
	NoRange bool   // send no Range header, whatever Start and End are
	For     string // the program to charge it to
}

// Response is the answer to a Request. The receiver closes Body.
type Response struct {
	Info    Info
	Partial bool  // the server honoured Range (206); else it sends everything
	Start   int64 // offset of the body's first byte, as the server says; at most Request.Start
	End     int64 // exclusive; -1: unknown
	// Doubtful means that Start and End come from a broken field. Known bytes should
	// be compared before others are believed.
	Doubtful bool
	// Unframed means that only the end of the connection marks the end of the body,
	// which therefore proves nothing: the server may have failed.
	Unframed bool
	Body     *Body
}

// Download requests bytes of an asset. It waits for the rate limit and the gate, records
// the time, and sends; a request that the rate limit refuses waits again. A Background
// request never waits: it fails with ErrNoSlot. ctx bounds the waiting, the header and
// the body: a body lives until it is closed or ctx ends. Every error is an *Error. If ctx
// ends while the gate is closed, the error wraps both ctx's error and the reason for the
// closed gate.
func (c *Client) Download(ctx context.Context, r Request) (*Response, error) {
	resp, err := c.download(ctx, r)
	if err != nil {
		c.o.Log.Debug("download failed", "id", r.ID, "start", r.Start, "error", err)
		return nil, c.finish(opDownload, r.ID, err)
	}
	c.o.Log.Debug("download", "id", r.ID, "start", resp.Start, "end", resp.End, "partial", resp.Partial)
	return resp, nil
}

func (c *Client) download(ctx context.Context, r Request) (*Response, *Error) {
	u, err := callURL(c.base, r.ID, opDownload)
	if r.Blob != "" {
		u, err = placeURL(c.base, r.Bucket, r.Blob), nil
	}
	if err != nil {
		return nil, &Error{Err: err}
	}
	var ranged *Error // why the request goes without Range; nil: it has one
	if !r.NoRange {
		ranged = c.ranging.refusal(r.ID)
		r.NoRange = ranged != nil
	}
	for {
		resp, fail := withKey(ctx, c, c.downloads, r.Class, func(key string) (*Response, *Error) { return c.admitted(ctx, u, r, key) })
		if fail == nil {
			if ranged != nil {
				resp.complete(ranged.size)
			}
			c.ranging.answered(r, resp, ranged)
			c.call.downloaded(r.ID)
			return resp, nil
		}
		if !fail.plain || !c.ranging.refuse(r, fail) {
			if fail.Status == 0 || errors.Is(fail, ErrNoSlot) {
				c.ranging.owe(r.ID, ranged)
			}
			fail.asked = ranged != nil
			return nil, fail
		}
		// No valid range exists for an empty asset, some servers refuse all ranges, and a part
		// without a position is useless. The answer to a request without Range is useful in all
		// these cases.
		r.NoRange, ranged = true, fail
	}
}

// complete gives an answer of unknown length the size that the refusal of a range told; 0: none.
func (r *Response) complete(size int64) {
	if r.End < 0 && size > 0 && size <= maxSize {
		r.Info.Size, r.End = size, size
		r.Body.left.Store(size)
	}
}

// admitted sends r when the limiter allows it, and reports the result to the limiter.
func (c *Client) admitted(ctx context.Context, u *url.URL, r Request, key string) (*Response, *Error) {
	if _, spent := c.left(); spent != nil {
		return nil, spent
	}
	slot, err := c.downloads.limiter.acquire(ctx, r.Class, r.ID, r.Patient)
	if err != nil {
		return nil, err
	}
	if err := c.downloads.refuses(key, r.Class); err != nil { // since it began to wait
		slot.release()
		return nil, err
	}
	onConn := func(net.Conn) bool {
		first := !slot.written
		if !slot.write(ctx) {
			return false
		}
		if first {
			c.meters.of(r.For).requests.Add(1)
		}
		return true
	}
	resp, err := c.exchange(ctx, u, r, key, onConn)
	c.downloads.heard(key, r.ID, err)
	slot.done(r.ID, err, ctx.Err() != nil)
	return resp, err
}

// exchange sends one request and judges the answer.
func (c *Client) exchange(ctx context.Context, u *url.URL, r Request, key string, onConn func(net.Conn) bool) (*Response, *Error) {
	h := http.Header{
		"User-Agent": {userAgent},
		// Application firewalls take a client without it for a bot.
		"Accept": {"*/*"},
		// Otherwise a proxy might compress it.
		"Accept-Encoding": {"identity"},
	}
	if !r.NoRange {
		h.Set("Range", rangeField(r.Start, r.End))
	}
	life, cancel := context.WithCancelCause(ctx)
	body := &Body{c: c, id: r.ID, ctx: ctx, life: life, cancel: cancel, key: key}
	body.Charge(r.For)
	//nolint:bodyclose // Body.Close does it
	resp, away, err := c.follow(life, c.downloads, u, outgoing{header: h, close: !c.framing.Load()}, key, func(conn net.Conn) bool {
		body.conn = conn
		return onConn(conn)
	})
	if err != nil {
		fail := classify(ctx, life, err)
		fail.away = away
		cancel(nil)
		return nil, fail
	}
	body.rc, body.status, body.chunked = resp.Body, resp.StatusCode, len(resp.TransferEncoding) > 0
	// Judging may read the body, which the server may never send.
	stop := body.bound(c.o.ResponseTimeout)
	out, fail := judge(resp, r, body)
	stop()
	if fail != nil {
		fail.Msg, fail.away = hide(fail.Msg, key), away
		_ = body.Close() // fail is the error to report
		return nil, fail
	}
	if out.Unframed {
		// Jetty sends no chunks to who says that the connection ends, and only chunks show where a body
		// ends whose length it does not know. Tomcat ends one that is too short only if it was told so.
		c.framing.Store(true)
	}
	body.accept()
	return out, nil
}

func rangeField(start, end int64) string {
	f := "bytes=" + strconv.FormatInt(start, 10) + "-"
	if end > 0 {
		f += strconv.FormatInt(end-1, 10)
	}
	return f
}
