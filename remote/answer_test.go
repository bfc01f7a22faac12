package remote

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// answers serves connections that are kept: each request is answered with what answer returns for its path, byte for byte.
// It returns the URL, and counts the connections.
func answers(t *testing.T, answer func(path string) string) (base string, conns *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing is waited for
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	conns = new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns.Add(1)
			go func() {
				defer func() { _ = conn.Close() }()
				for in := bufio.NewReader(conn); ; {
					r, err := http.ReadRequest(in)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, r.Body)
					if _, err := io.WriteString(conn, answer(r.URL.Path)); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String(), conns
}

// Metadata and lists are read from headers that net/http alone would refuse, like downloads. Their connections are kept, so each
// answer on one has such a header.
func TestOddHeaders(t *testing.T) {
	const meta = `{"code":200,"msg":"success","data":{"resource":[{"asset_id":"re_1","file_size":"5"}]}}`
	const list = `{"code":"0000","msg":"success","data":{"total_count":1,"page_size":200,"videos":[{"video_no":"VI1","size":5}]}}`
	length := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n", len(body)) }
	for _, tc := range []struct{ name, first, fields string }{
		{"plain", "", ""},
		{"control bytes", "", "X-A: a\x01b\x00\r\nX\x02B: c\r\n"},
		{"names that are no token", "", "X (Y): a\r\nX Y : b\r\n: c\r\n"},
		{"a line without a colon", "", "Oh no\r\n"},
		{"a refused trailer", "", "Trailer: Content-Length\r\n"},
		{"interim answers", "HTTP/1.1 103 Early\x01\r\nLink: \x02\r\n\r\n", "X: \x03\r\n"},
		{"small letters", "", "http"},
		{"the length twice", "", "length"},
		{"chunks and a length", "", "chunks"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base, conns := answers(t, func(path string) string {
				body, first, fields := meta, tc.first+"HTTP/1.1 200 OK\r\n", tc.fields
				if strings.HasSuffix(path, "list_videos") {
					body = list
				}
				framed := length(body)
				switch fields {
				case "http":
					first, fields = "http/1.1 200 ok\r\n", ""
				case "length":
					fields = fmt.Sprintf("Content-Length: %d, %d\r\n", len(body), len(body))
				case "chunks":
					fields, framed = "Transfer-Encoding: chunked, chunked\r\n", "Content-Length: 3\r\n"
					body = chunks(body)
				}
				return first + fields + framed + "\r\n" + body
			})
			u, err := url.Parse(base)
			if err != nil {
				t.Fatal(err)
			}
			c := newTestClient(t, base, Options{Library: u})
			for range 3 {
				if i, err := c.Metadata(t.Context(), Reader, testID); err != nil || i.Size != 5 {
					t.Errorf("metadata: size %d, %v", i.Size, err)
				}
				listed := 0
				if _, err := c.ListVideos(t.Context(), "s", func(v []Video) { listed += len(v) }); err != nil || listed != 1 {
					t.Errorf("list: %d videos, %v", listed, err)
				}
			}
			if n := conns.Load(); n != 2 {
				t.Errorf("%d connections, want one for metadata and one for lists", n)
			}
		})
	}
}
