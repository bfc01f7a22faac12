package fakeapi

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// wire is the connection to one client, for one response.
type wire interface {
	io.Writer             // of the body
	ctx() context.Context // ends when the client goes away
	head(*reply) error    // sends the header
	flush() error
	within(d time.Duration) error // sets a deadline for the next write; 0: none
	cut(reset bool)               // ends the connection; only close may follow
	endless()                     // sends header fields until the client goes away
	close()
}

// newWire answers through net/http, or around it if raw is set and the connection can be
// taken over.
func newWire(w http.ResponseWriter, r *http.Request, raw bool) wire {
	plain := &httpWire{w, http.NewResponseController(w), r.Context()}
	if !raw {
		return plain
	}
	conn, _, err := plain.ctl.Hijack()
	if err != nil {
		return plain
	}
	return newRawWire(r.Context(), conn)
}

// httpWire sends through net/http.
type httpWire struct {
	http.ResponseWriter
	ctl     *http.ResponseController
	request context.Context // of the request, whose lifetime the wire shares
}

func (h *httpWire) ctx() context.Context { return h.request }
func (h *httpWire) flush() error         { return h.ctl.Flush() }
func (h *httpWire) within(d time.Duration) error {
	return h.ctl.SetWriteDeadline(deadline(d))
}
func (h *httpWire) close()   {}
func (h *httpWire) endless() { panic(http.ErrAbortHandler) }

func (h *httpWire) head(rp *reply) error {
	header := h.Header()
	for key, values := range rp.header {
		header[key] = values
	}
	if rp.body != nil && !rp.chunked {
		header.Set("Content-Length", strconv.FormatInt(rp.end-rp.start, 10))
	}
	h.WriteHeader(rp.status)
	if rp.chunked {
		return h.flush() // otherwise net/http sends the length of a small body
	}
	return nil
}

func (h *httpWire) cut(reset bool) {
	conn, _, err := h.ctl.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // makes net/http cut the connection in its own way
	}
	hangUp(conn, reset)
}

// deadline returns the time in d from now, or none for 0.
func deadline(d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return time.Now().Add(d)
}

// hangUp closes conn, with a TCP reset if requested and possible.
func hangUp(conn net.Conn, reset bool) {
	if t, ok := conn.(*tls.Conn); ok && reset {
		conn = t.NetConn()
	}
	if l, ok := conn.(interface{ SetLinger(sec int) error }); ok && reset {
		_ = l.SetLinger(0) // it fails only if conn is closed
	}
	conn.Close()
}

// rawWire writes HTTP/1.1 by hand. The connection is closed afterwards.
type rawWire struct {
	conn   net.Conn
	w      *bufio.Writer
	alive  context.Context // until the client goes away or close
	finish context.CancelFunc
	done   chan struct{} // closed when nobody reads from conn any more
}

func newRawWire(ctx context.Context, conn net.Conn) *rawWire {
	alive, finish := context.WithCancel(ctx)
	rw := &rawWire{conn, bufio.NewWriter(conn), alive, finish, make(chan struct{})}
	go func() {
		defer close(rw.done)
		_, _ = io.Copy(io.Discard, conn) // in any case, the client is gone afterwards
		finish()
	}()
	return rw
}

func (rw *rawWire) ctx() context.Context        { return rw.alive }
func (rw *rawWire) Write(p []byte) (int, error) { return rw.w.Write(p) }
func (rw *rawWire) flush() error                { return rw.w.Flush() }
func (rw *rawWire) within(d time.Duration) error {
	return rw.conn.SetWriteDeadline(deadline(d))
}
func (rw *rawWire) cut(reset bool) { hangUp(rw.conn, reset) }

// close waits for the reading goroutine.
func (rw *rawWire) close() {
	rw.w.Flush()
	rw.conn.Close()
	<-rw.done
	rw.finish()
}

func (rw *rawWire) head(rp *reply) error {
	rw.begin(rp.status)
	keys := make([]string, 0, len(rp.header))
	for key := range rp.header {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		for _, value := range rp.header[key] {
			fmt.Fprintf(rw.w, "%s: %s\r\n", key, value)
		}
	}
	if !rp.unframed {
		fmt.Fprintf(rw.w, "Content-Length: %s\r\n", rp.length)
	}
	fmt.Fprint(rw.w, "Connection: close\r\n\r\n")
	return rw.w.Flush()
}

func (rw *rawWire) begin(status int) {
	fmt.Fprintf(rw.w, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, http.StatusText(status), time.Now().UTC().Format(http.TimeFormat))
}

func (rw *rawWire) endless() {
	rw.begin(http.StatusOK)
	fill := strings.Repeat("endless ", 100)
	for i := 0; rw.alive.Err() == nil; i++ {
		if _, err := fmt.Fprintf(rw.w, "X-Fill-%d: %s\r\n", i, fill); err != nil {
			return
		}
	}
}
