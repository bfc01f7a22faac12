package remote

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Verdict is what one free call shows about the path to the API and about the key.
type Verdict int

// Verdicts.
const (
	Accepted     Verdict = iota // the API answered and accepts the key
	KeyRefused                  // 401
	AccessDenied                // 403: the account, or this address
	NotTheAPI                   // something else than the API answered
	ProxyInWay                  // a proxy refuses, or a login page answered
	Untrusted                   // TLS failed
	Unreachable                 // nothing answered
	Silent                      // connected, but no answer came
	Busy                        // 429: the account is in use elsewhere
	Faulty                      // the API or its gateway has trouble
)

// Checkup is the result of one free call.
type Checkup struct {
	Verdict Verdict
	Err     error         // the answer, unless it was metadata
	Took    time.Duration // duration of the call
	Dated   bool          // the answer had a Date
	Ahead   time.Duration // how far the server's clock is ahead of ours, if Dated
	Expires time.Time     // of the server's certificate; zero without TLS
	Proxy   string        // host and port of the proxy in use; "": none
}

// Check makes one metadata call on an asset, which need not exist. It is free and
// not retried. Without a key it is made, too; KeyRefused is then the best result.
func (c *Client) Check(ctx context.Context, id string) Checkup {
	p, _, _ := c.check(ctx, id)
	return p
}

// early is a call made by CheckFirst. The first Metadata call on the same asset uses
// its answer.
type early struct {
	id   string
	sent chan struct{} // closed when it is written
	done chan struct{} // closed when the fields below are set
	info Info
	fail *Error
	at   time.Time // of the answer
}

// earlyFor is how long the answer of CheckFirst may be used.
const earlyFor = 10 * time.Second

// CheckFirst returns a function that does what Check does; the caller must call it.
// The first Metadata call on the same asset waits for it and uses its answer.
func (c *Client) CheckFirst(id string) func(ctx context.Context) Checkup {
	e := &early{id: id, sent: make(chan struct{}), done: make(chan struct{})}
	c.early.Store(e)
	return func(ctx context.Context) Checkup {
		defer close(e.done)
		p, info, fail := c.check(WithSent(ctx, e.tell()), id)
		e.info, e.at = info, time.Now()
		if fail != nil {
			own := *fail // Metadata may add to it
			e.fail = &own
		}
		return p
	}
}

// tell returns what is to be told whether the call was sent.
func (e *early) tell() func(sent bool) {
	once := sync.OnceFunc(func() { close(e.sent) })
	return func(sent bool) {
		if sent {
			once()
		}
	}
}

// known returns the answer of CheckFirst on the asset, once, if it is fresh and says
// something about the asset.
func (c *Client) known(ctx context.Context, id string) (info Info, fail *Error, told bool) {
	e := c.early.Load()
	if e == nil || e.id != id {
		return Info{}, nil, false
	}
	for sent, done := e.sent, false; !done; {
		select {
		case <-sent:
			sent = nil
			tellSent(ctx, true)
		case <-e.done:
			done = true
		case <-ctx.Done():
			return Info{}, nil, false
		}
	}
	told = c.early.CompareAndSwap(e, nil) && time.Since(e.at) < earlyFor && (e.fail == nil || e.fail.api && !e.fail.retryable() && !e.fail.unauthorized())
	return e.info, e.fail, told
}

func (c *Client) check(ctx context.Context, id string) (p Checkup, info Info, fail *Error) {
	key, _ := c.o.Key.get() // without a key the path to the API can still be checked
	start := time.Now()
	info, fail = c.sendMetadata(ctx, Reader, id, key, func(resp *http.Response) {
		p.heard(c, resp, start)
	})
	p.Took = time.Since(start)
	if fail != nil {
		p.Err, p.Verdict = c.finish(opMetadata, id, fail), fail.verdict()
	}
	return p, info, fail
}

// heard notes what the header of an answer shows.
func (p *Checkup) heard(c *Client, resp *http.Response, start time.Time) {
	if proxy := c.proxyOf(resp.Request); proxy != nil {
		p.Proxy = printable(proxy.Host)
	}
	if resp.TLS != nil {
		p.Expires = resp.TLS.PeerCertificates[0].NotAfter
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		p.Dated, p.Ahead = true, ahead(date, start, time.Now())
	}
}

// ahead returns how far another clock is ahead of ours, at least. That clock showed
// date, in whole seconds, at some time between start and end.
func ahead(date, start, end time.Time) time.Duration {
	switch {
	case date.After(end):
		return date.Sub(end)
	case date.Add(time.Second).Before(start):
		return date.Add(time.Second).Sub(start)
	}
	return 0
}

// verdict returns what an error of a metadata call shows about the path to the API.
func (e *Error) verdict() Verdict {
	n := e.Number()
	switch {
	case tlsRefusal(e.Err) != "":
		return Untrusted
	case errors.Is(e, ErrProxy), errors.Is(e, ErrUnreachable) && (e.Status != 0 || e.proxy), atProxy(e):
		return ProxyInWay
	case errors.Is(e, ErrUnreachable):
		return Unreachable
	case errors.Is(e, ErrStalled), errors.Is(e, context.DeadlineExceeded):
		return Silent
	case e.unauthorized():
		return KeyRefused
	case n == http.StatusForbidden, e.Status == http.StatusForbidden:
		return AccessDenied
	case n == http.StatusTooManyRequests, errors.Is(e, ErrExceeded):
		return Busy
	case e.foreign, errors.Is(e, ErrMalformed):
		return NotTheAPI
	case n >= http.StatusInternalServerError, e.Status == 0:
		return Faulty
	}
	return Accepted
}

// atProxy reports whether a connection to a proxy, or through it, failed. For one that net/http itself
// makes to a proxy for plain http, only Client.named knows.
func atProxy(err error) bool {
	var p *proxyError
	var op *net.OpError
	return errors.As(err, &p) || errors.As(err, &op) && strings.HasPrefix(op.Op, "socks")
}
