package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/remote/fakeapi"
)

// A server that closes a new connection at once has sent nothing malformed.
func TestClosedBeforeRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(&url.URL{Scheme: "http", Host: "api.test"}, Options{
			Key: NewKey("", testKey),
			Dial: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				_ = far.Close()
				return &lateConn{near}, nil
			},
		})
		defer c.Close()
		_, download := c.Download(t.Context(), Request{ID: testID})
		_, metadata := c.Metadata(t.Context(), Reader, testID)
		for _, err := range []error{download, metadata} {
			if e := failure(t, err); !errors.Is(err, errCut) || !retries(e) {
				t.Error(err)
			}
		}
	})
}

// lateConn is a connection that net/http reads from before it writes.
type lateConn struct{ net.Conn }

func (c *lateConn) SetDeadline(at time.Time) error {
	if at.IsZero() { // by Client.follow, right before the request
		time.Sleep(time.Second)
	}
	return c.Conn.SetDeadline(at)
}

// So it is with a stream that a server of HTTP/2 ends.
func TestStreamReset(t *testing.T) {
	srv := quietTLS(t, func(_ http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("by %s", r.Proto)
		}
		panic(http.ErrAbortHandler)
	})
	_, err := newTestClient(t, srv.URL, Options{TLS: trust(srv)}).Metadata(t.Context(), Reader, testID)
	if e := failure(t, err); !errors.Is(err, errCut) || !retries(e) {
		t.Error(err)
	}
	for text, want := range map[string]error{
		"http2: server sent GOAWAY and closed the connection; LastStreamID=1, ErrCode=NO_ERROR, debug=\"\"": errCut,
		"http2: Transport received GOAWAY from server ErrCode:ENHANCE_YOUR_CALM":                            errCut,
		"http2: client connection lost":                                           errCut,
		"net/http: HTTP/1.x transport connection broken: malformed HTTP response": ErrMalformed,
	} {
		if e := classify(t.Context(), t.Context(), errors.New(text)); !errors.Is(e, want) {
			t.Error(e)
		}
	}
}

// net/http sends a call again, at once, if the server ends the connection before it looks at the call. A gateway that is
// shut down may do so for minutes.
func TestNoConnectionLasts(t *testing.T) {
	const (
		settings = "\x00\x00\x00\x04\x00\x00\x00\x00\x00"
		goAway   = "\x00\x00\x08\x07\x00\x00\x00\x00\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00" // the last stream is 0; no error
	)
	refused := func(stream []byte) string { return "\x00\x00\x04\x03\x00" + string(stream) + "\x00\x00\x00\x07" }
	for name, answer := range map[string]func([]byte) string{
		"go away": func([]byte) string { return goAway },
		"refused": refused,
	} {
		srv := quietTLS(t, nil)
		l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		var calls atomic.Int32
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = io.CopyN(io.Discard, conn, 24) // the preface
				_, _ = io.WriteString(conn, settings)
				head := make([]byte, 9)
				for {
					if _, err := io.ReadFull(conn, head); err != nil {
						break // the client has closed it
					}
					_, _ = io.CopyN(io.Discard, conn, int64(head[1])<<8|int64(head[2]))
					if head[3] == 1 { // the header of a call
						calls.Add(1)
						_, _ = io.WriteString(conn, answer(head[5:]))
					}
				}
				_ = conn.Close()
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c := newTestClient(t, "https://"+l.Addr().String(), Options{TLS: trust(srv)})
		_, err = c.Metadata(ctx, Reader, testID)
		cancel()
		c.Close()
		_ = l.Close()
		<-done
		if e := failure(t, err); !errors.Is(err, errCut) || !retries(e) || calls.Load() > maxSent {
			t.Errorf("%s: %v after %d calls", name, err, calls.Load())
		}
	}
}

// A connection of HTTP/2 that died silently, as in sleep, is given up long before the kernel does so.
func TestDeadHTTP2(t *testing.T) {
	cert := quietTLS(t, nil) // its certificate alone: sockets can't be in a bubble
	synctest.Test(t, func(t *testing.T) {
		srv := &http.Server{TLSConfig: cert.TLS.Clone(), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("by %s", r.Proto)
			}
			_, _ = io.WriteString(w, resource(okFields))
		})}
		network := fakeapi.NewPipes()
		var wg sync.WaitGroup
		wg.Go(func() { _ = srv.ServeTLS(network, "", "") })
		var first *deafConn
		c := NewClient(&url.URL{Scheme: "https", Host: "example.com"}, Options{
			Key: NewKey("", testKey), TLS: trust(cert), ResponseTimeout: time.Hour,
			Dial: func(ctx context.Context, _, addr string) (net.Conn, error) {
				conn, err := network.Dial(ctx, "tcp", addr)
				if first == nil {
					first = &deafConn{Conn: conn}
					conn = first
				}
				return conn, err
			},
		})
		for n := range 3 {
			began := time.Now()
			_, err := c.Metadata(t.Context(), Reader, testID)
			if n == 1 && (err == nil || !retries(failure(t, err))) || n != 1 && err != nil || time.Since(began) > 3*answerTimeout {
				t.Errorf("call %d took %v: %v", n, time.Since(began), err)
			}
			first.dead.Store(true)
		}
		_ = network.Close()
		c.Close()
		_ = srv.Close()
		wg.Wait()
	})
}

// deafConn is a connection whose other end hears nothing any more.
type deafConn struct {
	net.Conn
	dead atomic.Bool
}

func (c *deafConn) Write(p []byte) (int, error) {
	if c.dead.Load() {
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// What the kernel says of a connection tells a host that can't be reached from one that was, and from silence.
func TestClassify(t *testing.T) {
	read := func(err error) error { return &net.OpError{Op: "read", Net: "tcp", Err: err} }
	for _, c := range []struct {
		err error
		is  error
	}{
		{read(os.NewSyscallError("read", syscall.ECONNRESET)), errCut},
		{&net.OpError{Op: "write", Net: "tcp", Err: os.NewSyscallError("write", syscall.EPIPE)}, errCut},
		{read(net.ErrClosed), errCut},
		{syscall.ECONNRESET, errCut},
		{net.ErrClosed, errCut},
		{read(os.ErrDeadlineExceeded), ErrStalled},
		{read(os.NewSyscallError("read", syscall.ETIMEDOUT)), ErrStalled}, // keepalives have no answer
		{read(os.NewSyscallError("read", syscall.EHOSTUNREACH)), ErrUnreachable},
		{syscall.ENETDOWN, ErrUnreachable},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.ErrDeadlineExceeded}, ErrUnreachable},
		{&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)}, ErrUnreachable},
	} {
		var is []error
		for _, sentinel := range []error{errCut, ErrStalled, ErrUnreachable, ErrMalformed} {
			if e := classify(t.Context(), t.Context(), &url.Error{Op: "Get", Err: c.err}); errors.Is(e, sentinel) {
				is = append(is, sentinel)
				if !e.temporary {
					t.Errorf("%v is not worth a retry", e)
				}
			}
		}
		if !slices.Equal(is, []error{c.is}) {
			t.Errorf("%v is %v, want %v", c.err, is, c.is)
		}
	}
}

// Why TLS failed is said in words that tell what to repair.
func TestTLSRefusal(t *testing.T) {
	invalid := func(why x509.InvalidReason) error {
		return &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: why}}
	}
	for _, c := range []struct {
		err  error
		says string
	}{
		{invalid(x509.Expired), "has expired"},
		{invalid(x509.IncompatibleUsage), "is not valid"},
		{&tls.CertificateVerificationError{Err: errors.New("another reason")}, "is not valid"},
		{&net.OpError{Op: "local error", Err: errors.New("tls: unexpected message")}, "can't agree"},
	} {
		if got := tlsRefusal(c.err); !strings.Contains(got, c.says) {
			t.Errorf("%v: %q, want %q", c.err, got, c.says)
		}
	}
}
