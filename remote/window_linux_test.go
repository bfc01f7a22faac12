package remote

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// flood returns a body whose server sends as fast as it can, and a receive buffer that the kernel has made large.
func flood(t *testing.T) *Body {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		attach(w, "x")
		w.Header().Set("Content-Length", "1073741824")
		for p := make([]byte, 64<<10); ; {
			if _, err := w.Write(p); err != nil {
				return
			}
		}
	}))
	t.Cleanup(srv.Close)
	resp, err := newTestClient(t, srv.URL, Options{}).Download(t.Context(), Request{ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	resp.Body.control(func(fd int) {
		err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, youngWindow) // the kernel doubles it
		if err != nil {
			err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, youngWindow)
		}
		growWindow(fd, true) // the line before forbids it
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Body
}

// The receive buffer may grow only with what was read: otherwise the window has megabytes for a program that looks at the
// start only.
func TestWindowFollowsReading(t *testing.T) {
	b, read := flood(t), int64(0)
	b.control(func(fd int) {
		if n := receiveBuffer(fd); n < youngWindow {
			t.Skipf("the receive buffer is %d bytes (sysctl net.core.rmem_max)", n)
		}
	})
	for _, c := range []struct {
		upTo int64
		may  bool
	}{{256 << 10, false}, {1 << 20, false}, {64 << 20, true}} {
		n, err := io.CopyN(io.Discard, b, c.upTo-read)
		if err != nil {
			t.Fatal(err)
		}
		read += n
		b.control(func(fd int) {
			lock, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK)
			if err != nil {
				t.Skip("before Linux 5.14: ", err)
			}
			// The kernel may have grown it further since.
			if may := lock == 0; may != c.may && (!c.may || receiveBuffer(fd) < int(read/2)) {
				t.Errorf("after %d bytes the buffer of %d may grow: %v, want %v", read, receiveBuffer(fd), may, c.may)
			}
		})
	}
}

// What is read after Stop makes no place for more.
func TestStopShutsWindow(t *testing.T) {
	b := flood(t)
	if _, err := io.CopyN(io.Discard, b, 1<<20); err != nil {
		t.Fatal(err)
	}
	quiet(t, b)
	held := b.Stop()
	if _, err := io.CopyN(io.Discard, b, int64(held)); err != nil {
		t.Fatal(err)
	}
	b.control(func(fd int) {
		if lock, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK); err == nil && lock == 0 {
			t.Error("the kernel may make the window larger again")
		}
	})
	if again := quiet(t, b); held < 128<<10 || again > held/2 {
		t.Errorf("the socket held %d bytes, and %d again after these were read", held, again)
	}
}

// A server that waits for room in the window must hear of Close at once, also if all that came was read.
func TestStopThenCloseResets(t *testing.T) {
	full, ended := make(chan error, 1), make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			full <- err
			return
		}
		defer func() { _ = conn.Close() }()
		_, err = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Disposition: attachment; filename=x\r\nContent-Length: 1073741824\r\n\r\n"))
		_ = conn.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		for p := make([]byte, 64<<10); err == nil; {
			_, err = conn.Write(p)
		}
		full <- err
		_, err = conn.Read(make([]byte, 1))
		ended <- err
	}))
	t.Cleanup(srv.Close)
	resp, err := newTestClient(t, srv.URL, Options{}).Download(t.Context(), Request{ID: testID})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-full; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	for held := resp.Body.Stop(); held > 0; held = quiet(t, resp.Body) {
		if _, err := io.CopyN(io.Discard, resp.Body, int64(held)); err != nil {
			t.Fatal(err)
		}
	}
	_ = resp.Body.Close()
	if err := <-ended; !errors.Is(err, unix.ECONNRESET) {
		t.Errorf("the server reads %v, want %v", err, unix.ECONNRESET)
	}
}

// quiet waits until nothing more comes, and returns how many bytes the socket holds.
func quiet(t *testing.T, b *Body) (n int) {
	t.Helper()
	for same := 0; same < 20; same++ {
		time.Sleep(5 * time.Millisecond)
		if now := b.buffered(); now != n {
			same, n = 0, now
		}
	}
	return n
}
