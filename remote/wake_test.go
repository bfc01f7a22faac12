package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/remote/fakeapi"
)

// mortal is a connection that may die silently, as when the machine sleeps or gets another address: what is written is lost,
// and nothing arrives.
type mortal struct {
	net.Conn
	dead atomic.Bool
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.dead.Load() {
		return len(p), nil
	}
	return m.Conn.Write(p)
}

// TestMetadataAfterSleep checks that a kept connection that has died costs at most one call. HTTP/2 would use it for all calls
// until the kernel gives up after a quarter of an hour.
func TestMetadataAfterSleep(t *testing.T) {
	lender := httptest.NewTLSServer(nil) // outside of the bubble, for its certificate
	cert, roots := lender.TLS.Certificates[0], x509.NewCertPool()
	roots.AddCert(lender.Certificate())
	lender.Close()
	for _, proto := range []string{"h2", "http/1.1"} {
		synctest.Test(t, func(t *testing.T) {
			p := fakeapi.NewPipes()
			srv := &http.Server{
				TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{proto}},
				Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if want := map[string]int{"h2": 2, "http/1.1": 1}[proto]; r.ProtoMajor != want {
						t.Errorf("asked by %s, want HTTP/%d", r.Proto, want)
					}
					_, _ = io.WriteString(w, resource(okFields))
				}),
			}
			var wg sync.WaitGroup
			wg.Go(func() { _ = srv.ServeTLS(p, "", "") })
			var conns []*mortal
			c := newTestClient(t, "https://example.com", Options{
				TLS: &tls.Config{RootCAs: roots},
				Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
					conn, err := p.Dial(ctx, network, addr)
					conns = append(conns, &mortal{Conn: conn})
					return conns[len(conns)-1], err
				},
			})
			if _, err := c.Metadata(t.Context(), Reader, testID); err != nil {
				t.Fatal(err)
			}
			conns[0].dead.Store(true)
			time.Sleep(20 * time.Second)
			_, first := c.Metadata(t.Context(), Reader, testID)
			if _, err := c.Metadata(t.Context(), Reader, testID); err != nil {
				t.Errorf("%s: the second call after a sleep: %v (the first: %v)", proto, err, first)
			}
			c.Close()
			_ = p.Close()
			_ = srv.Close()
			for _, conn := range conns {
				conn.Close()
			}
			wg.Wait()
		})
	}
}
