package remote

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// TestSessionsResume checks that only the first download does a full TLS handshake, which with TLS 1.2 takes one more round
// trip. Each download has a connection of its own.
func TestSessionsResume(t *testing.T) {
	for name, version := range map[string]uint16{"TLS 1.2": tls.VersionTLS12, "TLS 1.3": tls.VersionTLS13} {
		t.Run(name, func(t *testing.T) {
			var resumed, conns atomic.Int64
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				conns.Add(1)
				if r.TLS.DidResume {
					resumed.Add(1)
				}
				w.Header().Set("Content-Disposition", `attachment; filename="a.bin"`)
				_, _ = io.WriteString(w, "content")
			}))
			srv.TLS = &tls.Config{MinVersion: version, MaxVersion: version}
			srv.StartTLS()
			t.Cleanup(srv.Close)
			c := newTestClient(t, srv.URL, Options{TLS: srv.Client().Transport.(*http.Transport).TLSClientConfig})
			for range 3 {
				resp, err := c.Download(t.Context(), Request{ID: testID})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadAll(resp.Body); err != nil {
					t.Error(err)
				}
				resp.Body.Close()
			}
			if conns.Load() != 3 || resumed.Load() != 2 {
				t.Errorf("of %d handshakes %d were resumptions, want 2 of 3", conns.Load(), resumed.Load())
			}
		})
	}
}
