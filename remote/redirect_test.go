package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// logbook records the requests that servers got.
type logbook struct {
	mu   sync.Mutex // guards seen
	seen []string
}

func (l *logbook) add(name string, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if r.Header.Get("Authorization") != "" {
		name += " with key"
	}
	if r.Header.Get("Referer") != "" || r.Header.Get("Cookie") != "" {
		name += " and what others said" // a signed URL, say
	}
	r.Header.Del("Authorization")
	if strings.Contains(fmt.Sprint(r.RequestURI, r.Header, r.Host), testKey) {
		name += " in a wrong place"
	}
	l.seen = append(l.seen, name)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.seen, ", ")
}

const signature = "X-Signature=topsecret"

func TestRedirectToStorage(t *testing.T) {
	var l logbook
	storage := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.add("storage", r)
		if r.URL.RawQuery != signature || r.Header.Get("Range") != "bytes=2-" {
			t.Errorf("storage was asked %s with %v", r.URL, r.Header)
		}
		attach(w, "x")
		w.Header().Set("Content-Range", "bytes 2-4/5")
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, "cde")
	}))
	defer storage.Close()
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		l.add("api", r)
		switch {
		case strings.HasSuffix(r.URL.Path, "/download"):
			http.Redirect(w, r, "../other", http.StatusMovedPermanently) // the same host, so the key is sent
		default:
			http.Redirect(w, r, strings.Replace(storage.URL, "//", "//user:password@", 1)+"/blob?"+signature+"#part", http.StatusFound)
		}
	}, Options{RateLimit: RateLimit{Rates: []Rate{twelveMore}}})
	_, body, err := fetch(t, c, Request{Start: 2})
	if err != nil || body != "cde" {
		t.Fatalf("%q, %v", body, err)
	}
	if got, want := l.String(), "api with key, api with key, storage"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
	if s := c.Stats(); s.Requests != 1 || s.Left != 11 {
		t.Errorf("stats %+v: a redirect is no further request", s)
	}
}

// After a request has left the API's host, the key is not sent again, even if a redirect leads back.
func TestKeyOnlyToOrigin(t *testing.T) {
	var l logbook
	var home string
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.add("away", r)
		http.Redirect(w, r, home+"/elsewhere", http.StatusTemporaryRedirect)
	}))
	defer away.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.add("home", r)
		if strings.HasSuffix(r.URL.Path, "/elsewhere") {
			attach(w, "x")
			return
		}
		http.Redirect(w, r, away.URL, http.StatusPermanentRedirect)
	}))
	defer api.Close()
	home = api.URL
	c := newTestClient(t, home, Options{})
	if _, _, err := fetch(t, c, Request{}); err != nil {
		t.Fatal(err)
	}
	_, _ = c.Metadata(t.Context(), Reader, testID) // the answer is none
	if got, want := l.String(), "home with key, away, home, home with key, away, home"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

func TestRefusedRedirects(t *testing.T) {
	for location, says := range map[string]string{
		"download":                       "redirects in a circle",
		"download?" + signature:          "redirects in a circle",
		"download?n=%d&" + signature:     "more than 5 redirects",
		"":                               "unexpected status",
		"http://[::1?" + signature:       "not a URL",
		"ftp://host/x?" + signature:      "neither http nor https",
		"http://?" + signature:           "neither http nor https",
		"data:text/plain,x?" + signature: "neither http nor https",
	} {
		hits := 0
		c := start(t, func(w http.ResponseWriter, _ *http.Request) {
			hits++
			w.Header().Set("Location", strings.ReplaceAll(location, "%d", strconv.Itoa(hits)))
			w.WriteHeader(http.StatusFound)
		}, Options{})
		_, err := c.Download(t.Context(), Request{ID: testID})
		e := failure(t, err)
		if !errors.Is(err, ErrMalformed) || retries(e) || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("Location %q: %v, want a permanent error with %q", location, err, says)
		}
		if strings.HasPrefix(says, "more") && hits != 1+maxRedirects || strings.Contains(says, "circle") && hits > 2 {
			t.Errorf("Location %q: %d requests", location, hits)
		}
	}
}

// What the API says in place of a Location is believed.
func TestRedirectWithoutLocation(t *testing.T) {
	const poor = `{"code":"0402","msg":"Insufficient balance","success":false,"failed":true}`
	c, hits := raw(t, reply(302, "Content-Type: application/json\r\n", poor))
	_, err := c.Download(t.Context(), Request{ID: testID})
	if e := failure(t, err); e.Number() != 402 || hits.Load() != 1 {
		t.Errorf("after %d requests: %v, want 402", hits.Load(), err)
	}
}

// A host to which the API redirects is no reason to doubt the URL of the API.
func TestRedirectToNothing(t *testing.T) {
	storage := httptest.NewServer(http.NotFoundHandler())
	defer storage.Close()
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, storage.URL+"/x", http.StatusFound)
	}, Options{})
	_, err := c.Download(t.Context(), Request{ID: testID})
	if err == nil || strings.Contains(err.Error(), "--base-url") || !strings.Contains(err.Error(), "the API redirects to") {
		t.Errorf("got %v, want which host failed", err)
	}
}

// Errors of a host behind a redirect don't show the signature either.
func TestRedirectToUnreachableHost(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, gone.URL+"/x?"+signature, http.StatusFound)
	}, Options{})
	_, err := c.Download(t.Context(), Request{ID: testID})
	if !errors.Is(err, ErrUnreachable) || strings.Contains(err.Error(), "topsecret") {
		t.Errorf("got %v, want ErrUnreachable without the query", err)
	}
	if e := failure(t, err); !retries(e) || !e.Elsewhere() || !strings.HasSuffix(err.Error(), "(the API redirects to "+gone.Listener.Addr().String()+")") {
		t.Errorf("got %v, want a temporary error that names the host", err)
	}
}

func TestRedirectDownToHTTP(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("asked over plain http") }))
	defer plain.Close()
	srv := quietTLS(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, plain.URL, http.StatusFound) })
	c := newTestClient(t, srv.URL, Options{TLS: trust(srv)})
	_, err := c.Download(t.Context(), Request{ID: testID})
	if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "from https to plain http") {
		t.Errorf("got %v", err)
	}
}

func TestSameOrigin(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		same bool
	}{
		{"https://a/x", "https://A:443/y?z", true},
		{"http://a:80", "http://a", true},
		{"https://a", "http://a", false},
		{"https://a:444", "http://a:444", false},
		{"https://a", "https://a:444", false},
		{"https://a", "https://b.a", false},
		{"https://a", "https://a.", false},
	} {
		a, errA := CheckBaseURL(tc.a, true)
		b, errB := a.Parse(tc.b)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if got := sameOrigin(a, b); got != tc.same {
			t.Errorf("%s and %s: %v, want %v", tc.a, tc.b, got, tc.same)
		}
	}
}

// Location fields as servers write them, and what curl then requests.
func TestOddLocation(t *testing.T) {
	for location, want := range map[string]string{
		"/a%20b":                  "/a%20b",
		"/100%":                   "/100%",
		"/100% of it.mp4?a=1":     "/100%%20of%20it.mp4?a=1",
		"/100%25 and 5%zz":        "/100%25%20and%205%zz",
		"/a b?c d":                "/a%20b?c+d",
		"/ä?ö=%":                  "/%c3%a4?%c3%b6=%",
		"/\xe4":                   "/%e4",
		"there%?X=1#a b%":         "/re_1/there%?X=1",
		"../100%/./x":             "/100%/x",
		"?a=/b c//d":              "/re_1/download?a=/b+c//d",
		"/a//b?u=http://c/d e":    "/a//b?u=http://c/d+e",
		"/a%2Fb%3f":               "/a%2Fb%3f",
		"/a%00b":                  "/a%00b",
		"/5%5z":                   "/5%5z",
		"/a\tb":                   "/a%09b",
		"/sig?X-Signature=a%2Bb+": "/sig?X-Signature=a%2Bb+",
	} {
		for _, absolute := range []bool{false, true} {
			if absolute && !strings.HasPrefix(location, "/") {
				continue
			}
			var asked []string
			srv := rawServer(t, func(line string) string {
				asked = append(asked, line)
				if len(asked) == 1 {
					if absolute {
						location = "http://example.com" + location
					}
					return reply(302, "Location: "+location+"\r\n", "")
				}
				return reply(200, attachment+"Content-Length: 1\r\n", "x")
			})
			c := newTestClient(t, "http://example.com", Options{Dial: srv})
			if _, _, err := fetch(t, c, Request{}); err != nil || len(asked) != 2 || asked[1] != "GET "+want+" HTTP/1.1" {
				t.Errorf("Location %q: asked %q, %v, want %s", location, asked, err, want)
			}
		}
	}
}

// A server that rejects a bare % gets an escaped one.
func TestBarePercentRefused(t *testing.T) {
	var asked []string
	c := start(t, func(w http.ResponseWriter, r *http.Request) { // net/http rejects it
		asked = append(asked, r.URL.EscapedPath())
		if strings.HasSuffix(r.URL.Path, "/download") {
			w.Header().Set("Location", "/100%/a%2Fb")
			w.WriteHeader(http.StatusFound)
			return
		}
		attach(w, "x")
	}, Options{})
	if _, _, err := fetch(t, c, Request{}); err != nil || len(asked) != 2 || asked[1] != "/100%25/a%2Fb" {
		t.Errorf("asked %q, %v", asked, err)
	}
	if n := c.Stats().Requests; n != 1 {
		t.Errorf("%d requests counted, want 1", n)
	}
}

// A server that rejects a path without a bare % is not asked again.
func TestEscapeRefused(t *testing.T) {
	var asked []string
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.EscapedPath())
		if strings.HasSuffix(r.URL.Path, "/download") {
			w.Header().Set("Location", "/a%20b")
			w.WriteHeader(http.StatusFound)
			return
		}
		w.WriteHeader(http.StatusBadRequest)
	}, Options{})
	if _, _, err := fetch(t, c, Request{NoRange: true}); err == nil || len(asked) != 2 || asked[1] != "/a%20b" {
		t.Errorf("asked %q, %v", asked, err)
	}
}

// A proxy gets a bare % in a whole URL.
func TestBarePercentProxy(t *testing.T) {
	var asked []string
	proxy := rawServer(t, func(line string) string {
		if asked = append(asked, line); len(asked) == 1 {
			return reply(302, "Location: /100%\r\n", "")
		}
		return reply(200, attachment+"Content-Length: 1\r\n", "x")
	})
	c := newTestClient(t, "http://example.com", Options{Dial: proxy, proxy: through(t, "http://proxy.test")})
	if _, _, err := fetch(t, c, Request{}); err != nil || len(asked) != 2 || asked[1] != "GET http://example.com/100% HTTP/1.1" {
		t.Errorf("asked %q, %v", asked, err)
	}
}

// roundTrip answers requests without a network.
type roundTrip func(*http.Request) *http.Response

func (r roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return r(req), nil }

// closings counts what is closed.
type closings struct {
	io.Reader
	n int
}

func (c *closings) Close() error {
	c.n++
	return nil
}

// Behind a proxy's tunnel a server gets a bare % as without one, and no body of an answer before the last stays open.
func TestBarePercentTunnel(t *testing.T) {
	var asked []string
	body := &closings{Reader: strings.NewReader("")}
	answers := []int{http.StatusSeeOther, http.StatusBadRequest, http.StatusOK}
	c := newTestClient(t, "http://example.com", Options{proxy: through(t, "http://proxy.test")})
	u := &url.URL{Scheme: "https", Host: "example.com", Path: "/x"}
	resp, _, err := c.follow(t.Context(), roundTrip(func(r *http.Request) *http.Response {
		asked = append(asked, r.URL.RequestURI())
		return &http.Response{StatusCode: answers[len(asked)-1], Header: http.Header{"Location": {"/100%"}}, Body: body}
	}), u, outgoing{header: http.Header{}}, testKey, func(net.Conn) bool { return true })
	if err != nil || strings.Join(asked, " ") != "/x /100% /100%25" || body.n != 2 {
		t.Errorf("asked %q, %d closed, %v", asked, body.n, err)
	}
	if err == nil {
		_ = resp.Body.Close()
	}
}

// Endless redirects to a bare % are not followed forever.
func TestBarePercentLoop(t *testing.T) {
	asked := 0
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked++; asked > 20 {
			attach(w, "x")
			return
		}
		w.Header().Set("Location", "/100%/a")
		w.WriteHeader(http.StatusFound)
	}, Options{})
	if _, _, err := fetch(t, c, Request{}); !errors.Is(err, ErrMalformed) || asked > maxRedirects+1 {
		t.Errorf("%v after %d redirects, want a malformed response", err, asked)
	}
}

func FuzzLocation(f *testing.F) {
	for _, s := range []string{"/a b%", "//host/%zz?a b#c", "http://[::1]:80/\xff", "%", "?", "a:b/c", "http://h%00st/%00%", ""} {
		f.Add(s)
	}
	from := &url.URL{Scheme: "https", Host: "a.test", Path: "/x/y"}
	f.Fuzz(func(t *testing.T, location string) {
		u, err := redirectTarget(from, &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {location}}})
		if err != nil {
			return
		}
		if uri := u.RequestURI(); strings.ContainsFunc(uri, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("Location %q: asks for %q", location, uri)
		}
		if u.Scheme != "https" || u.Hostname() == "" {
			t.Errorf("Location %q: goes to %q", location, u)
		}
	})
}

// rawServer is a network whose servers answer the request line of each connection with what answer returns.
func rawServer(t *testing.T, answer func(line string) string) func(context.Context, string, string) (net.Conn, error) {
	t.Helper()
	return func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			lines := bufio.NewReader(far)
			first, _ := lines.ReadString('\n')
			for line := first; strings.TrimSpace(line) != ""; {
				line, _ = lines.ReadString('\n')
			}
			_, _ = io.WriteString(far, answer(strings.TrimSpace(first)))
			_ = far.Close()
		}()
		return near, nil
	}
}
