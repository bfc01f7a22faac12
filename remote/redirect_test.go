package remote

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// logbook keeps what servers were asked.
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
		if r.URL.RawQuery != signature || r.Header.Get("Range") != "bytes=2-" || r.Header.Get("If-Range") != `"v"` {
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
			http.Redirect(w, r, "../other", http.StatusMovedPermanently) // the same host: the key goes along
		default:
			http.Redirect(w, r, storage.URL+"/blob?"+signature+"#part", http.StatusFound)
		}
	}, Options{RateLimit: RateLimit{Rates: []Rate{twelveMore}}})
	_, body, err := fetch(t, c, Request{Start: 2, IfRange: `"v"`})
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

// Once a request has left the API's host, the key is not sent again, even if the
// way leads back.
func TestKeyStaysHome(t *testing.T) {
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
	if got, want := l.String(), "home with key, away, home"; got != want {
		t.Errorf("asked %s, want %s", got, want)
	}
}

func TestRefusedRedirects(t *testing.T) {
	for location, says := range map[string]string{
		"download?" + signature:          "more than 5 redirects",
		"":                               "without Location",
		"http://[::1?" + signature:       "no URL",
		"ftp://host/x?" + signature:      "neither http nor https",
		"http://?" + signature:           "neither http nor https",
		"data:text/plain,x?" + signature: "neither http nor https",
	} {
		hits := 0
		c := start(t, func(w http.ResponseWriter, _ *http.Request) {
			hits++
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusFound)
		}, Options{})
		_, err := c.Download(t.Context(), Request{ID: testID})
		e := failure(t, err)
		if !errors.Is(err, ErrMalformed) || e.Temporary() || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("Location %q: %v, want a permanent error with %q", location, err, says)
		}
		if want := 1 + maxRedirects; strings.HasPrefix(says, "more") && hits != want {
			t.Errorf("%d requests in a circle, want %d", hits, want)
		}
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
	if b := c.Budget(Reader); b.Down == nil {
		t.Errorf("the gate is open")
	}
}

// quietTLS is a TLS server that does not print what clients think of it.
func quietTLS(t *testing.T, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

func trust(srv *httptest.Server) *tls.Config {
	return &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
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

func TestTLS(t *testing.T) {
	srv := quietTLS(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 && strings.HasSuffix(r.URL.Path, "/download") {
			t.Errorf("a download over %s", r.Proto)
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
	for _, tc := range []struct {
		name, base string
		o          Options
		says       string
	}{
		{"trusted", srv.URL, Options{TLS: trust(srv)}, ""},
		{"unknown authority", srv.URL, Options{}, "authority"},
		{"other host", srv.URL, Options{TLS: other}, "another host"},
		{"expired", srv.URL, Options{TLS: late}, "expired"},
		{"no common version", modern.URL, Options{TLS: old}, "can't agree"},
		{"plain http", strings.Replace(plain.URL, "http:", "https:", 1), Options{}, "does not speak"},
	} {
		c := newTestClient(t, tc.base, tc.o)
		resp, err := c.Download(t.Context(), Request{ID: testID})
		if tc.says == "" {
			if err != nil {
				t.Fatalf("%s: %v", tc.name, err)
			}
			_ = resp.Body.Close()
			continue
		}
		if e := failure(t, err); !strings.Contains(err.Error(), tc.says) || e.Temporary() || errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: %v, want a permanent error with %q", tc.name, err, tc.says)
		}
		if b := c.Budget(Reader); b.Down != nil {
			t.Errorf("%s: the gate is closed by %v", tc.name, b.Down)
		}
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
