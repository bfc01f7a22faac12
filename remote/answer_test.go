package remote

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// answers serves connections that are kept: each request is answered with what answer returns for its path, byte for byte.
// "" closes the connection. It returns the URL, and counts the connections.
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
					text := answer(r.URL.Path)
					if _, err := io.WriteString(conn, text); err != nil || text == "" {
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
		{"a trailer", "", "trailer"},
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
				case "trailer":
					fields, framed = "Transfer-Encoding: chunked\r\n", ""
					body = strings.TrimSuffix(chunks(body), "\r\n") + "X: a\r\nY: b\r\n\r\n"
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

// A SOCKS proxy speaks another protocol first, over the same connection, and TLS passes through it.
func TestSOCKS(t *testing.T) {
	h := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, reply(200, attachment+"X: \x01\r\nContent-Length: 5\r\n", "01234"))
		_ = conn.Close()
	}
	plain := httptest.NewServer(http.HandlerFunc(h))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "01234")
	}))
	defer secure.Close()
	for _, srv := range []*httptest.Server{plain, secure} {
		proxy := socks(t, srv.Listener.Addr().String())
		base, err := url.Parse(srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		c := NewClient(base, Options{Key: NewKey("", testKey), TLS: trust(secure), proxy: func(*http.Request) (*url.URL, error) {
			return &url.URL{Scheme: "socks5", Host: proxy}, nil
		}})
		defer c.Close()
		if resp, body, err := fetch(t, c, Request{}); err != nil || body != "01234" {
			t.Errorf("%s: %q of %+v, %v", srv.URL, body, resp, err)
		}
	}
}

// socks runs a SOCKS 5 proxy that leads to addr, whatever it is asked for.
func socks(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // nothing is waited for
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = near.Close() }()
				hello, ask := make([]byte, 3), make([]byte, 10) // no password; connect to an IPv4 address
				_, _ = io.ReadFull(near, hello)
				_, _ = near.Write([]byte{5, 0})
				_, _ = io.ReadFull(near, ask)
				_, _ = near.Write([]byte{5, 0, 0, 1, 127, 0, 0, 1, 0, 10}) // with a line feed
				far, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
				if err != nil {
					return
				}
				defer func() { _ = far.Close() }()
				go func() {
					_, _ = io.Copy(far, near)
					_ = far.Close()
				}()
				_, _ = io.Copy(near, far)
			}()
		}
	}()
	return l.Addr().String()
}

// A server may close a kept connection just as the next call is sent on it. That call is made again.
func TestConnectionEndsAtReuse(t *testing.T) {
	var calls atomic.Int64
	base, conns := answers(t, func(string) string {
		if n := calls.Add(1); n%2 == 0 {
			return "" // closes the connection
		}
		body := `{"code":200,"msg":"success","data":{"resource":[{"asset_id":"re_1","file_size":"5"}]}}`
		return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	})
	c := newTestClient(t, base, Options{})
	for range 3 {
		if i, err := c.Metadata(t.Context(), Reader, testID); err != nil || i.Size != 5 {
			t.Errorf("size %d, %v", i.Size, err)
		}
	}
	if n := conns.Load(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}
