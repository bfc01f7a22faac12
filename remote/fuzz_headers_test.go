package remote

import (
	"bufio"
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzResponse judges whatever a server may send for a download: an asset whose numbers fit each other, or one printable line.
func FuzzResponse(f *testing.F) {
	for _, head := range []string{
		"200 OK\r\nContent-Length: 5", "200 OK\r\nTransfer-Encoding: chunked", "206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 3-7/9",
		"206 Partial Content\r\nContent-Range: bytes */9", "200 OK\r\nContent-Length: 9223372036854775807", "416 x\r\nContent-Range: bytes */0",
		"503 x\r\nRetry-After: 120\r\nDate: Mon, 02 Jan 2006 15:04:05 GMT", "200 OK\r\nContent-Encoding: gzip, aws-chunked\r\nContent-Length: 5",
		"200 OK\r\nContent-Type: text/html\r\nLast-Modified: Mon, 02 Jan 2006 15:04:05 +0100\r\nETag: abc",
		"206 x\r\nContent-Length: 3\r\nContent-Range: bytes 3-/9", "429 x\r\nRetry-After: Mon, 02 Jan 2006 15:04:05 GMT", "204 x", "304 x", "100 x",
	} {
		for _, body := range []string{"12345", `{"code":"0429","msg":"m"}`, "<html>"} {
			f.Add([]byte("HTTP/1.1 "+head+"\r\n\r\n"+body), int64(3), false)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte, start int64, plain bool) {
		resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), nil)
		if err != nil || start < 0 || start > maxSize || plain && start > 0 {
			return
		}
		defer resp.Body.Close()
		r := Request{ID: testID, Start: start, NoRange: plain}
		body := bodyOf(nil)
		body.rc = resp.Body
		got, e := judge(resp, r, body)
		if e != nil {
			checkText(t, e)
			if e.RetryAfter < 0 || e.RetryAfter > maxRetryAfter || e.size < 0 {
				t.Errorf("%q: %+v", raw, e)
			}
			return
		}
		i := got.Info
		switch {
		case got.Partial && (got.Start > start || got.End <= start || i.Size >= 0 && got.End > i.Size):
			t.Errorf("%q from %d: bytes %d to %d of %d", raw, start, got.Start, got.End, i.Size)
		case !got.Partial && (got.Start != 0 || got.End != i.Size):
			t.Errorf("%q: bytes %d to %d of %d", raw, got.Start, got.End, i.Size)
		case i.Size < -1 || i.Size > maxSize || got.End > maxSize, got.Unframed && got.End >= 0:
			t.Errorf("%q: %+v", raw, got)
		case hint(i.ETag) != i.ETag || hint(i.LastModified) != i.LastModified || strings.ContainsFunc(i.Type, func(r rune) bool { return r <= ' ' || r > '~' }):
			t.Errorf("%q: %+v", raw, i)
		}
	})
}

// FuzzRetryAfter reads no wish that stops a mount.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "0", "120", "-1", "1e9", "99999999999999999999999", "Mon, 02 Jan 2006 15:04:05 GMT", "Monday, 02-Jan-06 15:04:05 GMT", " 5 ", "+5", "٣"} {
		f.Add(s, "Mon, 02 Jan 2006 15:00:00 GMT")
		f.Add(s, "")
	}
	f.Fuzz(func(t *testing.T, field, date string) {
		if d := retryAfter(http.Header{"Retry-After": {field}, "Date": {date}}); d < 0 || d > maxRetryAfter {
			t.Errorf("%q at %q is %v", field, date, d)
		}
	})
}

// FuzzRateLimit reads what it has written, and each rate is one that can be kept to.
func FuzzRateLimit(f *testing.F) {
	for _, s := range []string{"auto", "none", "1/s", "12/m", "1/s,12/m", "10000/h", "3/600ms", "1/0s", "0/s", "1/1h1ns", ",", "1/s,", "+1/s", "1 / s", "1/1e9h"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		l, err := ParseRateLimit(text)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b\x00") {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		again, err := ParseRateLimit(l.String())
		if err != nil || again.String() != l.String() || len(again.Rates) != len(l.Rates) {
			t.Errorf("%q reads %+v, written %s, which reads %+v, %v", text, l, l, again, err)
		}
		var s schedule
		now := time.Now()
		for _, r := range l.Rates {
			if r.N < 1 || r.N > rateMost || r.interval() <= 0 || r.window() < r.Per || s.open(r, now, 0).After(now) || s.open(r, now, r.N).Before(now) {
				t.Errorf("%q: %+v", text, r)
			}
		}
	})
}

// FuzzLearnt takes over what a note says that was learnt, which may be damaged or of a clock that was wrong: calls go on.
func FuzzLearnt(f *testing.F) {
	for _, s := range []string{
		"", "{}", "null", `{"Stretch":9,"Hold":-5,"Wait":1e18,"Clean":"2300-01-01T00:00:00Z","Until":"2300-01-01T00:00:00Z"}`,
		`{"Stretch":-1}`, `{"Stretch":2,"Clean":"0001-01-01T00:00:00Z","Hold":1}`,
	} {
		f.Add(s)
	}
	now := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		var k learnt
		k.load(text, now)
		rates := k.rates(AutoRateLimit(), now)
		if gap := k.gap(rates); gap < 0 || gap > gapMost+worth(rates)+slackMost || k.Until.After(now.Add(probeMost)) || k.Clean.After(now) {
			t.Errorf("%q: %+v, calls %v apart", text, k, gap)
		}
		k.refused(AutoRateLimit(), 12, 1, now)
		k.accepted(1, now.Add(time.Hour))
		Learnt(AutoRateLimit(), func(string) string { return text }, now)
	})
}

// FuzzBaseURL accepts no root by which the key goes elsewhere than its reader would think, or by which an ID leads out of it.
func FuzzBaseURL(f *testing.F) {
	for _, s := range []string{"https://host/path/", "http://localhost:1", "http://[::1]/x", "https://u:p@h/", "https://h?x", "https://h#x", "https:opaque", "//h", "http://127.0.0.1.evil/", "https://h/%2f/", "http://LOCALHOST./"} {
		f.Add(s, "re_1")
	}
	f.Add("https://h/a", "../x?y#z%2f")
	f.Fuzz(func(t *testing.T, raw, id string) {
		u, err := CheckBaseURL(raw, false)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b\x00") {
				t.Errorf("%q: %q", raw, err)
			}
			return
		}
		if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Hostname() == "" || u.Scheme == "http" && !loopback(u.Hostname()) {
			t.Errorf("%q is taken for %+v", raw, u)
		}
		call, err := callURL(u, id, opDownload)
		if err != nil {
			return
		}
		sent, err := url.Parse(call.String())
		if err != nil || sent.Host != u.Host || sent.RawQuery != "" || sent.Fragment != "" || !strings.HasPrefix(sent.EscapedPath(), u.EscapedPath()+"/") ||
			strings.Count(sent.EscapedPath(), "/") != strings.Count(u.EscapedPath(), "/")+2 {
			t.Errorf("%q and %q: %s, %v", raw, id, call, err)
		}
	})
}
