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
	ID      string
	Class   Class
	Start   int64
	End     int64  // exclusive; 0 means to the end of the asset
	NoRange bool   // send no Range header, whatever Start and End are
	IfRange string // what Info.StrongValidator gave earlier; "" sends none
	// Sent, if not nil, is called when the request is about to be written.
	Sent func()
}

// Response is the answer to a Request. The receiver closes Body.
type Response struct {
	Info    Info
	Partial bool  // the server honoured Range (206)
	Ignored bool  // the server was asked for a range and sends everything (200)
	Start   int64 // offset of the body's first byte, as the server says; never behind Request.Start
	End     int64 // exclusive; -1 unknown
	Body    *Body
}

// Download asks for bytes of an asset. It waits for the retry gate, then for the
// request window, notes the time, and sends. ctx bounds the waiting and the
// header, and its end cancels the body too: a body lives until it is closed or
// ctx ends. Every error is an *Error. When ctx ends while the gate is closed,
// the error is both ctx's and what closed the gate.
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
	if err != nil {
		return nil, &Error{Err: err}
	}
	for refused := false; ; {
		if c.spent() {
			return nil, &Error{Err: ErrBudget}
		}
		key, err := c.o.Key.get()
		if err != nil {
			return nil, &Error{Err: err}
		}
		resp, fail := c.admitted(ctx, u, r, key)
		switch {
		case fail == nil:
			return resp, nil
		case fail.Number() == http.StatusUnauthorized && !refused && c.o.Key.changed(key):
			refused = true
		case fail.empty && !r.NoRange:
			// The asset exists, but an empty one has no range that could
			// be sent; its header comes with the plain answer.
			r.NoRange = true
		default:
			return nil, fail
		}
	}
}

// admitted sends r when gate and window let it, and tells both how it went.
func (c *Client) admitted(ctx context.Context, u *url.URL, r Request, key string) (*Response, *Error) {
	slot, p, err := c.admit(ctx, r.Class)
	if err != nil {
		return nil, err
	}
	sent := false
	onConn := func(net.Conn) {
		if sent { // a redirect: the same request as far as the API is concerned
			return
		}
		sent = true
		slot.Sent()
		c.requests.Add(1)
		if r.Sent != nil {
			r.Sent()
		}
	}
	resp, err := c.exchange(ctx, u, r, key, onConn)
	if !sent {
		slot.Release()
	}
	switch {
	case err == nil:
		p.answered()
	case err.Number() == http.StatusTooManyRequests, errors.Is(err, ErrUnreachable):
		failed := *err
		failed.Op, failed.ID = opDownload, r.ID
		p.failed(&failed)
		c.o.Log.Warn("downloads pause", "error", &failed)
	case ctx.Err() != nil:
		p.abandoned()
	case err.Status != 0:
		p.answered()
	default:
		p.unanswered()
	}
	return resp, err
}

// admit waits for the gate, then for the window. The gate is asked again when
// the window has let the request through, since that may take a minute; and
// only then is the time noted.
func (c *Client) admit(ctx context.Context, class Class) (*Slot, *pass, *Error) {
	for {
		if cause := c.gate.wait(ctx); cause != nil {
			return nil, nil, waiting(ctx, cause)
		}
		slot, err := c.window.acquire(ctx, class)
		if err != nil {
			cause, _, _ := c.gate.state()
			return nil, nil, waiting(ctx, cause)
		}
		p := c.gate.claim()
		if p == nil {
			slot.Release()
			continue
		}
		if err := slot.record(); err != nil {
			slot.Release()
			p.abandoned()
			return nil, nil, &Error{Err: err}
		}
		return slot, p, nil
	}
}

// exchange sends one request and judges the answer.
func (c *Client) exchange(ctx context.Context, u *url.URL, r Request, key string, onConn func(net.Conn)) (*Response, *Error) {
	h := http.Header{
		"User-Agent": {c.o.UserAgent},
		// Without this field a proxy might compress what has a length.
		"Accept-Encoding": {"identity"},
	}
	if !r.NoRange {
		h.Set("Range", rangeField(r.Start, r.End))
		if r.IfRange != "" {
			h.Set("If-Range", r.IfRange)
		}
	}
	life, cancel := context.WithCancelCause(ctx)
	body := &Body{c: c, id: r.ID, ctx: ctx, life: life, cancel: cancel, left: -1}
	//nolint:bodyclose // Body.Close does it
	resp, err := c.follow(life, c.downloads, u, h, key, func(conn net.Conn) {
		body.conn = conn
		onConn(conn)
	})
	if err != nil {
		fail := classify(ctx, life, err)
		cancel(nil)
		return nil, fail
	}
	body.rc = resp.Body
	// Judging may have to read the body; a server that sends none must not
	// hold it up for ever.
	stop := body.bound(c.o.ResponseTimeout)
	out, fail := judge(resp, r, body)
	stop()
	if fail != nil {
		fail.Msg = hide(fail.Msg, key)
		_ = body.Close() // the judgement is the error to tell
		return nil, fail
	}
	return out, nil
}

func rangeField(start, end int64) string {
	f := "bytes=" + strconv.FormatInt(start, 10) + "-"
	if end > 0 {
		f += strconv.FormatInt(end-1, 10)
	}
	return f
}
