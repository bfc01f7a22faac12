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

// Metadata asks what the API knows about an asset. The call is free and has a rate limit of
// its own: a Reader waits for its turn, a Background call fails with ErrNoSlot. At most
// eight run at a time, and ctx bounds all waits. Size is -1 and ModTime zero if the answer
// does not give them; Type and validators are never set.
//
// Every error is an *Error. If it is NotFound, there is no such asset; if it is
// ErrUploading, there is none yet. Any other error says nothing about the asset, and its
// download may still work. ErrNoMetadata means that the API has no such call; for a while,
// or until ForgetFailures, it is then returned without a request.
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
	i, fail := withKey(ctx, c, c.metadata, class, func(key string) (Info, *Error) {
		if c.call.absent() {
			return Info{}, &Error{Err: ErrNoMetadata}
		}
		return c.sendMetadata(ctx, class, id, key, nil)
	})
	return i, c.call.judged(id, fail)
}

func (c *Client) sendMetadata(ctx context.Context, class Class, id, key string, seen func(*http.Response)) (Info, *Error) {
	u, err := callURL(c.base, id, opMetadata)
	if err != nil {
		return Info{}, &Error{Err: err}
	}
	slot, fail := c.metadata.limiter.acquire(ctx, class, id, nil)
	if fail != nil {
		return Info{}, fail
	}
	if fail := c.metadata.refuses(key, class); fail != nil { // since it began to wait
		slot.release()
		return Info{}, fail
	}
	select {
	case c.atOnce <- struct{}{}:
		defer func() { <-c.atOnce }()
	case <-ctx.Done():
		slot.release()
		return Info{}, waiting(ctx, nil)
	}
	h := http.Header{"User-Agent": {userAgent}, "Accept": {"application/json"}}
	b, fail := c.exchangeJSON(ctx, c.metadata, u, outgoing{header: h, seen: seen}, key, maxErrorBody, func(net.Conn) bool { return slot.write(ctx) })
	var i Info
	if fail == nil {
		i, fail = parseMetadata(b, id)
	}
	c.metadata.heard(key, id, fail)
	slot.done(id, fail, ctx.Err() != nil)
	return i, fail
}

// exchangeJSON makes one call whose answer is JSON of at most most bytes, and returns that
// answer if the call succeeded.
func (c *Client) exchangeJSON(ctx context.Context, kind callKind, u *url.URL, o outgoing, key string, most int, onConn func(net.Conn) bool) ([]byte, *Error) {
	life, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	//nolint:bodyclose // Body.Close does it
	resp, away, err := c.follow(life, kind, u, o, key, onConn)
	if err != nil {
		fail := classify(ctx, life, err)
		fail.away = away
		return nil, fail
	}
	if o.seen != nil {
		o.seen(resp)
	}
	body := &Body{c: c, ctx: ctx, life: life, cancel: cancel, rc: resp.Body}
	defer func() { _ = body.Close() }() // nothing more is read
	defer body.bound(c.o.ResponseTimeout)()
	b, fail := answerOf(resp, body, most)
	if fail != nil {
		fail.Msg, fail.away = hide(fail.Msg, key), away
	}
	return b, fail
}

const (
	// misses is how many answers in a row that are not the API's show that it has no
	// metadata call. A single one may come from a gateway that restarts.
	misses = 3
	// missesOfReal is misses for an asset that has been downloaded.
	missesOfReal = 2
	// absentFor is how long that is remembered.
	absentFor = 10 * time.Minute
)

// metadataCall remembers whether the API has the call.
type metadataCall struct {
	mu     sync.Mutex // guards the fields below
	until  time.Time  // the call is absent until then
	missed int        // 404s in a row that are not the API's
	exists sync.Map   // IDs of assets that have been downloaded
}

// absent reports whether the API lacks the call.
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

// downloaded records that the asset exists. A 404 on its metadata is then about the call.
func (m *metadataCall) downloaded(id string) { m.exists.LoadOrStore(id, struct{}{}) }

// judged learns from the answer on an asset; fail is nil for a good one. It returns fail,
// or a better error instead.
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
		// Even in the API's envelope this says nothing about the asset.
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

// lacksCall reports whether the server says that it does not have the call.
func (e *Error) lacksCall() bool {
	for _, n := range []int{e.Status, e.Number()} {
		if n == http.StatusNotImplemented || n == http.StatusMethodNotAllowed {
			return true
		}
	}
	return e.noRoute
}

// namesAsset reports whether the API says that the asset, not the call, does not exist:
// "Asset not found", but not "Not Found".
func (e *Error) namesAsset() bool {
	msg := strings.ToLower(strings.Trim(e.Msg, " .!"))
	return e.api && saysNotFound(msg) && msg != "not found"
}
