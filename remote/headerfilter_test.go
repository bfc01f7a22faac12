package remote

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// reading is a connection from which in comes, in pieces of at most size bytes, and then end.
type reading struct {
	net.Conn
	in   string
	size int
	end  error
}

func (r *reading) Read(p []byte) (int, error) {
	n := copy(p[:min(len(p), r.size)], r.in)
	if r.in = r.in[n:]; n == 0 {
		return 0, r.end
	}
	return n, nil
}

// endless is a connection from which a header comes that does not end.
type endless struct {
	reading
	read int
}

func (e *endless) Read(p []byte) (int, error) {
	if e.read > 2*maxHeader {
		return 0, errors.New("nobody refuses it")
	}
	if e.in == "" {
		e.in, e.size = "HTTP/1.1 200 OK\r\n", len(p)
	}
	n, err := e.reading.Read(p)
	e.read += n
	return n, err
}

// filtered reads in through a filter, in pieces of at most size bytes.
func filtered(in string, size int) (string, error) {
	b, err := io.ReadAll(&filterConn{Conn: &reading{in: in, size: size, end: io.EOF}})
	return string(b), err
}

func TestHeaderFilter(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"clean", "HTTP/1.1 200 OK\r\nA: b\tc\r\n\r\nbody\x00", "HTTP/1.1 200 OK\r\nA: b\tc\r\n\r\nbody\x00"},
		{"control bytes", "HTTP/1.1 200 O\x01K\r\nA\x02: \x00b\x1b\x7f\r\n\r\n\x01\r\n\r\n\x02", "HTTP/1.1 200 O_K\r\nA_: _b__\r\n\r\n\x01\r\n\r\n\x02"},
		{"bare carriage returns", "HTTP/1.1 200 OK\r\nA: b\rc\r\r\nD: \r\n\r\n\r", "HTTP/1.1 200 OK\r\nA: b_c_\r\nD: \r\n\r\n\r"},
		{"line feeds alone", "HTTP/1.1 200 OK\nA: \x01\n\n\x01\n", "HTTP/1.1 200 OK\r\nA: _\r\n\r\n\x01\n"},
		{"short lines", "HTTP/1.1 200 OK\nX\n\rY: z\n\n\x01\n", "HTTP/1.1 200 OK\r\nX: \r\n_Y: z\r\n\r\n\x01\n"},
		{"no status", "HTTP/1.1\r\n\r\n", "HTTP/1.1 \r\n\r\n"},
		{"no fields", "HTTP/1.0 200 OK\r\n\r\n\x01", "HTTP/1.0 200 OK\r\n\r\n\x01"},
		{"interim", "HTTP/1.1 103 Early\r\nA: \x01\r\n\r\nHTTP/1.1 100 \x01\r\n\r\nHTTP/1.1 200 OK\r\nA: \x01\r\n\r\n\x01", "HTTP/1.1 200 OK\r\nA: _\r\n\r\n\x01"},
		{"nothing but interim", "HTTP/1.1 103 Early\r\n\r\n", ""},
		{"switching protocols", "HTTP/1.1 101 X\r\n\r\n\x01HTTP/1.1 200 \x01", "HTTP/1.1 101 X\r\n\r\n\x01HTTP/1.1 200 \x01"},
		{"another protocol", "\x05\x00\x01\x02", "\x05\x00\x01\x02"},
		{"another protocol, later", "HTTQ\x01\x02", "HTTQ\x01\x02"},
		{"names that are no token", "HTTP/1.1 200 OK\r\nX (\xfc) Y: a b\r\nA : b\r\n : c\r\n: d\r\n\r\n", "HTTP/1.1 200 OK\r\nX_____Y: a b\r\nA: b : c\r\n_: d\r\n\r\n"},
		{"lines without a colon", "HTTP/1.1 200 OK\r\nOh no\r\n\tgoes on\r\nA: b\r\n\r\nOh no\r\n", "HTTP/1.1 200 OK\r\nOh_no: goes on\r\nA: b\r\n\r\nOh no\r\n"},
		{"a first line that goes on", "HTTP/1.1 200 OK\r\n A: b\r\nC: d\r\n\r\n", "HTTP/1.1 200 OK\r\nC: d\r\n\r\n"},
		{"other versions", "HTTP/2 200\r\nA: b\r\n\r\nbody", "HTTP/1.1 200\r\nA: b\r\n\r\nbody"},
		{"small letters", "http/1.1 200 OK\r\nA: http\r\n\r\nhttp", "HTTP/1.1 200 OK\r\nA: http\r\n\r\nhttp"},
		{"UTF-8", "HTTP/1.1 200 OK\r\nA: ä\x80\r\n\r\n", "HTTP/1.1 200 OK\r\nA: ä\x80\r\n\r\n"},
		{"nothing", "", ""},
	} {
		for _, size := range []int{1, 2, 3, 5, 4096} {
			if got, err := filtered(tc.in, size); got != tc.want || err != nil {
				t.Errorf("%s, by %d: %q, %v, want %q", tc.name, size, got, err, tc.want)
			}
		}
	}
	// net/http refuses a header that never ends.
	e := new(endless)
	if _, err := (&filterConn{Conn: e}).Read(make([]byte, 1)); err != nil || e.read != maxHeader+1 {
		t.Errorf("a header without end: %d bytes, %v", e.read, err)
	}
	// What is too long for a header is not held back, so that net/http refuses it.
	long := "HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", maxHeader/6)
	if got, err := filtered(long, 4096); got != long || err != nil {
		t.Errorf("a header of %d bytes: read %d, %v", len(long), len(got), err)
	}
}

// An error comes together with the bytes of the body before it. Of a header that is cut off nothing comes.
func TestHeaderFilterError(t *testing.T) {
	broken := errors.New("broken")
	for _, in := range []string{"", "HT", "HTTP/1.1 200 OK\r", "HTTP/1.1 200 OK\r\nA: b\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody"} {
		for end, want := range map[error]error{broken: broken, io.EOF: io.ErrUnexpectedEOF} {
			whole := ""
			if strings.HasSuffix(in, "body") {
				whole = in
			}
			got, err := io.ReadAll(&filterConn{Conn: &reading{in: in, size: 16, end: end}})
			if in == whole && err == nil {
				err = io.ErrUnexpectedEOF // io.ReadAll does not return the io.EOF that belongs here
			}
			if string(got) != whole || !errors.Is(err, want) {
				t.Errorf("%q, then %v: read %q, %v, want %q, %v", in, end, got, err, whole, want)
			}
		}
	}
}

// A connection that ends inside a header is cut, wherever that is. The next request may succeed.
func TestHeaderCut(t *testing.T) {
	const header = "HTTP/1.1 103 X\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Type: video/mp4\r\n\r\n"
	for n := range len(header) {
		c, _ := raw(t, header[:n])
		_, err := c.Download(t.Context(), Request{ID: testID})
		if e := failure(t, err); !errors.Is(err, io.ErrUnexpectedEOF) || !retries(e) {
			t.Errorf("behind %q: %v", header[:n], err)
		}
	}
}

// Where the body ends, as servers say it, and what curl 7.88 reads. Only where that is a guess, it is an error here: curl
// believes the first number of "5, 6", "1,234" and "5 bytes", and the last of two fields. Like browsers, and unlike curl, an
// empty length is none, and a name with a blank behind it, or a value on the next line, is what it says.
func TestFraming(t *testing.T) {
	const lines, te = "\r\nContent-Length: ", "\r\nTransfer-Encoding: "
	plain, chunky := "12345", chunks("12345")
	for _, tc := range []struct {
		fields, body string
		size         int64  // -1: unknown
		says         string // of the error; "": none
	}{
		{lines + "5, 5", plain, 5, ""},
		{lines + "5,5,5", plain, 5, ""},
		{lines + "\t5 ,,5\t ,", plain, 5, ""},
		{lines + "5, 05", plain, 5, ""},
		{lines + "5" + lines + "5", plain, 5, ""},
		{lines + "5\r\nCONTENT-length:5", plain, 5, ""},
		{lines + "5" + lines + "5, 5" + lines + "5", plain, 5, ""},
		{lines + "5,\r\n 5", plain, 5, ""},
		{"\r\nContent-Length : 5", plain, 5, ""},
		{lines + "5, 5", "1234567", 5, ""},
		{lines + "5, 6", plain, 0, "5 and 6"},
		{lines + "5" + lines + "6", plain, 0, "5 and 6"},
		{lines + "5, 5" + lines + "5, 4", plain, 0, "5 and 4"},
		{lines + "1,234", plain, 0, "1 and 234"},
		{lines + "5, x", plain, 0, `"x" is impossible`},
		{lines + "5, 99999999999999999999", plain, 0, "is impossible"},
		{lines + "+5", plain, 0, `"+5" is impossible`},
		{lines + "5 bytes", plain, 0, `"5 bytes" is impossible`},
		{lines + "1.5e3", plain, 0, "is impossible"},
		{lines + "1\r\n 0", plain, 0, `"1 0" is impossible`},
		{lines, plain, -1, ""},

		{te + "identity" + lines + "5", plain, 5, ""},
		{te + "Identity", plain, -1, ""},
		{te, plain, -1, ""},
		{te + "chunked" + te + "chunked", chunky, -1, ""},
		{te + "chunked, chunked", chunky, -1, ""},
		{te + " \tChunked \t", chunky, -1, ""},
		{te + ",CHUNKED,", chunky, -1, ""},
		{te + "\r\n chunked", chunky, -1, ""},
		{"\r\nTransfer-Encoding : chunked", chunky, -1, ""},
		{te + "identity, chunked", chunky, -1, ""},
		{te + "chunked" + te + "identity", chunky, -1, ""},
		{te + "gzip, chunked", chunky, 0, `"gzip" was not asked for`},
		{te + "chunked;q=1", chunky, 0, "was not asked for"},
		{te + "\x0bchunked", chunky, 0, "was not asked for"},
		{te + "chunked chunked", chunky, 0, "was not asked for"},
		{te + "chunked\r\nTrailer: Content-Length", chunky, -1, ""},

		{lines + "3" + te + "chunked", chunky, -1, ""},
		{te + "chunked" + lines + "20", chunky, -1, ""},
		{te + "chunked" + lines + "5, 6", chunky, -1, ""},
		{te + "chunked" + lines + "x", chunky, -1, ""},
		{te + "chunked, chunked" + lines + "6", "plain\r\n", -1, "malformed"}, // but never the wrong bytes
	} {
		for _, version := range []string{"1.1", "1.0"} {
			c, hits := raw(t, "HTTP/"+version+" 200 OK\r\nContent-Disposition: attachment"+tc.fields+"\r\n\r\n"+tc.body)
			resp, body, err := fetch(t, c, Request{})
			if tc.says != "" {
				if e := failure(t, err); !errors.Is(err, ErrMalformed) || retries(e) || !strings.Contains(err.Error(), tc.says) || body != "" {
					t.Errorf("HTTP/%s %q: %q, %v, want a permanent error with %q", version, tc.fields, body, err, tc.says)
				}
			} else if err != nil || body != plain || resp.Info.Size != tc.size || resp.Unframed != (tc.size < 0 && tc.body == plain) {
				t.Errorf("HTTP/%s %q: %q of %+v, %v, want %q of size %d", version, tc.fields, body, resp, err, plain, tc.size)
			}
			if n := hits.Load(); n != 1 {
				t.Errorf("HTTP/%s %q: %d requests", version, tc.fields, n)
			}
		}
	}
}

// accepted is a complete header that is accepted, or refused in our words.
var accepted = regexp.MustCompile(`^HTTP/1\.1 [2-9][0-9][0-9]( [ -~]*)?\r\n((?s).*\n)?\r?\n`)

// FuzzHeaderFilter checks that no byte changes after the header as net/http sees it, and that net/http accepts any header of a response.
func FuzzHeaderFilter(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: \x01\r\n\r\n\x01\x02\x03", "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\n\n\x01",
		"HTTP/1.1  100 X\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\x01", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n \r\n\r\n\x01", "HTTP/1.1 200\r\r\n\r\r\n\r\n\x01",
	} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, in string, size int) {
		size = 1 + max(size, -size, 0)%64
		out, failed := filtered(in, size)
		if failed != nil {
			if e := (*Error)(nil); !errors.Is(failed, io.ErrUnexpectedEOF) && (!errors.As(failed, &e) || !errors.Is(e, ErrMalformed)) {
				t.Errorf("%q: %v", in, failed)
			}
			return
		}
		// What net/http reads as the body is what came after the header.
		br := bufio.NewReader(strings.NewReader(out))
		for range 5 {
			resp, err := http.ReadResponse(br, nil) //nolint:bodyclose // it is br
			if err != nil {
				if accepted.MatchString(in) && len(in) < maxHeader {
					t.Errorf("%q became %q: %v", in, out, err)
				}
				return
			}
			if s := resp.StatusCode; s >= 100 && s <= 199 && s != http.StatusSwitchingProtocols {
				continue
			}
			rest, _ := io.ReadAll(br) // the body has not been read, so all of it is here
			if len(resp.TransferEncoding) == 0 && !strings.HasSuffix(in, string(rest)) {
				t.Errorf("%q: the body became %q", in, rest)
			}
			return
		}
	})
}

// A control byte in any field does no harm, with TLS, and after interim answers and redirects, too. The body is not changed.
func TestControlBytes(t *testing.T) {
	const body = "\x00\x01\r\n\r\n\x7f"
	hijack := func(w http.ResponseWriter, answer string) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, answer)
		_ = conn.Close()
	}
	h := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/download") {
			hijack(w, "HTTP/1.1 103 Early\x01\r\nLink: \x02\r\n\r\nHTTP/1.1 302 Found\r\nX: \x03\r\nLocation: /there\r\n\r\n")
			return
		}
		hijack(w, "HTTP/1.1 100 Continue\r\n\r\n"+reply(200, "X\x01Y: \x00\r\nX (Y): Z\r\nOh no\r\nContent-Length : 7\r\nContent-Disposition: attachment; filename=\"a\x1bb\"\r\n", body))
	}
	plain := httptest.NewServer(http.HandlerFunc(h))
	defer plain.Close()
	secure := quietTLS(t, h)
	for _, c := range []*Client{newTestClient(t, plain.URL, Options{}), newTestClient(t, secure.URL, Options{TLS: trust(secure)})} {
		resp, got, err := fetch(t, c, Request{})
		if err != nil || got != body || resp.Info.Name != "a_b" {
			t.Errorf("%q of %+v, %v", got, resp, err)
		}
	}
}
