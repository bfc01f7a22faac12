package remote

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// dialer makes the connections of a transport. It does TLS and proxy tunnels itself,
// instead of net/http, so that headers can be filtered between TLS and HTTP, and so that
// the refusal of a proxy can be distinguished from an answer.
type dialer struct {
	dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	tls   *tls.Config
	proxy func(*http.Request) (*url.URL, error)
}

// viaTransport returns the proxy that net/http itself should use for a request: any
// proxy for plain http, and SOCKS proxies, which pass answers on unchanged.
func (d *dialer) viaTransport(r *http.Request) (*url.URL, error) {
	proxy, err := d.proxy(r)
	if proxy != nil && r.URL.Scheme == "https" && tunnels(proxy) {
		return nil, nil
	}
	return proxy, err
}

func tunnels(proxy *url.URL) bool { return proxy.Scheme == "http" || proxy.Scheme == "https" }

// dialTLS connects to a host and port, or to a proxy of that address, and does the TLS
// handshake.
func (d *dialer) dialTLS(ctx context.Context, network, addr string) (*tls.Conn, error) {
	conn, err := d.reach(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return handshake(ctx, conn, addr, d.tls)
}

// reach connects to addr, through a tunnel if a proxy is set for it.
func (d *dialer) reach(ctx context.Context, network, addr string) (net.Conn, error) {
	proxy, _ := d.proxy(&http.Request{URL: &url.URL{Scheme: "https", Host: addr}}) // viaTransport returns its error
	if proxy == nil || !tunnels(proxy) || proxyAddr(proxy) == addr {
		return d.dial(ctx, network, addr)
	}
	conn, err := d.dial(ctx, network, proxyAddr(proxy))
	if err == nil && proxy.Scheme == "https" {
		config := d.tls.Clone()
		config.ServerName, config.NextProtos = "", nil // these belong to the API
		conn, err = handshake(ctx, conn, proxyAddr(proxy), config)
	}
	if err != nil {
		return nil, &proxyError{proxy, &net.OpError{Op: "proxyconnect", Net: network, Err: err}}
	}
	if err := tunnel(ctx, conn, proxy, addr); err != nil {
		_ = conn.Close() // the refusal is the error to report
		return nil, err
	}
	return conn, nil
}

// proxyError is the failure of a connection to a proxy. It names the proxy, since most failures
// don't, or name an address alone.
type proxyError struct {
	proxy *url.URL
	err   error
}

func (e *proxyError) Error() string { return proxyName(e.proxy) + ": " + e.err.Error() }
func (e *proxyError) Unwrap() error { return e.err }

// handshake does the TLS handshake on conn with the host of addr. It closes conn on
// failure.
func handshake(ctx context.Context, conn net.Conn, addr string, config *tls.Config) (*tls.Conn, error) {
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(addr) // net/http gives both
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	t := tls.Client(conn, config)
	if err := t.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return t, nil
}

// tunnel asks the proxy on conn for a connection to addr.
func tunnel(ctx context.Context, conn net.Conn, proxy *url.URL, addr string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	// The end of ctx must end this exchange, and nothing that follows it.
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	//nolint:bodyclose // there is none, or it ends with the connection
	resp, err := connect(conn, proxy, addr)
	if !stop() {
		return &proxyError{proxy, context.Cause(ctx)}
	}
	if err != nil {
		return &proxyError{proxy, &net.OpError{Op: "proxyconnect", Net: "tcp", Err: err}}
	}
	return refusal(resp, proxy)
}

func connect(conn net.Conn, proxy *url.URL, addr string) (*http.Response, error) {
	r := &http.Request{
		Method: http.MethodConnect, URL: &url.URL{Host: addr},
		Header: http.Header{"User-Agent": {userAgent}},
	}
	if u := proxy.User; u != nil {
		password, _ := u.Password()
		r.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password)))
	}
	if err := r.Write(conn); err != nil {
		return nil, err
	}
	// The reader takes no byte behind the header: a TLS server waits to be spoken to.
	return http.ReadResponse(bufio.NewReader(io.LimitReader(&filterConn{Conn: conn}, maxHeader)), r)
}

// refusal returns the error in a proxy's answer to CONNECT, nil if there is a tunnel.
func refusal(resp *http.Response, proxy *url.URL) error {
	says := fmt.Sprintf("%s answers CONNECT with %s", proxyName(proxy), printable(resp.Status))
	switch s := resp.StatusCode; {
	case success(s): // (RFC 9110, 9.3.6)
		return nil
	case s == http.StatusProxyAuthRequired:
		return &Error{Err: &detailError{proxyName(proxy) + " wants a user and a password (407)", ErrProxy}}
	case s >= 500, s == http.StatusTooManyRequests, s == http.StatusRequestTimeout:
		return &Error{Err: &detailError{says, ErrUnreachable}, temporary: true, proxy: true}
	}
	return &Error{Err: &detailError{says, ErrProxy}, denied: resp.StatusCode == http.StatusForbidden}
}

// checkProxy returns proxy with another error, since that of the environment shows a password.
func checkProxy(proxy func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	return func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			return nil, &Error{Err: proxyVariable{}}
		}
		return u, nil
	}
}

// proxyVariable is an ErrProxy: the environment names no proxy that could be asked.
type proxyVariable struct{}

func (proxyVariable) Error() string {
	return "HTTPS_PROXY or HTTP_PROXY is not a URL (write % in a password as %25)"
}
func (proxyVariable) Is(target error) bool { return target == ErrProxy }

// proxyOf returns the proxy that r goes through, nil if none.
func (c *Client) proxyOf(r *http.Request) *url.URL {
	proxy, _ := c.o.proxy(r) // an error has ended the request before
	return proxy
}

func proxyName(proxy *url.URL) string {
	if proxy == nil {
		return "a proxy"
	}
	return "the proxy " + printable(proxy.Host)
}

// named returns err, the failure of r, with the name of the proxy that net/http sent r to.
func (c *Client) named(r *http.Request, err error) error {
	var p *proxyError
	proxy := c.proxyOf(r)
	if proxy == nil || errors.As(err, &p) || !atProxy(err) && (r.URL.Scheme == "https" || !tunnels(proxy)) {
		return err
	}
	return &proxyError{proxy, err}
}

func proxyAddr(proxy *url.URL) string {
	return net.JoinHostPort(proxy.Hostname(), port(proxy))
}
