package remote

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// cutListener makes connections that drop everything after the first left bytes.
type cutListener struct {
	net.Listener
	left int
}

func (l cutListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return &cutConn{conn, l.left}, err
}

type cutConn struct {
	net.Conn
	left int
}

func (c *cutConn) Write(p []byte) (int, error) {
	n := min(len(p), c.left)
	c.left -= n
	if _, err := c.Conn.Write(p[:n]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// The bytes that Buffered promises can be read after the server has stopped sending, and they are most of what was sent.
func TestBuffered(t *testing.T) {
	// Less than the first TCP window, about 128 KiB, so all of it is sent at once.
	const sends = 100 << 10
	for _, tc := range []struct {
		name         string
		tls, chunked bool
		cut          int // how much of the connection the network delivers; 0: all
		least        int // least number of buffered bytes
	}{
		{"plain", false, false, 0, sends}, // including what net/http read together with the header
		{"chunked", false, true, 0, sends * 9 / 10},
		{"tls", true, false, 0, sends * 3 / 4},
		{"tls chunked", true, true, 0, sends / 2},
		{"tls, cut at 48000", true, false, 48_000, 20_000},
		{"tls, cut at 52000", true, false, 52_000, 24_000},
		{"tls, cut at 56000", true, false, 56_000, 28_000},
		{"tls, cut at 60000", true, false, 60_000, 32_000},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				attach(w, "x")
				piece := 512 // small chunks have the most framing
				if !tc.chunked {
					piece = sends
					w.Header().Set("Content-Length", "1048576") // more than the server will send
				}
				for n := 0; n < sends; n += piece {
					_, _ = w.Write(make([]byte, piece))
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			})
			srv := httptest.NewUnstartedServer(h)
			o := Options{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
				conn, err := new(net.Dialer).DialContext(ctx, network, addr)
				if tcp, ok := conn.(*net.TCPConn); ok {
					err = tcp.SetReadBuffer(1 << 20) // each small chunk may take more than 1 KiB of it
				}
				return conn, err
			}}
			if tc.cut > 0 {
				srv.Listener = cutListener{srv.Listener, tc.cut}
			}
			if tc.tls {
				srv.StartTLS()
				o.TLS = trust(srv)
			} else {
				srv.Start()
			}
			defer srv.Close()
			c := newTestClient(t, srv.URL, o)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
			defer cancel()
			resp, err := c.Download(ctx, Request{ID: testID})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			// The kernel delivers asynchronously, so wait for it.
			for deadline := time.Now().Add(10 * time.Second); resp.Body.buffered() < tc.least; {
				if time.Now().After(deadline) {
					t.Fatalf("buffered is %d of %d sent, want %d", resp.Body.buffered(), sends, tc.least)
				}
			}
			n := resp.Body.buffered()
			if n > sends {
				t.Errorf("buffered is %d, but only %d were sent", n, sends)
			}
			// The server sends nothing more: reading too much would block forever.
			// What has come is read at once.
			if got, err := resp.Body.Read(make([]byte, n/2)); got != n/2 || err != nil {
				t.Fatalf("read %d of %d bytes, %v", got, n/2, err)
			}
			// Bytes left when the body is closed were received and count.
			for range 2 { // but only once
				_ = resp.Body.Close()
				if counted := c.Stats().Bytes; counted < int64(n)*15/16 || counted > sends {
					t.Errorf("%d bytes counted of %d sent, of which %d could be read", counted, sends, n)
				}
			}
		})
	}
}

// Bytes read to judge a response come first, and count as buffered.
func TestBufferedAfterPeek(t *testing.T) {
	c, _ := raw(t, reply(200, "Content-Length: 3\r\n", "abc"))
	resp, err := c.Download(t.Context(), Request{ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if n := resp.Body.buffered(); n != 3 {
		t.Errorf("buffered is %d of 3 bytes that were looked at", n)
	}
	b, err := io.ReadAll(resp.Body)
	if string(b) != "abc" || err != nil || resp.Body.buffered() != 0 {
		t.Errorf("%q, %v, then %d buffered", b, err, resp.Body.buffered())
	}
}

// What net/http reads together with the header counts like what the kernel holds. For an unread small asset that is every
// byte.
func TestHeldByHTTP(t *testing.T) {
	for _, secure := range []bool{false, true} {
		const size = 1000 // fits into the first, short TLS record
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			attach(w, "x")
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write(make([]byte, size)) // in one piece with the header
		}))
		o := Options{}
		if secure {
			srv.StartTLS()
			o.TLS = trust(srv)
		} else {
			srv.Start()
		}
		c := newTestClient(t, srv.URL, o)
		resp, err := c.Download(t.Context(), Request{ID: testID})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
			t.Fatal(n, err)
		}
		if n := resp.Body.buffered(); n != size-10 {
			t.Errorf("TLS %v: buffered is %d, want %d", secure, n, size-10)
		}
		_ = resp.Body.Close()
		if n := c.Stats().Bytes; n != size {
			t.Errorf("TLS %v: %d bytes counted of %d", secure, n, size)
		}
		srv.Close()
	}
}

// What surrounds a body does not count as bytes of it.
func TestNotHeld(t *testing.T) {
	for _, tc := range []struct {
		name, fields, body string
	}{
		{"behind its end", "Content-Length: 3\r\n", "abcdef"},
		{"chunk framing", "Transfer-Encoding: chunked\r\n", chunks("abc")},
	} {
		c, _ := raw(t, reply(200, attachment+tc.fields, tc.body))
		resp, err := c.Download(t.Context(), Request{ID: testID})
		if err != nil {
			t.Fatal(err)
		}
		if n := resp.Body.buffered(); n > 3 {
			t.Errorf("%s: %d bytes can be read of 3", tc.name, n)
		}
		_ = resp.Body.Close()
		if n := c.Stats().Bytes; n > 3 {
			t.Errorf("%s: %d bytes counted of 3", tc.name, n)
		}
	}
}

// Of a chunk whose header has come nothing can be read yet.
func TestChunkHeaderHeld(t *testing.T) {
	more := make(chan struct{})
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = io.WriteString(conn, reply(200, attachment+"Transfer-Encoding: chunked\r\n", ""))
		<-more
		_, _ = io.WriteString(conn, "1000\r\n")
		<-r.Context().Done()
	}, Options{})
	resp, err := c.Download(t.Context(), Request{ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	close(more)
	held := func() (n int) {
		resp.Body.control(func(fd int) { n = receiveQueue(fd) })
		return n
	}
	for deadline := time.Now().Add(10 * time.Second); held() < 6; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the kernel holds %d bytes, want 6", held())
		}
	}
	if n := resp.Body.buffered(); n != 0 {
		t.Errorf("%d bytes can be read", n)
	}
}

// What was looked at is read to its end also after Stop, even if it ends like an error.
func TestStopAtEnd(t *testing.T) {
	const all = `x{"code":1}`
	c, _ := raw(t, reply(200, "Content-Length: 11\r\n", all))
	resp, err := c.Download(t.Context(), Request{ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := resp.Body.Read(nil); n != 0 || err != nil {
		t.Errorf("no room: %d bytes, %v", n, err)
	}
	n := resp.Body.Stop()
	if b, err := io.ReadAll(resp.Body); n != len(all) || string(b) != all || err != nil {
		t.Errorf("%d bytes: %q, %v", n, b, err)
	}
}
