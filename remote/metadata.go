package remote

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const opMetadata = "metadata"

// Metadata asks for what the API knows of an asset. The call is free and has a
// rate limit of its own: a Reader waits for its turn, Background fails with
// ErrNoSlot. At most eight run at a time, and ctx bounds all waits. Size is -1
// and ModTime zero where the answer does not tell; Type and validators are
// never told. An error that is NotFound means that there is no such asset,
// ErrUploading that there is none yet; any other says nothing of the asset, and
// its download may still tell. ErrNoMetadata means that the API has no such
// call, and is answered without a request for a while, or until ForgetFailures.
// Every error is an *Error.
func (c *Client) Metadata(ctx context.Context, class Class, id string) (Info, error) {
	i, err := c.askMetadata(ctx, class, id)
	if err != nil {
		return Info{Size: -1}, c.finish(opMetadata, id, err)
	}
	return i, nil
}

func (c *Client) askMetadata(ctx context.Context, class Class, id string) (Info, *Error) {
	if i, fail, told := c.known(ctx, id); told {
		return i, c.call.judged(id, fail)
	}
	for refused := false; ; {
		if c.call.absent() {
			return Info{}, &Error{Err: ErrNoMetadata}
		}
		key, err := c.o.Key.get()
		if err != nil {
			return Info{}, &Error{Err: err}
		}
		i, fail := c.sendMetadata(ctx, class, id, key, nil)
		switch {
		case fail == nil:
			return i, c.call.judged(id, nil)
		case fail.Number() == http.StatusTooManyRequests && ctx.Err() == nil:
			if class == Background {
				return Info{}, noSlot(fail)
			}
		case fail.unauthorized() && !refused && c.o.Key.changed(key):
			refused = true
		default:
			return Info{}, c.call.judged(id, fail)
		}
	}
}

func (c *Client) sendMetadata(ctx context.Context, class Class, id, key string, seen func(*http.Response)) (Info, *Error) {
	u, err := callURL(c.base, id, opMetadata)
	if err != nil {
		return Info{}, &Error{Err: err}
	}
	slot, fail := c.metadata.limiter.acquire(ctx, class)
	if fail != nil {
		return Info{}, fail
	}
	select {
	case c.atOnce <- struct{}{}:
		defer func() { <-c.atOnce }()
	case <-ctx.Done():
		slot.release()
		return Info{}, waiting(ctx, nil)
	}
	h := http.Header{"User-Agent": {c.o.UserAgent}, "Accept": {"application/json"}}
	b, fail := c.exchangeJSON(ctx, c.metadata, u, outgoing{header: h, seen: seen}, key, maxErrorBody, func(net.Conn) { slot.write(ctx) })
	var i Info
	if fail == nil {
		i, fail = parseMetadata(b, id)
	}
	if fail != nil {
		fail.Op, fail.ID = opMetadata, id
	}
	slot.done(id, fail, ctx.Err() != nil)
	return i, fail
}

// exchangeJSON sends one call that is answered in JSON, of at most most bytes, and
// returns the answer if it is a success.
func (c *Client) exchangeJSON(ctx context.Context, kind callKind, u *url.URL, o outgoing, key string, most int, onConn func(net.Conn)) ([]byte, *Error) {
	life, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	//nolint:bodyclose // Body.Close does it
	resp, err := c.follow(life, kind, u, o, key, onConn)
	if err != nil {
		return nil, classify(ctx, life, err)
	}
	if o.seen != nil {
		o.seen(resp)
	}
	body := &Body{c: c, ctx: ctx, life: life, cancel: cancel, rc: resp.Body}
	body.left.Store(-1)
	defer func() { _ = body.Close() }() // what was read is judged already
	defer body.bound(c.o.ResponseTimeout)()
	b, fail := answerOf(resp, body, most)
	if fail != nil {
		fail.Msg = hide(fail.Msg, key)
	}
	return b, fail
}

const (
	// misses is how many answers of somebody else, in a row, show that the API
	// has no metadata call. One shows a gateway that restarts.
	misses = 3
	// missesOfReal is how many do if the asset has been downloaded.
	missesOfReal = 2
	// absentFor is how long that is believed.
	absentFor = 10 * time.Minute
)

// metadataCall is what is known of the call as such.
type metadataCall struct {
	mu     sync.Mutex // guards what follows
	until  time.Time  // not there before
	missed int        // 404s in a row that are not the API's
	exists sync.Map   // IDs of assets that have been downloaded
}

// absent tells that there is no such call.
func (m *metadataCall) absent() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Now().Before(m.until)
}

func (m *metadataCall) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.until, m.missed = time.Time{}, 0
}

// downloaded tells that the asset exists, so that a 404 for it is not about it.
func (m *metadataCall) downloaded(id string) { m.exists.LoadOrStore(id, struct{}{}) }

// judged learns from the answer on an asset, which fail is, or nil for a good
// one. It returns fail, or an error in its place that tells more.
func (m *metadataCall) judged(id string, fail *Error) *Error {
	enough := misses
	if _, exists := m.exists.Load(id); exists {
		enough = missesOfReal
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case fail == nil:
		m.missed = 0
		return nil
	case fail.lacksCall():
	case fail.Status == http.StatusNotFound && !fail.namesAsset():
		// Not the word of the API on this asset, whatever envelope it is in.
		fail.foreign = true
		if m.missed++; m.missed < enough {
			return fail
		}
	default:
		if fail.api {
			m.missed = 0
		}
		return fail
	}
	m.until = time.Now().Add(absentFor)
	return &Error{Status: fail.Status, Err: ErrNoMetadata}
}

// lacksCall tells that the server says that it has no such call.
func (e *Error) lacksCall() bool {
	for _, n := range []int{e.Status, e.Number()} {
		if n == http.StatusNotImplemented || n == http.StatusMethodNotAllowed {
			return true
		}
	}
	return e.noRoute
}

// namesAsset tells that the API says of an asset, and not of a call, that there
// is none: "Asset not found", but not "Not Found".
func (e *Error) namesAsset() bool {
	msg := strings.ToLower(strings.Trim(e.Msg, " .!"))
	return e.api && saysNotFound(msg) && msg != "not found"
}
