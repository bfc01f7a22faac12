package remote

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// quietTLS is a TLS server that does not print TLS errors of its clients.
func quietTLS(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.EnableHTTP2, srv.TLS = true, &tls.Config{NextProtos: []string{"h2", "http/1.1"}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

func trust(srv *httptest.Server) *tls.Config {
	return &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
}

func TestTLS(t *testing.T) {
	srv := quietTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/download") && r.TLS.NegotiatedProtocol != "http/1.1" {
			t.Errorf("a download over %q", r.TLS.NegotiatedProtocol)
		}
		if r.Host == "example.com" {
			http.Redirect(w, r, "https://www.example.com", http.StatusFound)
		} else if r.TLS.ServerName == "example.com" {
			t.Errorf("a request to %s in the TLS of another host", r.Host)
		}
		attach(w, "x")
	})
	other := trust(srv)
	other.ServerName = "other.test"
	late := trust(srv)
	late.Time = func() time.Time { return time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC) }
	modern := httptest.NewUnstartedServer(http.NotFoundHandler())
	modern.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	modern.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	modern.StartTLS()
	defer modern.Close()
	old := trust(modern)
	old.MaxVersion = tls.VersionTLS12
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	nameless := httptest.NewUnstartedServer(http.NotFoundHandler())
	nameless.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	nameless.TLS = &tls.Config{Certificates: []tls.Certificate{commonName(t)}}
	nameless.StartTLS()
	defer nameless.Close()
	for _, tc := range []struct {
		name, base string
		o          Options
		says       string
	}{
		{"trusted", srv.URL, Options{TLS: trust(srv)}, ""},
		{"redirected", "https://example.com", Options{TLS: trust(srv)}, ""},
		{"unknown authority", srv.URL, Options{}, "authority"},
		{"other host", srv.URL, Options{TLS: other}, "another host"},
		{"no host", nameless.URL, Options{TLS: trust(nameless)}, "a common name is not enough"},
		{"expired", srv.URL, Options{TLS: late}, "expired"},
		{"no common version", modern.URL, Options{TLS: old}, "can't agree"},
		{"plain http", strings.Replace(plain.URL, "http:", "https:", 1), Options{}, "does not speak"},
	} {
		var open atomic.Int32 // connections
		tc.o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasSuffix(addr, "example.com:443") {
				addr = srv.Listener.Addr().String()
			}
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			open.Add(1)
			return &countedConn{conn, sync.OnceFunc(func() { open.Add(-1) })}, err
		}
		c := newTestClient(t, tc.base, tc.o)
		resp, err := c.Download(t.Context(), Request{ID: testID})
		if tc.says == "" {
			if err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			_ = resp.Body.Close()
			continue
		}
		if e := failure(t, err); !strings.Contains(err.Error(), tc.says) || retries(e) || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v, want a permanent error with %q", tc.name, err, tc.says)
		}
		if n := open.Load(); n != 0 {
			t.Errorf("%s: %d connections stay open", tc.name, n)
		}
		if b := c.Budget(Reader); b.Down != nil {
			t.Errorf("%s: the gate is closed by %v", tc.name, b.Down)
		}
	}
}

// What breaks TLS in the middle of a body is no refusal: the next request is likely to work.
func TestTLSBreaks(t *testing.T) {
	alert, record := "\x15\x03\x03\x00\x02\x02\x50", "\x17\x03\x03\x00\x20"+strings.Repeat("x", 32)
	for name, junk := range map[string]string{"plain alert": alert, "bad record": record, "plain text": "HTTP/1.1 502 Bad Gateway\r\n"} {
		for _, sent := range []string{"", "some bytes"} {
			srv := quietTLS(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, reply(200, attachment+"Content-Length: 20\r\n", sent))
				_, _ = io.WriteString(conn.(*tls.Conn).NetConn(), junk)
			})
			_, got, err := fetch(t, newTestClient(t, srv.URL, Options{TLS: trust(srv)}), Request{})
			if e := failure(t, err); got != sent || !retries(e) || !errors.Is(err, errCut) {
				t.Errorf("%s after %q: %q, %v", name, sent, got, err)
			}
		}
	}
}

// countedConn is a connection that calls closed when it is closed.
type countedConn struct {
	net.Conn
	closed func()
}

func (c *countedConn) Close() error {
	c.closed()
	return c.Conn.Close()
}

// commonName returns a certificate as it was usual once, without subjectAltName.
func commonName(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A record that was damaged on the way cuts a download, which is then resumed. It does not mean that TLS is impossible.
func TestDamagedRecord(t *testing.T) {
	for _, fields := range []string{"Content-Length: 10", "Transfer-Encoding: chunked"} {
		srv := quietTLS(t, func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n"+attachment+fields+"\r\n\r\n5\r\nabc")
			_, _ = conn.(*tls.Conn).NetConn().Write(append([]byte{23, 3, 3, 0, 30}, make([]byte, 30)...))
			_, _ = io.Copy(io.Discard, conn)
			_ = conn.Close()
		})
		_, _, err := fetch(t, newTestClient(t, srv.URL, Options{TLS: trust(srv)}), Request{})
		if e := failure(t, err); !errors.Is(err, errCut) || !retries(e) {
			t.Errorf("%s: %v", fields, err)
		}
	}
}

// A server that knows only an old version of TLS.
func TestOldTLS(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing is waited for
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		hello := append([]byte{22, 3, 1, 0, 42, 2, 0, 0, 38, 3, 1}, make([]byte, 36)...) // of TLS 1.0
		_, _ = conn.Write(hello)
		_, _ = io.Copy(io.Discard, conn)
		_ = conn.Close()
	}()
	_, err = newTestClient(t, "https://"+l.Addr().String(), Options{}).Metadata(t.Context(), Reader, testID)
	_ = l.Close()
	<-done
	if e := failure(t, err); e.verdict() != Untrusted || retries(e) || !strings.Contains(err.Error(), "can't agree") {
		t.Error(err)
	}
}
