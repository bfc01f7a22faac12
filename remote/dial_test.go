package remote

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// proxyServer is a proxy for one target, whatever the client asks for. It answers CONNECT with status, and makes a tunnel
// if that is a success.
func proxyServer(t *testing.T, target *httptest.Server, status int) (h http.Handler, asked *atomic.Value) {
	asked = new(atomic.Value)
	asked.Store("")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(r.Method + " " + r.RequestURI + " " + r.Header.Get("Proxy-Authorization"))
		if r.Header.Get("Authorization") != "" && r.Method == http.MethodConnect {
			t.Error("the proxy was shown the key")
		}
		if !success(status) {
			w.Header().Set("Content-Type", "text/plain")
			w.WriteHeader(status)
			_, _ = io.WriteString(w, "no\n")
			return
		}
		out, err := net.Dial("tcp", target.Listener.Addr().String()) //nolint:noctx // on this machine
		if err != nil {
			t.Error(err)
			return
		}
		in, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(in, reply(status, "X: \x01\r\n", ""))
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = io.Copy(out, in); _ = out.Close() })
		_, _ = io.Copy(in, out)
		_ = in.Close()
		wg.Wait()
	}), asked
}

func through(t *testing.T, proxy string) func(*http.Request) (*url.URL, error) {
	t.Helper()
	u, err := url.Parse(proxy)
	if err != nil {
		t.Fatal(err)
	}
	return http.ProxyURL(u)
}

// Downloads and metadata go through a proxy's tunnel, including control bytes and HTTP/2.
func TestTunnel(t *testing.T) {
	const body = "\x01\x02"
	api := quietTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/metadata") {
			if r.ProtoMajor != 2 {
				t.Errorf("metadata by %s", r.Proto)
			}
			_, _ = io.WriteString(w, resource(okFields))
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, reply(200, attachment+"Content-Length: 2\r\nX: \x01\r\n", body))
		_ = conn.Close()
	})
	for secure, status := range map[bool]int{false: http.StatusOK, true: http.StatusNoContent} {
		h, asked := proxyServer(t, api, status)
		proxy := httptest.NewUnstartedServer(h)
		if secure {
			proxy.EnableHTTP2 = true // not for CONNECT
			proxy.StartTLS()
		} else {
			proxy.Start()
		}
		config := trust(api)
		if secure {
			config.RootCAs.AddCert(proxy.Certificate())
		}
		address := strings.Replace(proxy.URL, "://", "://user:pa%20ss@", 1)
		c := newTestClient(t, "https://example.com/v2", Options{TLS: config, proxy: through(t, address)})
		if _, got, err := fetch(t, c, Request{}); err != nil || got != body {
			t.Errorf("secure %v: %q, %v", secure, got, err)
		}
		if want := "CONNECT example.com:443 Basic " + base64.StdEncoding.EncodeToString([]byte("user:pa ss")); asked.Load() != want {
			t.Errorf("the proxy was asked %q, want %q", asked.Load(), want)
		}
		if i, err := c.Metadata(t.Context(), Reader, testID); err != nil || i.Size != 133652816 {
			t.Errorf("metadata: %+v, %v", i, err)
		}
		c.Close()
		proxy.Close()
	}
}

// A host that NO_PROXY names is asked directly. A proxy without a user in its URL is sent none.
func TestSomeByProxy(t *testing.T) {
	api := quietTLS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, resource(okFields)) })
	h, asked := proxyServer(t, api, http.StatusOK)
	proxy := httptest.NewServer(h)
	defer proxy.Close()
	proxyURL, _ := url.Parse(proxy.URL)
	for host, want := range map[string]string{"example.com": "CONNECT example.com:443 ", "direct.example.com": ""} {
		asked.Store("")
		c := newTestClient(t, "https://"+host, Options{
			TLS: trust(api),
			proxy: func(r *http.Request) (*url.URL, error) {
				if r.URL.Scheme != "https" || strings.HasPrefix(r.URL.Host, "direct.") {
					return nil, nil
				}
				return proxyURL, nil
			},
			Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				if addr == "direct.example.com:443" {
					addr = api.Listener.Addr().String()
				}
				return new(net.Dialer).DialContext(ctx, network, addr)
			},
		})
		if _, err := c.Metadata(t.Context(), Reader, testID); err != nil || asked.Load() != want {
			t.Errorf("%s: %v; the proxy was asked %q, want %q", host, err, asked.Load(), want)
		}
		c.Close()
	}
}

// A proxy's refusal is not an answer of the API.
func TestProxyRefuses(t *testing.T) {
	api := quietTLS(t, func(http.ResponseWriter, *http.Request) { t.Error("a request came through") })
	for status, want := range map[int]struct {
		is    error
		retry int
	}{
		407: {ErrProxy, 0}, 403: {ErrProxy, 0}, 405: {ErrProxy, 0},
		502: {ErrUnreachable, -1}, 503: {ErrUnreachable, -1}, 504: {ErrUnreachable, -1}, 511: {ErrUnreachable, -1}, 408: {ErrUnreachable, -1}, 429: {ErrUnreachable, -1},
		302: {ErrProxy, 0},
	} {
		h, _ := proxyServer(t, api, status)
		proxy := httptest.NewServer(h)
		c := newTestClient(t, "https://example.com", Options{TLS: trust(api), proxy: through(t, strings.Replace(proxy.URL, "://", "://user:secret@", 1))})
		_, download := c.Download(t.Context(), Request{ID: testID})
		c.ForgetFailures()
		_, metadata := c.Metadata(t.Context(), Reader, testID)
		for _, err := range []error{download, metadata} {
			e := failure(t, err)
			if status == 407 && !strings.Contains(err.Error(), "a user and a password") {
				t.Error(err)
			}
			// Squid's maxconn answers 403; the others say nothing of our own downloads.
			if n, _ := e.Retry(); !errors.Is(err, want.is) || n != want.retry || e.Crowded() != (status == 403) || e.NotFound() {
				t.Errorf("CONNECT answered %d: %v, worth %d, want %v, %d", status, err, n, want.is, want.retry)
			}
			if s := err.Error(); !strings.Contains(s, strings.TrimPrefix(proxy.URL, "http://")) || strings.Contains(s, "secret") {
				t.Errorf("%v does not name the proxy, or shows its password", err)
			}
		}
		if s := c.Stats(); s.Requests != 0 {
			t.Errorf("CONNECT answered %d: %d requests counted", status, s.Requests)
		}
		proxy.Close()
	}
}

// A proxy for plain http gets the whole URL, and a 407 is its own. A proxy that speaks TLS is reached directly,
// whatever the proxy for https is.
func TestPlainProxy(t *testing.T) {
	h, asked := proxyServer(t, nil, http.StatusProxyAuthRequired)
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secure.Close()
	socks := through(t, "socks5://"+plain.Listener.Addr().String())
	for name, proxy := range map[string]func(*http.Request) (*url.URL, error){
		"plain":  through(t, plain.URL),
		"secure": through(t, secure.URL),
		"secure beside SOCKS": func(r *http.Request) (*url.URL, error) {
			if r.URL.Scheme == "https" {
				return socks(r)
			}
			return url.Parse(secure.URL)
		},
		"secure beside a broken one": func(r *http.Request) (*url.URL, error) {
			if r.URL.Scheme == "https" {
				return nil, errors.New("invalid proxy address")
			}
			return url.Parse(secure.URL)
		},
	} {
		asked.Store("")
		c := newTestClient(t, "http://example.com", Options{proxy: proxy, TLS: trust(secure)})
		_, err := c.Download(t.Context(), Request{ID: testID})
		if !errors.Is(err, ErrProxy) || !strings.Contains(err.Error(), "the proxy 127.0.0.1:") || asked.Load() != "GET http://example.com/re_1/download " {
			t.Errorf("%s: asked %q, got %v", name, asked.Load(), err)
		}
	}
}

// What goes wrong behind a proxy is not the proxy's fault.
func TestBehindProxy(t *testing.T) {
	for _, tc := range []struct{ base, proxy, answer string }{
		{"https", "http://proxy.test:3128", "HTTP/1.1 200 OK\r\n\r\n"},
		{"https", "socks5://proxy.test:1080", "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
		{"http", "socks5://proxy.test:1080", "\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"},
	} {
		c := newTestClient(t, tc.base+"://api.test", Options{proxy: through(t, tc.proxy), Dial: func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() { _, _ = io.Copy(io.Discard, far) }()
			go func() {
				_, _ = io.WriteString(far, tc.answer)
				_ = far.Close()
			}()
			return near, nil
		}})
		_, err := c.Download(t.Context(), Request{ID: testID})
		if e := failure(t, err); strings.Contains(err.Error(), "proxy") || !retries(e) {
			t.Errorf("%s by %s: %v", tc.base, tc.proxy, err)
		}
	}
}

// A variable that holds no URL is named, and its password is not. The network is not to blame.
func TestProxyVariable(t *testing.T) {
	for _, base := range []string{"https://example.com", "http://example.com"} {
		// As http.ProxyFromEnvironment puts it.
		c := newTestClient(t, base, Options{proxy: func(*http.Request) (*url.URL, error) {
			return nil, errors.New(`invalid proxy address "http://user:secret%zz@proxy:1": invalid URL escape "%zz"`)
		}})
		_, download := c.Download(t.Context(), Request{ID: testID})
		_, metadata := c.Metadata(t.Context(), Reader, testID)
		for _, err := range []error{download, metadata, c.Check(t.Context(), testID).Err} {
			if e := failure(t, err); !errors.Is(err, ErrProxy) || retries(e) || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), "HTTPS_PROXY") {
				t.Errorf("%s: %v", base, err)
			}
		}
	}
}

// A proxy that is not one is unreachable. Whatever goes wrong with a proxy, the error names it.
func TestProxyBroken(t *testing.T) {
	const silent = "silent"
	for name, answer := range map[string]string{"closes": "", "speaks something else": "SSH-2.0\r\n\r\n", "breaks off": "HTTP/1.1 200 O", "is silent": silent} {
		for _, base := range []string{"https", "http"} {
			synctest.Test(t, func(t *testing.T) {
				const slow = 15 * time.Second
				c := NewClient(&url.URL{Scheme: base, Host: "api.test"}, Options{
					Key: NewKey("", testKey), proxy: through(t, "http://user:secret@proxy.test:3128"), ResponseTimeout: slow,
					Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
						if addr != "proxy.test:3128" {
							t.Errorf("%s was dialled", addr)
						}
						near, far := net.Pipe()
						go func() {
							_, _ = http.ReadRequest(bufio.NewReader(far))
							if answer == silent {
								_, _ = io.Copy(io.Discard, far)
							}
							_, _ = io.WriteString(far, answer)
							_ = far.Close()
						}()
						return near, nil
					},
				})
				defer c.Close()
				began := time.Now()
				_, err := c.Download(t.Context(), Request{ID: testID})
				took := time.Since(began)
				e := failure(t, err)
				if strings.Count(err.Error(), "the proxy proxy.test:3128") != 1 || strings.Contains(err.Error(), "secret") {
					t.Errorf("a proxy for %s that %s: %v", base, name, err)
				}
				if base == "https" && !strings.HasSuffix(err.Error(), "(are the network, HTTPS_PROXY and --base-url right?)") {
					t.Errorf("a proxy for %s that %s: no advice in %v", base, name, err)
				}
				wait := answerTimeout
				if base == "http" {
					wait = slow
				}
				switch {
				case answer == silent:
					if !errors.Is(err, ErrStalled) || !retries(e) || took != wait || e.verdict() != ProxyInWay {
						t.Errorf("a silent proxy for %s: %v after %v, verdict %v", base, err, took, e.verdict())
					}
				case base == "https" && (!errors.Is(err, ErrUnreachable) || !retries(e) || e.verdict() != ProxyInWay):
					t.Errorf("a proxy that %s: %v, verdict %v", name, err, e.verdict())
				}
			})
		}
	}
}

// A SOCKS proxy that never answers, or refuses, must not hold a download for ever.
func TestSOCKSBroken(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		took   time.Duration
	}{
		"is silent":        {"", 2 * answerTimeout},
		"goes silent":      {"\x05\x00", 2 * answerTimeout},
		"refuses":          {"\x05\x00\x05\x02\x00\x01\x00\x00\x00\x00\x00\x00", 0},
		"wants a user":     {"\x05\xff", 0},
		"is an SSH server": {"SSH-2.0\r\n", 0},
	} {
		for _, base := range []string{"https", "http"} {
			synctest.Test(t, func(t *testing.T) {
				client := NewClient(&url.URL{Scheme: base, Host: "api.test"}, Options{
					Key: NewKey("", testKey), proxy: through(t, "socks5://proxy.test:1080"), ResponseTimeout: time.Hour,
					Dial: func(context.Context, string, string) (net.Conn, error) {
						near, far := net.Pipe()
						go func() { _, _ = io.Copy(io.Discard, far) }()
						go func() { _, _ = io.WriteString(far, c.answer) }()
						return near, nil
					},
				})
				defer client.Close()
				began := time.Now()
				_, err := client.Download(t.Context(), Request{ID: testID})
				if e := failure(t, err); !errors.Is(err, ErrUnreachable) || time.Since(began) != c.took || e.verdict() != ProxyInWay || !strings.Contains(err.Error(), "the proxy proxy.test:1080") {
					t.Errorf("a SOCKS proxy for %s that %s: %v after %v, verdict %v", base, name, err, time.Since(began), e.verdict())
				}
			})
		}
	}
}

// The deadline of connecting ends with it.
func TestSOCKSLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := NewClient(&url.URL{Scheme: "http", Host: "api.test"}, Options{
			Key: NewKey("", testKey), ResponseTimeout: time.Hour,
			Dial: func(context.Context, string, string) (net.Conn, error) {
				near, far := net.Pipe()
				go func() {
					_, _ = http.ReadRequest(bufio.NewReader(far))
					time.Sleep(time.Minute)
					_, _ = io.WriteString(far, reply(200, attachment+"Content-Length: 2\r\n", "ab"))
				}()
				return near, nil
			},
		})
		defer c.Close()
		if _, got, err := fetch(t, c, Request{}); err != nil || got != "ab" {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// A connection for metadata serves the next call within the rate limit, and does not keep one of a server's
// few workers from the downloads for long.
func TestMetadataConnectionIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dials, ended := 0, make(chan time.Time, 2)
		c := NewClient(&url.URL{Scheme: "http", Host: "api.test"}, Options{
			Key: NewKey("", testKey),
			Dial: func(context.Context, string, string) (net.Conn, error) {
				dials++
				near, far := net.Pipe()
				go func() {
					in := bufio.NewReader(far)
					for {
						if _, err := http.ReadRequest(in); err != nil {
							ended <- time.Now()
							return
						}
						_, _ = io.WriteString(far, reply(404, "Content-Length: 0\r\n", ""))
					}
				}()
				return near, nil
			},
		})
		defer c.Close()
		for range 2 {
			time.Sleep(1100 * time.Millisecond)
			_, _ = c.Metadata(t.Context(), Reader, testID)
		}
		last := time.Now()
		if kept := (<-ended).Sub(last); dials != 1 || kept > 5*time.Second { // of virtual time; many servers keep it so long
			t.Errorf("%d connections, the last one was kept for %v", dials, kept)
		}
	})
}

// The certificate of a proxy is not the server's.
func TestProxyUntrusted(t *testing.T) {
	proxy := httptest.NewUnstartedServer(http.NotFoundHandler())
	proxy.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	proxy.StartTLS()
	defer proxy.Close()
	for _, base := range []string{"https://example.com", "http://example.com"} {
		c := newTestClient(t, base, Options{proxy: through(t, proxy.URL)})
		_, err := c.Download(t.Context(), Request{ID: testID})
		want := "TLS: the proxy " + strings.TrimPrefix(proxy.URL, "https://") + "'s certificate is signed by an authority"
		if e := failure(t, err); !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), theServer) || e.verdict() != Untrusted {
			t.Errorf("%s: %v, want %q", base, err, want)
		}
	}
	proxy.Close()
	_, err := newTestClient(t, "https://example.com", Options{proxy: through(t, proxy.URL)}).Download(t.Context(), Request{ID: testID})
	if e := failure(t, err); !errors.Is(err, ErrUnreachable) || e.verdict() != ProxyInWay {
		t.Errorf("switched off: %v, verdict %v", err, e.verdict())
	}
}
