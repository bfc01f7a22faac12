package remote

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// raw serves answers byte for byte, one per connection, and the last one for all further connections.
func raw(t *testing.T, answers ...string) (*Client, *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing is waited for
	if err != nil {
		t.Fatal(err)
	}
	hits := new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			n := int(hits.Add(1))
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, answers[min(n, len(answers))-1])
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	return newTestClient(t, "http://"+l.Addr().String(), Options{}), hits
}

func reply(status int, fields, body string) string {
	return "HTTP/1.1 " + strconv.Itoa(status) + " X\r\n" + fields + "\r\n" + body
}

func gzipped(s string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

func deflated(s string) string {
	var b bytes.Buffer
	w := zlib.NewWriter(&b)
	_, _ = io.WriteString(w, s)
	_ = w.Close()
	return b.String()
}

// chunks adds chunk framing to s.
func chunks(s string) string {
	return strconv.FormatInt(int64(len(s)), 16) + "\r\n" + s + "\r\n0\r\n\r\n"
}

const attachment = "Content-Disposition: attachment; filename=x\r\n"

const (
	emptyBody = `{"code":200,"msg":"success","data":null}`
	gateway   = `{"timestamp":"2025-05-06T07:08:09Z","path":"/serve/api/v2/re_1/download","status":404,"error":"Not Found","requestId":"1a-2"}`
	noRoute   = `{"code":"0001","msg":"No static resource api.","data":null,"success":false,"failed":true}`
)

// Answers that are not an asset, each to a request for the bytes from 100 on.
func TestRefusedAnswers(t *testing.T) {
	const object = `{"code":"0402","msg":"Insufficient balance","data":null,"success":false,"failed":true}`
	const page = "<!DOCTYPE html><title>Log in</title>"
	for _, tc := range []struct {
		name, answer string
		is           error
		number       int
		retry        int // as returned by Error.Retry
		says         string
	}{
		// From the API.
		{"error object", reply(402, "", object), nil, 402, 0, "Insufficient balance"},
		{"error object on 200", reply(200, "Content-Length: 86\r\n", object), nil, 402, 0, "Insufficient balance"},
		{"error object on 200, no length", reply(200, "", object), nil, 402, 0, "Insufficient balance"},
		{"error object on 200, as a file type", reply(200, "Content-Type: video/mp4\r\n", object), nil, 402, 0, "Insufficient balance"},
		{"error object on 200, as html", reply(200, "Content-Type: text/html\r\n", object), nil, 402, 0, "Insufficient balance"},
		{"newer error object on 200", reply(200, "", `{"code":429,"msg":"slow","data":null}`), nil, 429, -1, "slow"},
		{"newer error object on 200, more keys", reply(200, "", `{"code":500,"msg":"oops","data":null,"traceId":"1"}`), nil, 500, -1, "oops"},
		{"error object after a byte order mark", reply(200, "", "\ufeff"+object), nil, 402, 0, "Insufficient balance"},
		{"success without an asset", reply(200, "", emptyBody), ErrMalformed, 0, 0, "no asset"},
		{"older success without an asset", reply(200, "", `{"code":"0000","msg":"success","data":{}}`), ErrMalformed, 0, 0, "no asset"},
		{"string code on 400", reply(400, "", `{"code":"0429","msg":"slow","data":null}`), nil, 429, -1, "slow"},
		{"unknown asset", reply(400, "", `{"code":400,"msg":"Asset not found","data":null}`), nil, 400, 0, "Asset not found"},
		{"unknown asset on 404", reply(404, "", `{"code":404,"msg":"Asset not found"}`), nil, 404, 0, "Asset not found"},
		{"empty 404", reply(404, "Content-Length: 0\r\n", ""), nil, 404, 0, "404"},
		{"limit of something", reply(400, "", `{"code":400,"msg":"Request has exceeded the limit.","data":null}`), ErrExceeded, 400, 3, "exceeded the limit"},
		{"limit of something, older", reply(200, "", `{"code":"0001","msg":"Request has exceeded the limit.","success":false}`), ErrExceeded, 400, 3, "exceeded the limit"},
		{"limit of requests", reply(429, "", `{"code":429,"msg":"Request has exceeded the limit."}`), nil, 429, -1, "exceeded the limit"},
		{"server error under the header of a part", reply(500, attachment+"Content-Range: bytes 100-137/138\r\nContent-Length: 38\r\n", `{"code":500,"msg":"oops","data":null }`), nil, 500, -1, "oops"},
		{"server error", reply(500, "", `{"code":500,"msg":"oops","data":null}`), nil, 500, -1, "oops"},

		{"compressed", reply(402, "Content-Encoding: gzip\r\n", gzipped(object)), nil, 402, 0, "Insufficient balance"},
		{"compressed, in chunks", reply(402, "Content-Encoding: x-gzip\r\nTransfer-Encoding: chunked\r\n", chunks(gzipped(object))), nil, 402, 0, "Insufficient balance"},
		{"deflated", reply(402, "Content-Encoding: deflate\r\n", deflated(object)), nil, 402, 0, "Insufficient balance"},
		{"deflated, without a header", reply(402, "Content-Encoding: deflate\r\n", deflated(object)[2:]), nil, 402, 0, "Insufficient balance"},
		{"compressed on 200", reply(200, "Content-Encoding: gzip\r\n", gzipped(object)), nil, 402, 0, "Insufficient balance"},
		{"compressed part", reply(206, "Content-Encoding: gzip\r\nContent-Range: bytes 0-200/201\r\n", gzipped(object)), nil, 402, 0, "Insufficient balance"},
		{"compressed login page", reply(200, "Content-Encoding: gzip\r\nContent-Type: text/html\r\n", gzipped(page)), ErrUnreachable, 0, -1, "login page"},
		{"error object on 202", reply(202, "", object), nil, 402, 0, "Insufficient balance"},
		{"limit on 201", reply(201, "", `{"code":"0429","msg":"slow"}`), nil, 429, -1, "slow"},
		{"error object after much white space", reply(200, "", strings.Repeat("\n", 600)+object+strings.Repeat(" ", 600)), nil, 402, 0, "Insufficient balance"},
		{"error object of several lines", reply(200, "", "{\n\"code\" : 402,\r\n\t\"msg\" : \"Insufficient\nbalance\"\n}"), nil, 402, 0, "Insufficient balance"},
		{"error object with an empty disposition", reply(200, "Content-Disposition: \r\n", object), nil, 402, 0, "Insufficient balance"},
		{"fractional code", reply(200, "", `{"code":429.0,"msg":"slow","data":null}`), nil, 429, -1, "slow"},
		{"no code", reply(200, "", `{"code":null,"msg":"oops","data":null,"success":false,"failed":true}`), ErrMalformed, 0, 0, "oops"},
		{"long error object", reply(400, "", `{"code":"0402","msg":"Insufficient balance","data":"`+strings.Repeat("x", 70<<10)+`"}`), nil, 402, 0, "Insufficient balance"},
		{"long error object of an unknown asset", reply(400, "", `{"code":400,"msg":"Asset not found","data":[`+strings.Repeat("{},", 30<<10)+`]}`), nil, 400, 0, "Asset not found"},
		{"a bomb", reply(402, "Content-Encoding: gzip\r\n", gzipped(strings.Repeat("x", 64<<20))), errForeign, 0, 3, "402"},
		{"compressed, it says", reply(402, "Content-Encoding: gzip\r\n", object), errForeign, 0, 3, "402"},
		{"compressed by what is not known here", reply(402, "Content-Encoding: br\r\n", "\x0b\x02\x80"), errForeign, 0, 3, "402"},
		{"with a comment behind it", reply(400, "", `{"code":400,"msg":"Asset not found","data":null}`+"\n<!-- cache1 -->"), nil, 400, 0, "Asset not found"},
		{"code in quotes with a fraction", reply(200, "", `{"code":"429.0","msg":"slow","data":null}`), nil, 429, -1, "slow"},
		{"in chunks", reply(402, "Transfer-Encoding: chunked\r\n", chunks(object)), nil, 402, 0, "Insufficient balance"},
		{"in chunks on 200", reply(200, "Transfer-Encoding: chunked\r\n", chunks(object)), nil, 402, 0, "Insufficient balance"},
		{"with a disposition", reply(402, attachment, object), nil, 402, 0, "Insufficient balance"},
		{"of a charset", reply(402, "Content-Type: application/json;charset=UTF-8\r\n", "\r\n\t "+object+"\r\n"), nil, 402, 0, "Insufficient balance"},
		{"a list of errors", reply(402, "", "["+object+"]"), errForeign, 0, 3, "402"},

		// From others.
		{"gateway 404", reply(404, "Content-Type: application/json\r\n", gateway), errForeign, 0, 3, "is --base-url right?"},
		{"gateway 404 on 200", reply(200, "", gateway), errForeign, 0, 3, "is --base-url right?"},
		{"gateway 503 on 200", reply(200, "", `{"timestamp":1,"path":"/","status":503,"error":"Service Unavailable"}`), nil, 503, -1, "Service Unavailable"},
		{"gateway 429 on 200", reply(200, "", `{"timestamp":1,"path":"/","status":429,"error":"Too Many Requests"}`), nil, 429, -1, "Too Many Requests"},
		{"html 408", reply(408, "Content-Type: text/html\r\n", page), nil, 408, -1, "408"},
		{"gateway 503", reply(503, "", `{"timestamp":1,"path":"/","status":503,"error":"Service Unavailable"}`), nil, 503, -1, "Service Unavailable"},
		{"no such route", reply(404, "", noRoute), errForeign, 0, 3, "is --base-url right?"},
		{"no such route on 200", reply(200, "", noRoute), errForeign, 0, 3, "is --base-url right?"},
		{"no such route on 500", reply(500, "", noRoute), errForeign, 0, 3, "is --base-url right?"},
		{"html 404", reply(404, "Content-Type: text/html\r\n", page), errForeign, 0, 3, "is --base-url right?"},
		{"text 404", reply(404, "Content-Type: text/plain\r\n", "404 page not found"), errForeign, 0, 3, "404 page not found"},
		{"html 403", reply(403, "Content-Type: text/html\r\n", page), errForeign, 0, 2, "API (is there a proxy"},
		{"xml 403 of a storage host", reply(403, "Content-Type: application/xml\r\n", "<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"), errForeign, 0, 2, "403"},
		{"json 404 of something else", reply(404, "", `{"error":"not found"}`), errForeign, 0, 3, "404"},
		{"object that breaks off after its code", reply(400, "Content-Length: 500\r\n", `{"code":"0429","ms`), nil, 429, -1, "429"},
		{"object that breaks off", reply(402, "Content-Length: 500\r\n", `{"code":402,"ms`), nil, 402, 0, "402"},
		{"404 that breaks off", reply(404, "Content-Length: 500\r\n", `<ht`), errForeign, 0, 3, "404"},
		{"html 429", reply(429, "Content-Type: text/html\r\n", page), nil, 429, -1, "429"},
		{"plain text", reply(503, "Content-Type: text/plain\r\n", "down for \x1b[1mrepair\nsecond line"), nil, 503, -1, `"down for \x1b[1mrepair"`},
		{"html 502", reply(502, "Content-Type: text/html\r\n", "<html>not found"), nil, 502, -1, "502 Bad Gateway"},
		{"error body that breaks off", reply(500, "Content-Length: 500\r\n", `{"code":500`), nil, 500, -1, "500"},
		// From a script that names no type, so that PHP does.
		{"words of a script", reply(200, "Content-Type: text/html; charset=UTF-8\r\n", "\nNo credit\nbye"), errForeign, 0, 3, `HTTP 200 OK, "No credit": not an answer`},
		{"words of a script, some in bold", reply(200, "Content-Type: text/html\r\n", "No <b>credit</b>"), errForeign, 0, 3, `"No credit"`},
		{"object of a script", reply(200, "Content-Type: text/html; charset=UTF-8\r\n", `{"error":"No credit"}`), errForeign, 0, 3, "No credit"},
		{"error of PHP", reply(200, "Content-Type: text/html; charset=UTF-8\r\n", "<br />\n<b>Fatal error</b>:  No &quot;f&quot; in <b>/x.php</b>\n"), errForeign, 0, 3, `"Fatal error:  No \"f\" in /x.php"`},
		{"words of a script, with a status", reply(403, "Content-Type: text/html; charset=UTF-8\r\n", "No credit"), errForeign, 0, 2, "No credit"},
		{"error of PHP on 500", reply(500, "Content-Type: text/html; charset=UTF-8\r\n", "<br />\n<b>Fatal error</b>: No f"), nil, 500, -1, "Fatal error: No f"},

		// From a network that answers instead of the API.
		{"login page", reply(200, "Content-Type: text/html; charset=utf-8\r\n", "<p>hello"), ErrUnreachable, 0, -1, "HTML page"},
		{"login page of a script", reply(200, "Content-Type: text/html\r\n", "\ufeff\n<div>hello"), ErrUnreachable, 0, -1, "HTML page"},
		{"long login page", reply(200, "Content-Length: 60000\r\n", page+strings.Repeat(" ", 60000-len(page))), ErrUnreachable, 0, -1, "HTML page"},
		{"login page in disguise", reply(200, "Content-Type: video/mp4\r\n", "\n"+page), ErrUnreachable, 0, -1, "login page"},
		{"login page in XML", reply(200, "", "<?xml version='1.0'?>\n<!-- hotel -->\n<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN'>"), ErrUnreachable, 0, -1, "login page"},
		{"login page of nothing", reply(200, "Content-Type: text/html\r\nContent-Length: 0\r\n", ""), ErrUnreachable, 0, -1, "login page"},
		{"login wanted", reply(511, "Content-Type: text/html\r\n", page), ErrUnreachable, 511, -1, "login page"},
		{"login wanted, in json", reply(511, "", `{"code":401,"msg":"log in"}`), ErrUnreachable, 511, -1, "log in"},
		{"proxy", reply(407, "", "who are you"), ErrProxy, 407, 0, "a proxy wants a user"},

		// Rejected by every HTTP client.
		{"error object that breaks off", reply(200, "Content-Type: application/json\r\n", `{"code":500,"msg":"x`), ErrMalformed, 0, 3, "cut off"},
		{"long error object that breaks off", reply(200, "Content-Length: 5000\r\n", `{"code":402,"msg":"Insufficient balance","data":"`+strings.Repeat("x", 1000)+`"}`), nil, 402, 0, "Insufficient balance"},
		{"no content", reply(204, "", ""), ErrMalformed, 0, 0, "204"},
		{"nothing, accepted as html", reply(202, "Content-Type: text/html\r\nContent-Length: 0\r\n", ""), ErrMalformed, 0, 0, "202"},
		{"no content, by name", reply(204, attachment, ""), ErrMalformed, 0, 0, "204"},
		{"no content by another status", reply(205, attachment+"Content-Length: 0\r\n", ""), ErrMalformed, 0, 0, "205"},
		{"accepted, but not ready", reply(202, "Content-Type: text/plain\r\n", "coming soon"), ErrMalformed, 0, 0, "202"},
		{"not modified", reply(304, "", ""), ErrMalformed, 304, 0, "304"},
		{"choices", reply(300, "", ""), ErrMalformed, 300, 0, "300"},
		{"gzip", reply(200, attachment+"Content-Encoding: gzip\r\n", "x"), ErrMalformed, 0, 0, `"gzip"`},
		{"gzip range", reply(206, attachment+"Content-Encoding: gzip\r\nContent-Range: bytes 100-100/200\r\n", "x"), ErrMalformed, 0, 0, `"gzip"`},
		{"page in gzip, by name", reply(200, attachment+"Content-Type: text/html\r\nContent-Encoding: gzip\r\n", gzipped(page)), ErrMalformed, 0, 0, `"gzip"`},
		{"coding among others", reply(200, attachment+"Content-Encoding: identity, aws-chunked , Br\r\n", "x"), ErrMalformed, 0, 0, `"br"`},
		{"coding in a second field", reply(200, attachment+"Content-Encoding: x\r\nContent-Encoding: zstd\r\n", "x"), ErrMalformed, 0, 0, `"zstd"`},
		{"negative length", reply(200, attachment+"Content-Length: -1\r\n", "x"), ErrMalformed, 0, 0, "Content-Length"},
		{"length of 2^63", reply(200, attachment+"Content-Length: 9223372036854775808\r\n", "x"), ErrMalformed, 0, 0, "Content-Length"},
		{"length of 2^63-1", reply(200, attachment+"Content-Length: 9223372036854775807\r\n", "x"), ErrMalformed, 0, 0, "bytes"},
		{"length of 2^60+1", reply(200, attachment+"Content-Length: 1152921504606846977\r\n", "x"), ErrMalformed, 0, 0, "1152921504606846977 bytes"},
		{"range of a size of 2^60+1", reply(206, attachment+"Content-Range: bytes 100-100/1152921504606846977\r\n", "x"), ErrMalformed, 0, 0, "bytes"},
		{"range up to 2^60+1", reply(206, attachment+"Content-Range: bytes 0-1152921504606846976/*\r\n", "x"), ErrMalformed, 0, 0, "bytes"},
		{"two lengths", reply(200, attachment+"Content-Length: 1\r\nContent-Length: 2\r\n", "x"), ErrMalformed, 0, 0, "Content-Length"},
		{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", ErrMalformed, 0, 0, "malformed"},
		{"endless header", reply(200, strings.Repeat("X-Pad: "+strings.Repeat("x", 1000)+"\r\n", 100), "x"), ErrMalformed, 0, 0, "header"},
		{"unknown transfer coding", reply(200, attachment+"Transfer-Encoding: rot13\r\n", "x"), ErrMalformed, 0, 0, "rot13"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, hits := raw(t, tc.answer)
			_, err := c.Download(t.Context(), Request{ID: testID, Class: Background, Start: 100}) // Background never waits after a refusal
			e := failure(t, err)
			checkText(t, e)
			if tc.is != nil && !errors.Is(err, tc.is) || tc.is == nil && errors.Is(err, ErrMalformed) || e.Number() != tc.number || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, number %d, want %v, number %d, and %q", err, e.Number(), tc.is, tc.number, tc.says)
			}
			if n, _ := e.Retry(); n != tc.retry {
				t.Errorf("%v is worth %d requests, want %d", err, n, tc.retry)
			}
			want := int64(1)
			if e.foreign && e.refusesAny() && e.Status != http.StatusInternalServerError {
				want = 2 // the second one without Range
			}
			if hits.Load() != want {
				t.Errorf("%d requests, want %d", hits.Load(), want)
			}
			if s := c.Stats(); s.Bytes != 0 {
				t.Errorf("%d bytes counted as an asset's", s.Bytes)
			}
		})
	}
}

// A page that comes instead of an asset may say when to come back, like a status of trouble.
func TestPageSaysWhen(t *testing.T) {
	for _, body := range []string{"<html>Back soon", "Back soon"} {
		c, _ := raw(t, reply(200, "Content-Type: text/html\r\nRetry-After: 30\r\n", body))
		_, err := c.Download(t.Context(), Request{ID: testID, Class: Background})
		if _, after := failure(t, err).Retry(); after != 30*time.Second {
			t.Errorf("%s: %v, again after %v", body, err, after)
		}
	}
}

// Answers that look odd but are the asset.
func TestAcceptedAnswers(t *testing.T) {
	const object = `{"code":"0402","msg":"x","success":false}`
	long := `{"code":500,"msg":"y","x":"` + strings.Repeat("y", 70<<10) + `"}`
	for _, tc := range []struct {
		name, fields, body string
		status             int
		start, end, size   int64
	}{
		{"json asset", attachment + "Content-Type: application/json\r\nContent-Length: 41\r\n", object, 200, 0, 41, 41},
		{"json asset in part", attachment + "Content-Type: application/json\r\nContent-Range: bytes 0-40/42\r\n", object, 206, 0, 41, 42},
		{"html asset", attachment + "Content-Type: text/html\r\n", "<html>", 200, 0, -1, -1},
		{"no name", "Content-Type: video/mp4\r\nContent-Length: 3\r\n", "abc", 200, 0, 3, 3},
		{"no name, bytes as html", "Content-Type: text/html\r\nContent-Length: 4\r\n", "\x00\x01\xff\xfe", 200, 0, 4, 4},
		{"no name, json", "Content-Type: application/json\r\n", `{"code":1}`, 200, 0, -1, -1},
		{"no name, json with a code and a msg", "Content-Type: application/json\r\n", `{"code":200,"msg":"x","frames":[]}`, 200, 0, -1, -1},
		{"no name, json lines", "Content-Type: application/json\r\n", "{\"code\":1}\n{\"code\":2}\n", 200, 0, -1, -1},
		{"no name, more than one object", "Content-Type: application/json\r\n", `{"code":429,"msg":"slow","data":null} {}`, 200, 0, -1, -1},
		{"no name, json of no object", "Content-Type: application/json\r\n", `[1,`, 200, 0, -1, -1},
		{"no name, long json", "Content-Type: application/json\r\n", long, 200, 0, -1, -1},
		{"no name, long json with the keys of an error", "Content-Type: application/json\r\n", strings.Replace(long, `"x"`, `"data"`, 1), 200, 0, -1, -1},
		{"no name, xml", "", "<?xml version='1.0'?>\n<!-- made by hand --><svg/>", 200, 0, -1, -1},
		{"no name, svg", "Content-Type: image/svg+xml\r\n", "<!-- made by hand --><svg/>", 200, 0, -1, -1},
		{"no name, readme", "Content-Type: text/markdown\r\n", "<p align=center>", 200, 0, -1, -1},
		{"no name, white space", "Content-Type: text/plain\r\n", strings.Repeat(" ", 600), 200, 0, -1, -1},
		{"nothing", attachment + "Content-Length: 0\r\n", "", 200, 0, 0, 0},
		{"nothing, no name", "Content-Length: 0\r\n", "", 200, 0, 0, 0},
		{"identity", attachment + "Content-Encoding: Identity\r\nContent-Length: 1\r\n", "x", 200, 0, 1, 1},
		{"aws-chunked", attachment + "Content-Encoding: aws-chunked,\r\nContent-Length: 1\r\n", "x", 200, 0, 1, 1},
		{"unknown coding", attachment + "Content-Encoding: utf-8, gzipped\r\nContent-Length: 1\r\n", "x", 200, 0, 1, 1},
		{"earlier range", attachment + "Content-Range: bytes 98-103/200\r\n", "abcdef", 206, 98, 104, 200},
		{"range of unknown size", attachment + "Content-Range: bytes 100-101/*\r\nContent-Length: 2\r\n", "ab", 206, 100, 102, -1},
		{"range twice", attachment + "Content-Range: bytes 100-101/200\r\nContent-Range: bytes 100-101/200\r\n", "ab", 206, 100, 102, 200},
		{"no name, a part that begins like a page", "Content-Range: bytes 100-105/106\r\n", "<html>", 206, 100, 106, 106},
		{"chunked range without its end", attachment + "Content-Range: bytes 100-101/200\r\nTransfer-Encoding: chunked\r\n", "2\r\nab\r\n", 206, 100, 102, 200},
		{"chunked range", attachment + "Content-Range: bytes 100-101/200\r\nTransfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n", 206, 100, 102, 200},
		{"control bytes", "Content-Disposition: attachment; filename=\"a\x01\x7f\x00b\"\r\nX-A\x02: \x03\rb\r\nContent-Length: 3\r\n", "\x01\r\x02", 200, 0, 3, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := raw(t, reply(tc.status, tc.fields, tc.body))
			start := int64(100)
			if tc.status == 206 {
				start = tc.end - 1
			}
			resp, body, err := fetch(t, c, Request{Start: start})
			if err != nil {
				t.Fatal(err)
			}
			want := tc.body
			if strings.HasPrefix(tc.name, "chunked range") {
				want = "ab"
			}
			if body != want || resp.Start != tc.start || resp.End != tc.end || resp.Info.Size != tc.size || resp.Partial != (tc.status == 206) {
				t.Errorf("%d bytes %.50q of %+v, want %d bytes at %d to %d of %d", len(body), body, resp, len(want), tc.start, tc.end, tc.size)
			}
			if resp.Doubtful || resp.Unframed != (tc.status == 200 && tc.end < 0) {
				t.Errorf("doubtful %v, unframed %v", resp.Doubtful, resp.Unframed)
			}
			if s := c.Stats(); s.Bytes != int64(len(want)) {
				t.Errorf("%d bytes counted, want %d", s.Bytes, len(want))
			}
		})
	}
}

// A body whose length differs from its header is noticed.
func TestBodyLength(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		is           error
		temporary    bool
		delivered    int
	}{
		{"short", reply(200, attachment+"Content-Length: 10\r\n", "abc"), io.ErrUnexpectedEOF, true, 3},
		{"short range", reply(206, attachment+"Content-Range: bytes 0-9/10\r\n", "abc"), io.ErrUnexpectedEOF, true, 3},
		{"cut chunk", reply(200, attachment+"Transfer-Encoding: chunked\r\n", "5\r\nabc"), io.ErrUnexpectedEOF, true, 3},
		{"short without a name", reply(200, "Content-Length: 1000\r\n", "abc"), io.ErrUnexpectedEOF, true, 0},
		{"long range", reply(206, attachment+"Content-Range: bytes 0-9/10\r\n", "0123456789abc"), ErrMalformed, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := raw(t, tc.answer)
			resp, body, err := fetch(t, c, Request{})
			if e := failure(t, err); !errors.Is(err, tc.is) || retries(e) != tc.temporary || len(body) != tc.delivered {
				t.Errorf("%d bytes, %v (temporary %v), want %d, %v (%v)", len(body), err, retries(e), tc.delivered, tc.is, tc.temporary)
			}
			if resp != nil {
				if _, again := resp.Body.Read(make([]byte, 1)); !errors.Is(again, err) {
					t.Errorf("the next Read returns %v, want %v again", again, err)
				}
			}
		})
	}
}

// A huge error body costs only what is examined, not what the server sends.
func TestErrorBodyBounded(t *testing.T) {
	var sent atomic.Int64
	done := make(chan struct{})
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		defer close(done)
		w.WriteHeader(http.StatusInternalServerError)
		for range 100 << 4 {
			n, err := w.Write(make([]byte, 64<<10))
			sent.Add(int64(n))
			if err != nil {
				return
			}
		}
	}, Options{})
	_, err := c.Download(t.Context(), Request{ID: testID})
	if e := failure(t, err); e.Status != 500 {
		t.Errorf("got %v", err)
	}
	<-done
	if n := sent.Load(); n >= 100<<20 {
		t.Errorf("the server could send all %d bytes", n)
	}
	if n := c.Stats().Bytes; n != 0 {
		t.Errorf("%d bytes counted as an asset's", n)
	}
}

// Deflate without the header of zlib is not taken for one with it.
func TestInflate(t *testing.T) {
	stored := func(first byte, text string) string {
		n := byte(len(text))
		return string([]byte{first, n, 0, ^n, 0xff}) + text
	}
	for name, tc := range map[string]struct{ body, want string }{
		"a method alone":   {stored(0x08, "hello") + stored(1, ""), "hello"}, // the padding of a block says 8
		"a checksum alone": {stored(1, strings.Repeat("x", 23)), strings.Repeat("x", 23)},
		"nothing":          {"", ""},
		"one byte":         {"x", ""},
	} {
		r, err := inflate(strings.NewReader(tc.body))
		if (err == nil) != (tc.want != "") {
			t.Errorf("%s: %v", name, err)
		} else if err == nil {
			if got, err := io.ReadAll(r); err != nil || string(got) != tc.want {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
	}
}
