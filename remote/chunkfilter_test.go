package remote

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
)

// Chunks as servers write them, and what curl 7.88 reads. Of what curl refuses no byte is believed.
func TestChunks(t *testing.T) {
	const head = "HTTP/1.1 200 OK\r\n" + attachment + "Transfer-Encoding: chunked\r\n\r\n"
	long := strings.Repeat("x", 10_000)
	for _, tc := range []struct {
		name, in  string
		says      string // of the error; "": none
		temporary bool
	}{
		{"plain", "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", "", false},
		{"line feeds alone", "5\n01234\n5\n56789\n0\n\n", "", false},
		{"an extension", "5;a=b\r\n01234\r\n5;c\r\n56789\r\n0;d=e\r\n\r\n", "", false},
		{"a quoted extension", "a ; x=\"y;z\"\r\n0123456789\r\n0\r\n\r\n", "", false},
		{"a long extension", "a;x=" + long + "\r\n0123456789\r\n0\r\n\r\n", "", false},
		{"more extensions than bytes", strings.Repeat("1;x="+long[:100]+"\r\nx\r\n", 1000) + "0\r\n\r\n", "", false},
		{"blanks and zeros", "00000005 \t\r\n01234\r\n05\r\n56789\r\n000\r\n\r\n", "", false},
		{"capitals", "A\r\n0123456789\r\n0\r\n\r\n", "", false},
		{"a trailer", "a\r\n0123456789\r\n0\r\nX-Sum: 1\r\n\r\n", "", false},
		{"an odd trailer", "a\r\n0123456789\r\n0\r\nX (Sum): a\x01b\r\nOh no\r\nContent-Length: 7\r\n\r\n", "", false},
		{"a long trailer", "a\r\n0123456789\r\n0\r\n" + strings.Repeat("X-Sum: 1\r\n", 5000) + "\r\n", "", false},
		{"something behind it", "a\r\n0123456789\r\n0\r\n\r\njunk", "", false},
		{"nothing", "0\r\n\r\n", "", false},
		{"line breaks in the data", "4\r\n\r\n\r\n\r\n2\r\n\n\n\r\n0\r\n\r\n", "", false},

		{"no size", "\r\n0123456789\r\n0\r\n\r\n", `size ""`, false},
		{"a blank first", " a\r\n0123456789\r\n0\r\n\r\n", `size " a"`, false},
		{"no number", "<html>\r\n", `size "<html>"`, false},
		{"a sign", "+a\r\n0123456789\r\n0\r\n\r\n", `size "+a"`, false},
		{"a prefix", "0xa\r\n0123456789\r\n0\r\n\r\n", `size "0xa"`, false},
		{"a huge size", "1000000000000000\r\n0123456789", "size", false},
		{"too long a chunk", "5\r\n0123456789\r\n0\r\n\r\n", "behind a chunk", false},
		{"an endless line", "a;" + strings.Repeat(long, 10), "a line between chunks", false},
		{"cut in a chunk", "a\r\n01234", "closed the connection early", true},
		{"cut behind a chunk", "a\r\n0123456789", "closed the connection early", true},
		{"cut before the end", "a\r\n0123456789\r\n", "closed the connection early", true},
		{"cut in a size", "a\r\n0123456789\r\n1", "closed the connection early", true},
		{"cut in the trailer", "a\r\n0123456789\r\n0\r\n", "closed the connection early", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, _ := raw(t, head+tc.in)
			resp, body, err := fetch(t, c, Request{})
			if tc.says != "" {
				if e := failure(t, err); !strings.Contains(err.Error(), tc.says) || retries(e) != tc.temporary {
					t.Errorf("%q, %v, temporary %v, want an error with %q", body, err, retries(e), tc.says)
				}
				return
			}
			want := map[string]string{"nothing": "", "line breaks in the data": "\r\n\r\n\n\n", "more extensions than bytes": long[:1000]}
			all, ok := want[tc.name]
			if !ok {
				all = "0123456789"
			}
			if err != nil || body != all || resp.Unframed {
				t.Errorf("%q of %+v, %v", body, resp, err)
			}
		})
	}
}

// FuzzChunks compares the filter, which gets its bytes one by one or all at once, with net/http wherever that reads the body.
func FuzzChunks(f *testing.F) {
	for _, s := range []string{"5\r\n01234\r\n0\r\n\r\n", "5;x\n01234\n0\n\n", "0\r\nA: b\r\n\r\nrest", "a\r\n01", "0000\r\n\r\n", "1\r\n\n\r\n1\r\n\r\r\n0\r\n\r\n"} {
		f.Add(s)
	}
	const head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	read := func(r io.Reader) (string, error) {
		resp, err := http.ReadResponse(bufio.NewReader(r), nil)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return string(b), err
	}
	f.Fuzz(func(t *testing.T, in string) {
		want, refused := read(strings.NewReader(head + in))
		first, failed := read(&filterConn{Conn: &reading{in: head + in, size: 1 << 20, end: io.EOF}})
		again, failedAgain := read(&filterConn{Conn: &reading{in: head + in, size: 1, end: io.EOF}})
		if first != again || (failed == nil) != (failedAgain == nil) {
			t.Errorf("%q: %q, %v at once, %q, %v byte by byte", in, first, failed, again, failedAgain)
		}
		if refused == nil && (failed != nil || first != want) {
			t.Errorf("%q: %q, %v, want %q", in, first, failed, want)
		}
		if e := (*Error)(nil); failed != nil && !errors.As(failed, &e) && !errors.Is(failed, io.ErrUnexpectedEOF) && len(in) < maxHeader {
			t.Errorf("%q: %v", in, failed)
		}
		// Through small reads by the caller, too.
		if b, err := io.ReadAll(iotest.OneByteReader(&filterConn{Conn: &reading{in: head + in, size: 7, end: io.EOF}})); failed == nil && (err != nil || !bytes.HasPrefix(b, []byte(head))) {
			t.Errorf("%q: %q, %v", in, b, err)
		}
	})
}
