package remote

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// defaultTimeout is Options.ResponseTimeout when that is 0.
	defaultTimeout = 30 * time.Second
	// metadataAtOnce is how many metadata calls run at the same time: enough to
	// hide latency, few enough not to look like an attack.
	metadataAtOnce = 8
	userAgent      = "assetfs"
)

// Options configure a Client. The zero value works, except that a Client without a
// key makes no request.
type Options struct {
	Key             *Key          // nil: none
	RateLimit       RateLimit     // for downloads, and separately for metadata
	Library         *url.URL      // root of the API that lists videos, checked like base; only ListVideos needs it
	ListLimit       RateLimit     // for lists of videos
	Ledger          Ledger        // keeps the times of calls; nil: they are lost on exit
	Notes           Notes         // keeps what is learnt about the limits; nil: lost on exit
	MaxDownload     int64         // bytes of bodies; 0: no limit
	ResponseTimeout time.Duration // until the header has come, and for an error's body; 0: 30 s
	Log             *slog.Logger  // nil: discarded

	// Dial replaces the network and the proxy settings of the environment in tests;
	// nil uses both.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is the configuration for https; nil is the default one.
	TLS *tls.Config

	proxy func(*http.Request) (*url.URL, error) // the environment's, or a test's
}

// Client talks to one API. All methods may be called concurrently.
type Client struct {
	base      *url.URL
	o         Options
	downloads callKind
	metadata  callKind
	lists     callKind
	atOnce    chan struct{}  // holds one element for each running metadata call
	warming   sync.WaitGroup // loadRoots

	meters  meters       // of downloads
	call    metadataCall // whether the API has it
	ranging ranging      // servers that refuse Range
	framing atomic.Bool  // servers have ended bodies by the end of the connection alone
	page    atomic.Int32 // index of pageSizes: the largest page that the server is known to accept
	early   atomic.Pointer[early]
}

// callKind is what all calls of one kind share.
type callKind struct {
	*http.Transport
	limiter *limiter
	*verdict
}

// NewClient makes a client for the API at base, which CheckBaseURL has checked.
// It makes no request.
func NewClient(base *url.URL, o Options) *Client {
	if o.Key == nil {
		o.Key = NewKey("", "")
	}
	if o.ResponseTimeout <= 0 {
		o.ResponseTimeout = defaultTimeout
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	// Only the limit on downloads has a second documented form to learn.
	free := RateLimit{Rates: o.RateLimit.Rates}
	switch {
	case o.proxy != nil:
	case o.Dial != nil:
		o.proxy = http.ProxyURL(nil)
	default:
		o.proxy = http.ProxyFromEnvironment
	}
	o.proxy = checkProxy(o.proxy)
	c := &Client{
		base:      base,
		o:         o,
		downloads: callKind{downloadTransport(o), newLimiter(opDownload, o.RateLimit, o.Ledger, o.Notes, o.Log), new(verdict)},
		metadata:  callKind{metadataTransport(o), newLimiter(opMetadata, free, o.Ledger, o.Notes, o.Log), new(verdict)},
		lists:     callKind{metadataTransport(o), newLimiter(opList, RateLimit{Rates: o.ListLimit.Rates}, o.Ledger, o.Notes, o.Log), new(verdict)},
		atOnce:    make(chan struct{}, metadataAtOnce),
	}
	if base.Scheme == "https" && o.TLS == nil {
		c.warming.Go(loadRoots)
	}
	return c
}

// Budget returns when and how many downloads of class may start.
func (c *Client) Budget(class Class) Budget { return c.downloads.limiter.budget(class) }

// Turn is Budget for the download of an asset that somebody waits for, patiently or not.
func (c *Client) Turn(id string, patient bool) Budget { return c.downloads.limiter.turn(id, patient) }

// MetadataBudget returns when and how many metadata calls of class may start.
func (c *Client) MetadataBudget(class Class) Budget { return c.metadata.limiter.budget(class) }

// MetadataTurn is MetadataBudget for the metadata call of an asset that somebody waits for.
func (c *Client) MetadataTurn(id string) Budget { return c.metadata.limiter.turn(id, false) }

// ListBudget returns when and how many calls for lists may start.
func (c *Client) ListBudget() Budget { return c.lists.limiter.budget(Reader) }

// Stats are the totals of a client.
type Stats struct {
	Spent
	Left int // requests that may start now, -1 without a limit
}

// Stats returns the totals so far.
func (c *Client) Stats() Stats {
	s := Stats{Left: -1}
	for _, one := range c.Spent() {
		s.Requests += one.Requests
		s.Bytes += one.Bytes
	}
	if b := c.Budget(Reader); len(c.o.RateLimit.Rates) > 0 {
		s.Left = b.Available
	}
	return s
}

// ForgetFailures opens the gates, makes the key be read again, and checks again whether
// the API has a metadata call. Calls already running are not affected.
func (c *Client) ForgetFailures() {
	c.o.Key.forget()
	c.call.forget()
	c.ranging.forget()
	for _, k := range []callKind{c.downloads, c.metadata, c.lists} {
		k.forget()
		k.limiter.forgetFailures()
	}
}

// Close closes idle connections. Running requests end with their ctx.
func (c *Client) Close() {
	c.warming.Wait()
	for _, k := range []callKind{c.downloads, c.metadata, c.lists} {
		k.CloseIdleConnections()
	}
}

// finish returns a copy of err with op and id. err itself is not changed, since a gate
// may hold it.
func (c *Client) finish(op, id string, err *Error) error {
	e := *err
	e.Op, e.ID = op, id
	return &e
}
