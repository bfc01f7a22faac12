package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// One free call distinguishes what can be wrong between this machine and the API. It is a single metadata call.
func TestCheck(t *testing.T) {
	say := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if strings.HasPrefix(text, "<") {
				w.Header().Set("Content-Type", "text/html")
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, text)
		}
	}
	for _, tt := range []struct {
		name   string
		answer http.HandlerFunc
		want   Verdict
		text   string
	}{
		{"metadata", say(200, `{"code":200,"msg":"success","data":{"resource":[{"asset_id":"re_0","file_size":"1"}]},"success":true}`), Accepted, ""},
		{"not found", say(400, `{"code":400,"msg":"Asset not found","data":null}`), Accepted, "Asset not found"},
		{"not found, old", say(200, `{"code":"0001","msg":"Asset does not exist","data":null,"failed":true}`), Accepted, ""},
		{"no list", say(200, `{"code":"0000","msg":"success","data":{"resource":[]}}`), Accepted, ""},
		{"uploading", say(200, `{"code":200,"data":{"resource":[{"asset_id":"re_0","upload_status":"UPLOADING"}]}}`), Accepted, ""},
		{"no balance", say(402, `{"code":402,"msg":"Insufficient balance","data":null}`), Accepted, "Insufficient"},
		{"unauthorized", say(401, `{"code":401,"msg":"Unauthorized","data":null}`), KeyRefused, "Unauthorized"},
		{"unauthorized on 200", say(200, `{"code":"0401","msg":"Unauthorized","data":null,"failed":true}`), KeyRefused, ""},
		{"unauthorized by a gateway", say(401, ``), KeyRefused, ""},
		{"disabled", say(403, `{"code":403,"msg":"Account disabled","data":null}`), AccessDenied, "disabled"},
		{"permission, old", say(400, `{"code":"9009","msg":"Permission denied","data":null}`), AccessDenied, ""},
		{"forbidden by somebody", say(403, `<html>no</html>`), AccessDenied, ""},
		{"unknown route", say(400, `{"code":"0001","msg":"No static resource serve/api.","data":null}`), NotTheAPI, "is --base-url right?"},
		{"gateway 404", say(404, `{"timestamp":"x","path":"/a","status":404,"error":"Not Found","requestId":"1"}`), NotTheAPI, "is --base-url right?"},
		{"plain 404", say(404, `404 page not found`), NotTheAPI, "is --base-url right?"},
		{"http to https", say(400, `Client sent an HTTP request to an HTTPS server.`), NotTheAPI, ""},
		{"another JSON", say(200, `{"hello":"world"}`), NotTheAPI, ""},
		{"a text", say(200, `hello`), NotTheAPI, ""},
		{"nothing", say(204, ``), NotTheAPI, ""},
		{"a login page", say(200, `<html>log in</html>`), ProxyInWay, "login page"},
		{"511", say(511, `<html>log in</html>`), ProxyInWay, "login page"},
		{"407", say(407, `who are you?`), ProxyInWay, "407"},
		{"rate limit", say(429, `{"code":429,"msg":"slow down","data":null}`), Busy, ""},
		{"rate limit, old", say(400, `{"code":"0429","msg":"slow down","data":null}`), Busy, ""},
		{"exceeded", say(400, `{"code":400,"msg":"Request has exceeded the limit.","data":null}`), Busy, ""},
		{"internal", say(500, `{"code":500,"msg":"internal","data":null}`), Faulty, "internal"},
		{"bad gateway", say(502, `<html>bad gateway</html>`), Faulty, ""},
		{"cut", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, Faulty, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var calls atomic.Int64
			c := start(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1); !strings.HasSuffix(r.URL.Path, "/re_0/metadata") {
					t.Errorf("asked for %s", r.URL.Path)
				}
				tt.answer(w, r)
			}, Options{})
			got := c.Check(t.Context(), "re_0")
			text := ""
			if got.Err != nil {
				text = got.Err.Error()
			}
			if got.Verdict != tt.want || !strings.Contains(text, tt.text) || calls.Load() != 1 {
				t.Errorf("verdict %d after %d calls, %s; want %d and %q", got.Verdict, calls.Load(), text, tt.want, tt.text)
			}
			if got.Verdict == Accepted && (!got.Dated || got.Ahead != 0) {
				t.Errorf("the clock is %v ahead, told %v", got.Ahead, got.Dated)
			}
		})
	}
}

// Failures that keep a call from reaching the API are distinguished.
func TestCheckWithoutAnswer(t *testing.T) {
	check := func(base string, o Options) Checkup {
		u, err := url.Parse(base)
		if err != nil {
			t.Fatal(err)
		}
		o.Key = NewKey("", "sk")
		c := NewClient(u, o)
		defer c.Close()
		return c.Check(t.Context(), "re_0")
	}
	want := func(name string, got Checkup, verdict Verdict, text string) {
		t.Helper()
		if got.Err == nil || got.Verdict != verdict || !strings.Contains(got.Err.Error(), text) {
			t.Errorf("%s: verdict %d, %v; want %d and %q", name, got.Verdict, got.Err, verdict, text)
		}
	}
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	secure.StartTLS()
	defer secure.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	closed := gone.Listener.Addr().String()
	gone.Close()
	roots := x509.NewCertPool()
	roots.AddCert(secure.Certificate())

	want("unknown authority", check(secure.URL, Options{}), Untrusted, "give it with --ca-file")
	want("trusted", check(secure.URL, Options{TLS: &tls.Config{RootCAs: roots}}), NotTheAPI, "404")
	if got := check(secure.URL, Options{TLS: &tls.Config{RootCAs: roots}}); !got.Expires.Equal(secure.Certificate().NotAfter) {
		t.Errorf("the certificate expires %v", got.Expires)
	}
	want("another host", check(secure.URL, Options{TLS: &tls.Config{RootCAs: roots, ServerName: "api.example"}}), Untrusted, "another host")
	later := func() time.Time { return time.Now().AddDate(200, 0, 0) }
	want("expired", check(secure.URL, Options{TLS: &tls.Config{RootCAs: roots, Time: later}}), Untrusted, "is the clock right?")
	want("plain port", check("https://"+plain.Listener.Addr().String(), Options{}), Untrusted, "plain http")
	want("refused", check("http://"+closed, Options{}), Unreachable, "refused")
	want("no name", check("http://no.such.host.invalid", Options{}), Unreachable, "no.such.host.invalid")
	via := func(addr string) Options {
		return Options{proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: addr})}
	}
	want("proxy gone", check("https://api.example", via(closed)), ProxyInWay, "refused")
	want("proxy gone, plain", check("http://api.example", via(closed)), ProxyInWay, "refused")
	for status, verdict := range map[int]Verdict{407: ProxyInWay, 403: ProxyInWay, 502: ProxyInWay} {
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
		want("proxy says no", check("https://api.example", via(proxy.Listener.Addr().String())), verdict, proxy.Listener.Addr().String())
		proxy.Close()
	}
	got := check("http://api.example", via(plain.Listener.Addr().String()))
	if got.Proxy != plain.Listener.Addr().String() {
		t.Errorf("the proxy is %q", got.Proxy)
	}
}

// A call without an answer ends with ctx.
func TestCheckSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := bubble(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, Options{})
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if got := c.Check(ctx, "re_0"); got.Verdict != Silent || got.Took != 10*time.Second {
			t.Errorf("%+v", got)
		}
	})
}

// An answer is not used for a call that comes much later.
func TestCheckFirstAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			calls++
			_, _ = io.WriteString(w, `{"code":200,"data":{"resource":[{"asset_id":"re_1","file_size":"7"}]}}`)
		}, Options{})
		defer stop()
		c.CheckFirst("re_1")(t.Context())
		time.Sleep(earlyFor)
		if _, err := c.Metadata(t.Context(), Reader, "re_1"); err != nil || calls != 2 {
			t.Errorf("%d calls, %v", calls, err)
		}
	})
}

func TestAhead(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 500e6, time.UTC)
	end := start.Add(3 * time.Second)
	for _, tt := range []struct {
		date string
		want time.Duration
	}{{"00:00:00", 0}, {"00:00:03", 0}, {"00:00:04", 500 * time.Millisecond}, {"01:00:03", time.Hour - 500*time.Millisecond}} {
		date, err := time.Parse(time.DateTime, "2026-01-01 "+tt.date)
		if err != nil {
			t.Fatal(err)
		}
		if got := ahead(date, start, end); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.date, got, tt.want)
		}
	}
	if got := ahead(start.Add(-time.Hour), start, end); got != time.Second-time.Hour {
		t.Errorf("an hour behind: %v", got)
	}
}

// The first Metadata call on the checked asset needs no request; later ones do.
func TestCheckFirst(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string
		calls  int64 // made by Check and two Metadata
		ok     bool
	}{
		"good":     {`{"code":200,"data":{"resource":[{"asset_id":"re_1","file_size":"7"}]}}`, 2, true},
		"no asset": {`{"code":400,"msg":"Asset not found","data":null}`, 2, false},
		"key":      {`{"code":401,"msg":"Unauthorized","data":null}`, 1, false}, // later ones would be refused, too
		"trouble":  {`{"code":500,"msg":"internal","data":null}`, 3, false},
		"odd":      {`{"code":200,"data":[]}`, 3, false},
	} {
		var calls atomic.Int64
		c := start(t, func(w http.ResponseWriter, _ *http.Request) {
			calls.Add(1)
			_, _ = io.WriteString(w, tt.answer)
		}, Options{})
		check := c.CheckFirst("re_1")
		var wg sync.WaitGroup
		wg.Go(func() { check(t.Context()) })
		for range 2 {
			i, err := c.Metadata(t.Context(), Reader, "re_1")
			if (err == nil) != tt.ok || tt.ok && i.Size != 7 {
				t.Errorf("%s: %+v, %v", name, i, err)
			}
		}
		wg.Wait()
		if n := calls.Load(); n != tt.calls {
			t.Errorf("%s: %d calls, want %d", name, n, tt.calls)
		}
	}
}

// Whoever waits for the answer to the first call is told once when that is sent, not when it is answered.
func TestCheckFirstSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const took = 3 * time.Second
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(took)
			_, _ = io.WriteString(w, `{"code":200,"data":{"resource":[{"asset_id":"re_1","file_size":"7"}]}}`)
		}, Options{})
		defer stop()
		check := c.CheckFirst("re_1")
		var wg sync.WaitGroup
		wg.Go(func() { check(t.Context()) })
		began := time.Now()
		told := 0
		_, err := c.Metadata(WithSent(t.Context(), func(sent bool) {
			if told++; !sent || time.Since(began) != 0 {
				t.Errorf("told %v after %v", sent, time.Since(began))
			}
		}), Reader, "re_1")
		if err != nil || told != 1 || time.Since(began) != took {
			t.Errorf("%v, told %d times, after %v", err, told, time.Since(began))
		}
		wg.Wait()
	})
}

// A key that was refused at first may have been mended since.
func TestCheckFirstNewKey(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Date"] = nil
		if r.Header.Get("Authorization") != "right" {
			_, _ = io.WriteString(w, `{"code":"0401","msg":"Unauthorized","data":null}`)
			return
		}
		_, _ = io.WriteString(w, `{"code":200,"data":{"resource":[{"asset_id":"re_1","file_size":"7"}]}}`)
	}, Options{Key: NewKey(keyFile(t, "wrong"), "")})
	if got := c.CheckFirst("re_1")(t.Context()); got.Verdict != KeyRefused || got.Dated || got.Ahead != 0 {
		t.Errorf("%+v", got)
	}
	writeKey(t, c.o.Key.file, "right")
	if i, err := c.Metadata(t.Context(), Reader, "re_1"); err != nil || i.Size != 7 {
		t.Errorf("%+v, %v", i, err)
	}
}

// The answer about one asset is not used for another.
func TestCheckFirstOther(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		id := path.Base(path.Dir(r.URL.Path))
		_, _ = fmt.Fprintf(w, `{"code":200,"data":{"resource":[{"asset_id":%q,"file_size":%s}]}}`, id, id[3:])
	}, Options{})
	c.CheckFirst("re_1")(t.Context())
	if i, err := c.Metadata(t.Context(), Reader, "re_2"); err != nil || i.Size != 2 {
		t.Errorf("%+v, %v", i, err)
	}
}

func TestVerdictOfStall(t *testing.T) {
	if v := (&Error{Err: ErrStalled}).verdict(); v != Silent {
		t.Errorf("%v", v)
	}
}
