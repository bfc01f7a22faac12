package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"
)

const (
	// connectTimeout bounds connecting. It is no longer than a LOOKUP waits by default
	// (--list-wait), and longer than the 3 s that two lost SYNs in a row take.
	connectTimeout = 5 * time.Second
	// answerTimeout bounds a TLS handshake and the answer to a ping.
	answerTimeout = 10 * time.Second
	// idleTimeout is how long a connection for metadata is kept. That is longer than the documented rate
	// limit lets one call wait for the next, but a server with few workers has one less for that time.
	idleTimeout = 3 * time.Second
	// maxHeader bounds a response's header, in bytes.
	maxHeader = 64 << 10
)

// downloadTransport makes a new connection for each request: net/http would silently replace
// a kept connection that has died, and send its GET a second time, uncounted. HTTP/1.1 gives
// each stream its own TCP window, which pausing needs.
func downloadTransport(o Options) *http.Transport {
	t := transport(o, "http/1.1")
	t.MaxIdleConnsPerHost = -1 // none; DisableKeepAlives would tell the server, see Client.framing
	return t
}

// metadataTransport keeps connections, because its calls are short, many, and free.
func metadataTransport(o Options) *http.Transport {
	t := transport(o, "h2", "http/1.1")
	t.ForceAttemptHTTP2 = true
	t.MaxIdleConnsPerHost = metadataAtOnce
	t.IdleConnTimeout = idleTimeout
	// Without pings HTTP/2 would keep using a connection that died silently (sleep, another
	// network) until the kernel gives up after a quarter of an hour.
	t.HTTP2 = &http.HTTP2Config{SendPingTimeout: answerTimeout, PingTimeout: answerTimeout}
	return t
}

func transport(o Options, protocols ...string) *http.Transport {
	d := newDialer(o, protocols...)
	return &http.Transport{
		Proxy: d.viaTransport,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := d.dial(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			// A SOCKS proxy might never answer, nor the TLS behind it.
			_ = conn.SetDeadline(time.Now().Add(2 * answerTimeout)) // until Client.follow gets it
			return &filterConn{Conn: conn}, nil
		},
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := d.dialTLS(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			if speaksHTTP2(conn) {
				return conn, nil // must be a *tls.Conn: net/http reads the protocol from it
			}
			return &filterConn{Conn: conn}, nil
		},
		TLSClientConfig:        d.tls,
		ResponseHeaderTimeout:  o.ResponseTimeout,
		MaxResponseHeaderBytes: maxHeader,
	}
}

func speaksHTTP2(conn net.Conn) bool {
	t, ok := conn.(*tls.Conn)
	return ok && t.ConnectionState().NegotiatedProtocol == "h2"
}

func newDialer(o Options, protocols ...string) *dialer {
	d := &dialer{dial: o.Dial, proxy: o.proxy, tls: new(tls.Config)}
	if d.dial == nil {
		d.dial = (&net.Dialer{Timeout: connectTimeout}).DialContext
	}
	if o.TLS != nil {
		d.tls = o.TLS.Clone()
	}
	d.tls.NextProtos = protocols
	// Each download connects anew. A session ticket saves TLS 1.2 a round trip, and every
	// version the certificates and their verification (RFC 8446, 2.2).
	d.tls.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	return d
}

// loadRoots reads the certificates that this machine trusts, so that the first handshake
// does not have to, which would take its reader some 10 ms.
func loadRoots() {
	_, _ = x509.SystemCertPool() // the handshake reports errors
}

// classify turns a failure of the transport into an *Error. ctx is the caller's; life is
// that of the exchange, and its cause shows a stall.
func classify(ctx, life context.Context, err error) *Error {
	var e *Error
	var op *net.OpError
	var timeout net.Error
	var number syscall.Errno
	switch {
	case errors.As(err, &e):
		own := *e
		return &own
	case ctx.Err() != nil:
		return waiting(ctx, nil)
	case errors.Is(context.Cause(life), ErrStalled):
		return &Error{Err: ErrStalled, temporary: true}
	case life.Err() != nil:
		return &Error{Err: errClosed}
	case errors.Is(err, errCut):
		return &Error{Err: err, temporary: true}
	case tlsRefusal(err) != "":
		return &Error{Err: &detailError{strings.ReplaceAll(tlsRefusal(err), theServer, peer(err)), err}}
	case ownShortage(err):
		return &Error{Err: &causeError{errDescriptors, err}, temporary: true}
	case unreachable(err):
		return &Error{Err: &causeError{ErrUnreachable, err}, temporary: true}
	case errors.As(err, &timeout) && timeout.Timeout():
		return &Error{Err: &causeError{ErrStalled, err}, temporary: true}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Err: &detailError{peer(err) + " closed the connection early", io.ErrUnexpectedEOF}, temporary: true}
	case errors.As(err, &op), errors.As(err, &number), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe), cutByText(err):
		return &Error{Err: &causeError{errCut, err}, temporary: true}
	}
	// What remains is net/http refusing what it read: a bad status line, a control byte in
	// a header, two lengths.
	return &Error{Err: &causeError{ErrMalformed, err}}
}

// cutByText recognizes the ends of connections for which net/http has no exported error.
func cutByText(err error) bool {
	for _, text := range []string{
		"http: server closed idle connection", // a new one, before the request was sent
		"received from peer",                  // the end of a stream of HTTP/2
		"GOAWAY",
		"http2: client connection lost",
	} {
		if strings.Contains(err.Error(), text) {
			return true
		}
	}
	return false
}

const theServer = "the server"

// peer returns the name of the host on the other end of a connection that failed.
func peer(err error) string {
	var p *proxyError
	if errors.As(err, &p) {
		return proxyName(p.proxy)
	}
	return theServer
}

var (
	// errCut means that the connection broke.
	errCut = errors.New("connection cut")
	// errClosed means that a body was closed while it was read.
	errClosed = errors.New("download closed")
)

// errDescriptors means that this process can't open more files. It says nothing about the
// host.
var errDescriptors = fmt.Errorf("our own limit of open files is reached (ulimit -n): %w", syscall.EMFILE)

// ownShortage reports whether a connection failed because of too few descriptors. A failed
// DNS lookup hides that, so a socket is tried.
func ownShortage(err error) bool {
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		return true
	}
	if dns := (*net.DNSError)(nil); !errors.As(err, &dns) {
		return false
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err == nil {
		syscall.Close(fd)
	}
	return err == syscall.EMFILE || err == syscall.ENFILE
}

// causeError is a sentinel error together with the error behind it.
type causeError struct{ is, err error }

func (e *causeError) Error() string   { return e.is.Error() + ": " + e.err.Error() }
func (e *causeError) Unwrap() []error { return []error{e.is, e.err} }

func unreachable(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	if errors.As(err, &dns) || errors.As(err, &op) && (op.Op == "dial" || op.Op == "proxyconnect" || strings.HasPrefix(op.Op, "socks")) {
		return true
	}
	for _, n := range []syscall.Errno{
		syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.EHOSTDOWN, syscall.ENETUNREACH, syscall.ENETDOWN,
	} {
		if errors.Is(err, n) {
			return true
		}
	}
	return false
}

// tlsRefusal explains why TLS failed, or returns "". Somebody has to repair that, so it is
// neither unreachable nor temporary.
func tlsRefusal(err error) string {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &authority):
		return "TLS: the server's certificate is signed by an authority that this machine does not know: give it with --ca-file"
	case errors.As(err, &host) && len(host.Certificate.DNSNames)+len(host.Certificate.IPAddresses) == 0:
		return "TLS: the server's certificate names no host in its subjectAltName; a common name is not enough"
	case errors.As(err, &host):
		return "TLS: the server's certificate is for another host"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "TLS: the server's certificate has expired or is not yet valid (is the clock right?)"
	case errors.As(err, &verify):
		return "TLS: the server's certificate is not valid"
	case errors.As(err, &record):
		return "TLS: the server does not speak it (is this port for plain http?)"
	case failsTLS(err), err != nil && strings.Contains(err.Error(), "tls: server selected unsupported protocol"):
		return "TLS: client and server can't agree"
	}
	return ""
}

// failsTLS reports whether one side broke TLS off.
func failsTLS(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && (op.Op == "remote error" || op.Op == "local error")
}
