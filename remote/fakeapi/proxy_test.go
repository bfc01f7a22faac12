package fakeapi

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// TestProxy uses a proxy to reach an API by a name that only the proxy can resolve.
func TestProxy(t *testing.T) {
	s := New(Asset{ID: "re_1", Size: 3*writeSize + 7})
	secure := httptest.NewTLSServer(s)
	t.Cleanup(secure.Close)
	for _, c := range []struct{ base, target, asked string }{
		{"https://example.com", secure.Listener.Addr().String(), "CONNECT example.com:443"},
		{"http://example.com", strings.TrimPrefix(listen(t, s), "http://"), "GET http://example.com/re_1/download"},
	} {
		p := &Proxy{Target: c.target}
		address, err := url.Parse(listen(t, p))
		if err != nil {
			t.Fatal(err)
		}
		trust, ok := secure.Client().Transport.(*http.Transport)
		if !ok {
			t.Fatal("no transport")
		}
		through := &http.Transport{
			Proxy:             http.ProxyURL(address),
			TLSClientConfig:   &tls.Config{RootCAs: trust.TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS12},
			DisableKeepAlives: true,
		}
		t.Cleanup(through.CloseIdleConnections)
		get := func() (*http.Response, error) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, c.base+"/re_1/download", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			return through.RoundTrip(r)
		}
		r, err := get()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		got{r.StatusCode, r.Header, r.ContentLength, b, err}.wantBytes(t, http.StatusOK, 0, 3*writeSize+7)

		for _, status := range []int{407, 502, 503} {
			p.Refuse(status)
			r, err := get()
			if err == nil { // CONNECT fails, but plain requests are answered
				r.Body.Close()
			}
			if strings.HasPrefix(c.asked, "CONNECT") != (err != nil) || err == nil && r.StatusCode != status {
				t.Errorf("%s, %d: %v, %v", c.base, status, r, err)
			}
		}
		p.Refuse(0)
		if r, err = get(); err != nil {
			t.Fatal(err)
		}
		r.Body.Close() // in the middle
		if got, want := p.Asked(), []string{c.asked, c.asked, c.asked, c.asked, c.asked}; !reflect.DeepEqual(got, want) {
			t.Errorf("asked: %q", got)
		}
	}
	if n := len(s.Downloads()); n != 4 {
		t.Errorf("%d downloads, want 4: what a proxy refuses goes no further", n)
	}
}

// TestProxyAsOrigin sends a proxy requests that are not for proxies.
func TestProxyAsOrigin(t *testing.T) {
	s := &site{nil, t, listen(t, &Proxy{}), client(t)}
	if g, err := s.try("GET", "/re_1/download"); err != nil || g.status != http.StatusBadRequest {
		t.Errorf("status %d, %v", g.status, err)
	}
	s = &site{nil, t, listen(t, &Proxy{Target: "127.0.0.1:1"}), s.client}
	if g, err := s.try("CONNECT", "/"); err != nil || g.status != http.StatusBadGateway {
		t.Errorf("status %d, %v", g.status, err)
	}
}
