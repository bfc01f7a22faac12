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
	// metadataAtOnce is how many metadata calls run at a time: enough to hide
	// latency, few enough not to be taken for an attack.
	metadataAtOnce = 8
)

// Options are what a Client may be told. The zero value is usable but for the
// key: a client without one makes no request.
type Options struct {
	Key             *Key          // nil: none
	Window          *Window       // nil: no limit, and no times noted
	MaxDownload     int64         // bytes of bodies; 0: no limit
	ResponseTimeout time.Duration // from request to header, and for an error's body; 0: 30 s
	UserAgent       string        // "": assetfs
	Log             *slog.Logger  // nil: discarded

	// Dial replaces the network in tests, together with the proxy settings of
	// the environment; nil uses both.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is the configuration for https; nil is the default one.
	TLS *tls.Config
}

// Client talks to one API. All methods may be called concurrently.
type Client struct {
	base      *url.URL
	o         Options
	window    *Window
	gate      *gate
	downloads http.RoundTripper
	metadata  http.RoundTripper
	slots     chan struct{}  // one element a metadata call under way
	warming   sync.WaitGroup // ends by itself, soon

	requests   atomic.Int64
	bytes      atomic.Int64
	noMetadata atomic.Bool // the API has shown that it has no such call
}

// NewClient makes a client for the API at base, which CheckBaseURL has checked.
// It makes no request.
func NewClient(base *url.URL, o Options) *Client {
	if o.ResponseTimeout <= 0 {
		o.ResponseTimeout = defaultTimeout
	}
	if o.UserAgent == "" {
		o.UserAgent = "assetfs"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		base:      base,
		o:         o,
		window:    o.Window,
		gate:      newGate(),
		downloads: downloadTransport(o),
		metadata:  metadataTransport(o),
		slots:     make(chan struct{}, metadataAtOnce),
	}
	if c.window == nil {
		c.window = NewWindow(0, nil, nil)
	}
	if base.Scheme == "https" && o.TLS == nil {
		c.warming.Go(loadRoots)
	}
	return c
}

// Budget is what stands before a download right now.
type Budget struct {
	Available int       // requests that may start now by the window
	Next      time.Time // when one more may, if Available is 0
	Down      error     // why requests wait at the gate, nil when one may go through
	Since     time.Time // when the request was sent that closed the gate, if Down
	Until     time.Time // when the gate lets the next probe through, if Down; past while one is under way
}

// Budget tells what stands before a download of class. Unlimited windows have
// math.MaxInt requests available.
func (c *Client) Budget(class Class) Budget {
	var b Budget
	b.Available, b.Next = c.window.Available(class)
	if cause, since, until := c.gate.state(); cause != nil {
		b.Down, b.Since, b.Until = cause, since, until
	}
	return b
}

// Stats are the totals of a client.
type Stats struct {
	Requests int64 // downloads that reached the wire, redirects not counted
	Bytes    int64 // of bodies read
	Left     int   // requests that may start now, -1 without a limit
	Limit    int   // requests a window, 0 without a limit
}

// Stats returns the totals so far.
func (c *Client) Stats() Stats {
	s := Stats{Requests: c.requests.Load(), Bytes: c.bytes.Load(), Left: -1, Limit: c.window.limit}
	if s.Limit > 0 {
		s.Left, _ = c.window.Available(Reader)
	}
	return s
}

// ForgetFailures opens the gate, has the key read again, and asks again whether
// the API has a metadata call. It changes nothing that is under way.
func (c *Client) ForgetFailures() {
	c.o.Key.forget()
	c.noMetadata.Store(false)
	c.gate.open()
}

// Close closes idle connections. Requests under way end by their ctx.
func (c *Client) Close() {
	c.warming.Wait()
	for _, t := range []http.RoundTripper{c.downloads, c.metadata} {
		if t, ok := t.(*http.Transport); ok {
			t.CloseIdleConnections()
		}
	}
}

// finish completes err as the error of one call.
func (c *Client) finish(op, id string, err *Error) error {
	err.Op, err.ID = op, id
	return err
}
