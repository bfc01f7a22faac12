package remote

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
)

// Jetty sends no chunks to a client that says that the connection ends. A body without a length then proves nothing,
// so the next request does not say so. It makes a new connection all the same.
func TestFramedNextTime(t *testing.T) {
	var connections atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.Close {
			w.Header().Set("Content-Disposition", "attachment; filename=a")
			_ = http.NewResponseController(w).Flush()
			_, _ = io.WriteString(w, "0123456789")
			return
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, reply(200, attachment+"Connection: close\r\n", "0123456789"))
		_ = conn.Close()
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c := newTestClient(t, srv.URL, Options{})
	for n := range 4 {
		resp, b, err := fetch(t, c, Request{NoRange: n%2 > 0})
		if err != nil || b != "0123456789" || resp.Unframed != (n == 0) {
			t.Errorf("request %d: unframed %v, %q, %v", n, resp.Unframed, b, err)
		}
	}
	if n := connections.Load(); n != 4 {
		t.Errorf("%d connections for 4 requests", n)
	}
}

// A server whose bodies say where they end is told that the connection ends, so that it ends a body that is too short (measured
// with Tomcat).
func TestConnectionEndsWithAnswer(t *testing.T) {
	kept := 0
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		if !r.Close {
			kept++
		}
		attach(w, "x")
	}, Options{})
	for range 2 {
		if _, _, err := fetch(t, c, Request{}); err != nil {
			t.Error(err)
		}
	}
	if kept > 0 {
		t.Errorf("%d requests ask for more than their answer", kept)
	}
}
