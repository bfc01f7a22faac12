package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// raw serves answers as they stand, one a connection, the last one for ever.
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

const attachment = "Content-Disposition: attachment; filename=x\r\n"

// Answers that are no asset, each to a request for the bytes from 100 on.
func TestRefusedAnswers(t *testing.T) {
	const object = `{"code":"0402","msg":"Insufficient balance","data":null,"success":false,"failed":true}`
	for _, tc := range []struct {
		name, answer string
		malformed    bool
		number       int
		says         string
	}{
		{"error object", reply(402, "", object), false, 402, "Insufficient balance"},
		{"error object on 200", reply(200, "Content-Length: 86\r\n", object), false, 402, "Insufficient balance"},
		{"error object on 200, no length", reply(200, "", object), false, 402, "Insufficient balance"},
		{"error object on 200, as a file type", reply(200, "Content-Type: video/mp4\r\n", object), false, 402, "Insufficient balance"},
		{"plain text", reply(503, "Content-Type: text/plain\r\n", "down for \x1b[1mrepair\nsecond line"), false, 503, `"down for \x1b[1mrepair"`},
		{"html error", reply(502, "Content-Type: text/html\r\n", "<html>not found"), false, 502, "502 Bad Gateway"},
		{"cut error body", reply(500, "Content-Length: 500\r\n", `{"code":500`), false, 500, "500"},
		{"html page", reply(200, "Content-Type: text/html; charset=utf-8\r\n", "hello"), true, 0, "HTML page"},
		{"html page in disguise", reply(200, "Content-Type: video/mp4\r\n", "\n<!DOCTYPE html><title>Log in</title>"), true, 0, "HTML page"},
		{"truncated json", reply(200, "Content-Type: application/json\r\n", `{"code":500,"msg":"x`), true, 0, "broken JSON"},
		{"no content", reply(204, "", ""), true, 0, "204"},
		{"not modified", reply(304, "", ""), true, 304, "304"},
		{"choices", reply(300, "", ""), true, 300, "300"},
		{"gzip", reply(200, attachment+"Content-Encoding: gzip\r\n", "x"), true, 0, `"gzip"`},
		{"gzip range", reply(206, attachment+"Content-Encoding: gzip\r\nContent-Range: bytes 100-100/200\r\n", "x"), true, 0, `"gzip"`},
		{"206 without range", reply(206, attachment, "x"), true, 0, "0 Content-Range"},
		{"206 with two ranges", reply(206, "Content-Range: bytes 100-100/200\r\nContent-Range: bytes 100-100/200\r\n", "x"), true, 0, "2 Content-Range"},
		{"206 multipart", reply(206, "Content-Type: multipart/byteranges; boundary=x\r\n", "--x"), true, 0, "Content-Range"},
		{"206 with nonsense", reply(206, "Content-Range: bytes 100-/200\r\n", "x"), true, 0, "bad range"},
		{"206 with no range", reply(206, "Content-Range: bytes */200\r\n", "x"), true, 0, "without a range"},
		{"206 behind what was asked", reply(206, "Content-Range: bytes 101-101/200\r\n", "x"), true, 0, "101"},
		{"206 before what was asked", reply(206, "Content-Range: bytes 0-99/200\r\n", "x"), true, 0, "from 100 on"},
		{"206 of another length", reply(206, "Content-Range: bytes 100-109/200\r\nContent-Length: 11\r\n", "x"), true, 0, "Content-Length 11"},
		{"416", reply(416, "Content-Range: bytes */50\r\n", ""), false, 416, "416"},
		{"negative length", reply(200, attachment+"Content-Length: -1\r\n", "x"), true, 0, "Content-Length"},
		{"length of 2^63", reply(200, attachment+"Content-Length: 9223372036854775808\r\n", "x"), true, 0, "Content-Length"},
		{"two lengths", reply(200, attachment+"Content-Length: 1\r\nContent-Length: 2\r\n", "x"), true, 0, "Content-Length"},
		{"control byte", reply(200, "Content-Disposition: attachment; filename=\"a\x01b\"\r\n", "x"), true, 0, "malformed"},
		{"broken line", reply(200, "no colon\x1b[2J\r\n", "x"), true, 0, "malformed"},
		{"no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", true, 0, "malformed"},
		{"endless header", reply(200, strings.Repeat("X-Pad: "+strings.Repeat("x", 1000)+"\r\n", 100), "x"), true, 0, "header"},
		{"unknown coding", reply(200, attachment+"Transfer-Encoding: rot13\r\n", "x"), true, 0, "rot13"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, hits := raw(t, tc.answer)
			_, err := c.Download(t.Context(), Request{ID: testID, Start: 100})
			e := failure(t, err)
			checkText(t, e)
			if errors.Is(err, ErrMalformed) != tc.malformed || e.Number() != tc.number || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, number %d, want malformed %v, number %d, and %q", err, e.Number(), tc.malformed, tc.number, tc.says)
			}
			if want := tc.number >= 500; e.Temporary() != want {
				t.Errorf("%v: temporary %v, want %v", err, e.Temporary(), want)
			}
			if hits.Load() != 1 {
				t.Errorf("%d requests, want 1", hits.Load())
			}
			if s := c.Stats(); s.Bytes != 0 {
				t.Errorf("%d bytes counted as an asset's", s.Bytes)
			}
		})
	}
}

// Answers that look odd and are the asset all the same.
func TestAcceptedAnswers(t *testing.T) {
	const object = `{"code":"0402","msg":"x","success":false}`
	long := `{"code":500,"success":false,"x":"` + strings.Repeat("y", 70<<10) + `"}`
	for _, tc := range []struct {
		name, fields, body string
		status             int
		start, end, size   int64
	}{
		{"json asset", attachment + "Content-Type: application/json\r\nContent-Length: 41\r\n", object, 200, 0, 41, 41},
		{"html asset", attachment + "Content-Type: text/html\r\n", "<html>", 200, 0, -1, -1},
		{"no name", "Content-Type: video/mp4\r\nContent-Length: 3\r\n", "abc", 200, 0, 3, 3},
		{"no name, json", "Content-Type: application/json\r\n", `{"code":1}`, 200, 0, -1, -1},
		{"no name, json of no object", "Content-Type: application/json\r\n", `[1,`, 200, 0, -1, -1},
		{"no name, long json", "Content-Type: application/json\r\n", long, 200, 0, -1, -1},
		{"no name, svg", "Content-Type: image/svg+xml\r\n", "<!-- made by hand --><svg/>", 200, 0, -1, -1},
		{"nothing", attachment + "Content-Length: 0\r\n", "", 200, 0, 0, 0},
		{"nothing, no name", "Content-Length: 0\r\n", "", 200, 0, 0, 0},
		{"identity", attachment + "Content-Encoding: Identity\r\nContent-Length: 1\r\n", "x", 200, 0, 1, 1},
		{"earlier range", attachment + "Content-Range: bytes 98-103/200\r\n", "abcdef", 206, 98, 104, 200},
		{"range of unknown size", attachment + "Content-Range: bytes 100-101/*\r\nContent-Length: 2\r\n", "ab", 206, 100, 102, -1},
		{"chunked range", attachment + "Content-Range: bytes 100-101/200\r\nTransfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n", 206, 100, 102, 200},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := raw(t, reply(tc.status, tc.fields, tc.body))
			resp, body, err := fetch(t, c, Request{Start: 100})
			if err != nil {
				t.Fatal(err)
			}
			want := tc.body
			if tc.name == "chunked range" {
				want = "ab"
			}
			if body != want || resp.Start != tc.start || resp.End != tc.end || resp.Info.Size != tc.size || resp.Partial != (tc.status == 206) {
				t.Errorf("%d bytes %.50q of %+v, want %d bytes at %d to %d of %d", len(body), body, resp, len(want), tc.start, tc.end, tc.size)
			}
			if s := c.Stats(); s.Bytes != int64(len(want)) {
				t.Errorf("%d bytes counted, want %d", s.Bytes, len(want))
			}
		})
	}
}

// A body of another length than its header says is found out.
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
			_, body, err := fetch(t, c, Request{})
			if e := failure(t, err); !errors.Is(err, tc.is) || e.Temporary() != tc.temporary || len(body) != tc.delivered {
				t.Errorf("%d bytes, %v (temporary %v), want %d, %v (%v)", len(body), err, e.Temporary(), tc.delivered, tc.is, tc.temporary)
			}
		})
	}
}

// An empty asset has no first byte to ask for: one more request gets its name.
func TestEmptyAsset(t *testing.T) {
	for _, fields := range []string{"Content-Range: bytes */0\r\n", ""} {
		c, hits := raw(t, reply(416, fields, ""), reply(200, attachment+"Content-Length: 0\r\n", ""))
		resp, body, err := fetch(t, c, Request{})
		if err != nil || body != "" || resp.Info.Name != "x" || resp.Info.Size != 0 || resp.Ignored {
			t.Errorf("%q: %q of %+v, %v", fields, body, resp, err)
		}
		if n := c.Stats().Requests; hits.Load() != 2 || n != 2 {
			t.Errorf("%q: %d requests, %d counted, want 2", fields, hits.Load(), n)
		}
	}
	c, hits := raw(t, reply(416, "Content-Range: bytes */0\r\n", ""))
	if _, _, err := fetch(t, c, Request{}); failure(t, err).Status != 416 || hits.Load() != 2 {
		t.Errorf("a server that always says 416: %v after %d requests, want it after 2", err, hits.Load())
	}
}

// A huge error body costs what is looked at, not what the server likes to send.
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
}

// Wherever a server falls silent, the time is bounded and the error says so; but
// a body belongs to its reader, who may pause for as long as it likes.
func TestStalls(t *testing.T) {
	const timeout = 20 * time.Second
	for _, tc := range []struct {
		name   string
		header string // and then silence
		status int
	}{
		{"no header", "", 0},
		{"error without its body", "HTTP/1.1 402 X\r\nContent-Length: 10\r\n\r\n", 402},
		{"success that must be looked at", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			release := make(chan struct{})
			c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, tc.header)
				<-release
				_ = conn.Close()
			}, Options{ResponseTimeout: timeout})
			defer stop()
			defer close(release)
			_, err := c.Download(t.Context(), Request{ID: testID})
			e := failure(t, err)
			if e.Status != tc.status || tc.status == 0 && (!errors.Is(err, ErrStalled) || !e.Temporary()) {
				t.Errorf("%s: %v, want status %d or a temporary ErrStalled", tc.name, err, tc.status)
			}
			if d := time.Since(began); d != timeout {
				t.Errorf("%s: took %v, want %v", tc.name, d, timeout)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			attach(w, "x")
			for range 10 {
				_, _ = io.WriteString(w, "x")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * timeout)
			}
		}, Options{ResponseTimeout: timeout})
		defer stop()
		if _, body, err := fetch(t, c, Request{}); err != nil || len(body) != 10 {
			t.Errorf("a slow body: %q, %v", body, err)
		}
	})
}

// A body lives as long as the ctx of its request, and Close ends a Read.
func TestBodyEnds(t *testing.T) {
	open := func(t *testing.T, ctx context.Context) (*Body, func()) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			attach(w, "x")
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "abc")
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, Options{})
		resp, err := c.Download(ctx, Request{ID: testID})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(resp.Body, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		return resp.Body, stop
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b, stop := open(t, ctx)
		defer stop()
		for range 2 { // the error stays
			_, err := b.Read(make([]byte, 10))
			if e := failure(t, err); !errors.Is(err, context.DeadlineExceeded) || e.Temporary() {
				t.Errorf("got %v, want ctx's deadline", err)
			}
		}
		_ = b.Close()
	})
	synctest.Test(t, func(t *testing.T) {
		b, stop := open(t, t.Context())
		defer stop()
		time.AfterFunc(time.Second, func() { _ = b.Close() })
		_, err := b.Read(make([]byte, 10))
		if e := failure(t, err); !errors.Is(err, errClosed) || e.Temporary() {
			t.Errorf("got %v, want a closed download", err)
		}
	})
}

func TestStrongValidator(t *testing.T) {
	const date, earlier = "Tue, 06 May 2025 07:08:09 GMT", "Tue, 06 May 2025 07:08:08 GMT"
	for _, tc := range []struct{ etag, modified, date, want string }{
		{`"a"`, earlier, date, `"a"`},
		{`W/"a"`, earlier, date, ""}, // a date must not stand in for a tag
		{`a`, earlier, date, ""},
		{`"a"b"`, "", date, ""},
		{"", earlier, date, earlier},
		{"", date, date, ""}, // may have changed again within the second
		{"", earlier, "", ""},
		{"", "yesterday", date, ""},
	} {
		h := http.Header{"Last-Modified": {tc.modified}, "Date": {tc.date}}
		if tc.etag != "" {
			h.Set("ETag", tc.etag)
		}
		if got := infoOf(h).StrongValidator(); got != tc.want {
			t.Errorf("%+v: %q", tc, got)
		}
	}
}

func TestMediaType(t *testing.T) {
	for in, want := range map[string]string{
		"video/mp4": "video/mp4", " Text/Plain ; charset=x": "text/plain", "image/svg+xml;": "image/svg+xml",
		"": "", "video": "", "a/b/c": "", "a/\x1b[2J": "", "a b/c": "", "/": "", "a/" + strings.Repeat("x", 200): "",
	} {
		if got := mediaType(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
