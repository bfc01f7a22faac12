package remote

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
)

// filtered reads in through a filter, in pieces of at most size bytes.
func filtered(in string, size int) string {
	var f headerFilter
	src := strings.NewReader(in)
	var out bytes.Buffer
	p := make([]byte, size)
	for {
		var n int
		var err error
		if f.done {
			n, err = src.Read(p)
		} else {
			n, err = f.read(src.Read, p)
		}
		out.Write(p[:n])
		if err != nil {
			return out.String()
		}
	}
}

func TestHeaderFilter(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"clean", "HTTP/1.1 200 OK\r\nA: b\tc\r\n\r\nbody\x00", "HTTP/1.1 200 OK\r\nA: b\tc\r\n\r\nbody\x00"},
		{"control bytes", "HTTP/1.1 200 O\x01K\r\nA\x02: \x00b\x1b\x7f\r\n\r\n\x01\r\n\r\n\x02", "HTTP/1.1 200 O_K\r\nA_: _b__\r\n\r\n\x01\r\n\r\n\x02"},
		{"bare carriage returns", "HTTP/1.1 200 OK\r\nA: b\rc\r\r\nD: \r\n\r\n\r", "HTTP/1.1 200 OK\r\nA: b_c_\r\nD: \r\n\r\n\r"},
		{"line feeds alone", "HTTP/1.1 200 OK\nA: \x01\n\n\x01\n", "HTTP/1.1 200 OK\nA: _\n\n\x01\n"},
		{"no fields", "HTTP/1.0 200 OK\r\n\r\n\x01", "HTTP/1.0 200 OK\r\n\r\n\x01"},
		{"interim", "HTTP/1.1 103 Early\r\nA: \x01\r\n\r\nHTTP/1.1 100 \x01\r\n\r\nHTTP/1.1 200 OK\r\nA: \x01\r\n\r\n\x01", "HTTP/1.1 103 Early\r\nA: _\r\n\r\nHTTP/1.1 100 _\r\n\r\nHTTP/1.1 200 OK\r\nA: _\r\n\r\n\x01"},
		{"switching protocols", "HTTP/1.1 101 X\r\n\r\n\x01HTTP/1.1 200 \x01", "HTTP/1.1 101 X\r\n\r\n\x01HTTP/1.1 200 \x01"},
		{"another protocol", "\x05\x00\x01\x02", "\x05\x00\x01\x02"},
		{"another protocol, later", "HTTQ\x01\x02", "HTTQ\x01\x02"},
		{"cut", "HTTP/1.1 200 OK\r\nA: \x01b\r", "HTTP/1.1 200 OK\r\nA: _b\r"},
		{"names that are no token", "HTTP/1.1 200 OK\r\nX (\xfc) Y: a b\r\n : c\r\n\r\n", "HTTP/1.1 200 OK\r\nX_____Y: a b\r\n : c\r\n\r\n"},
		{"lines without a colon", "HTTP/1.1 200 OK\r\nOh no\r\n\tgoes on\r\nA: b\r\n\r\nOh no\r\n", "HTTP/1.1 200 OK\r\nOh_no:\n\tgoes on\r\nA: b\r\n\r\nOh no\r\n"},
		{"small letters", "http/1.1 200 OK\r\nA: http\r\n\r\nhttp", "HTTP/1.1 200 OK\r\nA: http\r\n\r\nhttp"},
		{"UTF-8", "HTTP/1.1 200 OK\r\nA: ä\x80\r\n\r\n", "HTTP/1.1 200 OK\r\nA: ä\x80\r\n\r\n"},
		{"nothing", "", ""},
	} {
		for _, size := range []int{2, 3, 5, 4096} {
			if got := filtered(tc.in, size); got != tc.want {
				t.Errorf("%s, by %d: %q, want %q", tc.name, size, got, tc.want)
			}
		}
	}
	// A name with a blank behind it is known as long as both come together.
	if got := filtered("HTTP/1.1 200 OK\r\nA : b\r\n\r\n", 4096); got != "HTTP/1.1 200 OK\r\nA:  b\r\n\r\n" {
		t.Errorf("a blank behind the name: %q", got)
	}
	// Byte by byte the meaning of a carriage return can't be known, but nothing is lost.
	if got := filtered("HTTP/1.1 200 O\x01\r\nA: b\rc\r\n\r\n\x01", 1); got != "HTTP/1.1 200 O_\r\nA: b\rc\r\n\r\n\x01" {
		t.Errorf("byte by byte: %q", got)
	}
}

// An error comes together with the bytes before it, whatever they are.
func TestHeaderFilterError(t *testing.T) {
	broken := errors.New("broken")
	for _, in := range []string{"", "HTTP/1.1 200 OK\r", "HTTP/1.1 200 OK\r\nA: b\r\n"} {
		var f headerFilter
		src := io.MultiReader(strings.NewReader(in), iotest.ErrReader(broken))
		var got bytes.Buffer
		p := make([]byte, 16)
		var err error
		for err == nil {
			var n int
			n, err = f.read(src.Read, p)
			got.Write(p[:n])
		}
		if got.String() != in || !errors.Is(err, broken) {
			t.Errorf("%q: read %q, %v", in, got.String(), err)
		}
	}
}

// FuzzHeaderFilter checks that as many bytes come, and that none changes after the header as net/http sees it.
func FuzzHeaderFilter(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nA: \x01\r\n\r\n\x01\x02\x03", "HTTP/1.1 103 X\r\n\r\nHTTP/1.1 200 OK\n\n\x01",
		"HTTP/1.1  100 X\r\n\r\nHTTP/1.1 200 OK\r\n\r\n\x01", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n \r\n\r\n\x01", "HTTP/1.1 200\r\r\n\r\r\n\r\n\x01",
	} {
		f.Add(s, 7)
	}
	f.Fuzz(func(t *testing.T, in string, size int) {
		size = 1 + max(size, -size, 0)%64
		out := filtered(in, size)
		if len(out) != len(in) {
			t.Fatalf("%q became %q", in, out)
		}
		for i := range len(in) {
			if (in[i] == '\n') != (out[i] == '\n') {
				t.Fatalf("%q became %q", in, out)
			}
		}
		// What net/http reads as the body is what came after the header.
		br := bufio.NewReader(strings.NewReader(out))
		for range 5 {
			resp, err := http.ReadResponse(br, nil) //nolint:bodyclose // it is br
			if err != nil {
				return
			}
			if s := resp.StatusCode; s >= 100 && s <= 199 && s != http.StatusSwitchingProtocols {
				continue
			}
			rest, _ := io.ReadAll(br) // the body has not been read, so all of it is here
			if !strings.HasSuffix(in, string(rest)) {
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
