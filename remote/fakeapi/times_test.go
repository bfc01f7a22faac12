package fakeapi

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// TestTimes tests Latency, Delay, Rate and StallFor over a pipe in a bubble, where they are exact.
func TestTimes(t *testing.T) {
	for _, c := range []struct {
		name        string
		config      Config
		fault       Fault
		size        int64
		first, last time.Duration // until the header, and until the last byte
	}{
		{"at once", Config{}, Fault{}, 1000, 0, 0},
		{"latency", Config{Latency: 20 * time.Millisecond}, Fault{Delay: time.Second}, 1000, 1020 * time.Millisecond, 1020 * time.Millisecond},
		{"1 byte a second", Config{}, Fault{Rate: 1}, 61, 0, time.Minute},
		{"rate", Config{Rate: 1000}, Fault{}, 10_000, 0, 9980 * time.Millisecond}, // the last 20 ms worth is sent at their beginning
		{"fault's rate", Config{Rate: 1}, Fault{Rate: 1000}, 10_000, 0, 9980 * time.Millisecond},
		{"stall", Config{}, Fault{Stall: 5, StallFor: time.Hour}, 10, 0, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Asset{ID: "re_1", Size: c.size, Faults: []Fault{c.fault}})
				s.Configure(func(cfg *Config) { *cfg = c.config })
				begin := time.Now()
				r := overPipe(t, s)
				defer r.Body.Close()
				first := time.Since(begin)
				b, err := io.ReadAll(r.Body)
				last := time.Since(begin)
				if err != nil || !bytes.Equal(b, bytesOf(t, "re_1", 0, 0, c.size)) {
					t.Errorf("%d bytes, %v", len(b), err)
				}
				if first != c.first || last.Round(time.Millisecond) != c.last {
					t.Errorf("header after %v, last byte after %v, want %v, %v", first, last, c.first, c.last)
				}
			})
		})
	}
}

// TestSendTimeout tests a server that cuts off clients that don't read.
func TestSendTimeout(t *testing.T) {
	for _, f := range []Fault{{}, {Unframed: true}, {Rate: 1 << 20}} {
		synctest.Test(t, func(t *testing.T) {
			const size = 4 << 20
			s := New(Asset{ID: "re_1", Size: size, Faults: []Fault{f}})
			s.Configure(func(c *Config) { c.SendTimeout = time.Minute })
			r := overPipe(t, s)
			defer r.Body.Close()
			for range 100 { // slow, but it reads
				time.Sleep(50 * time.Second)
				if _, err := io.CopyN(io.Discard, r.Body, 2*timedSize); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(61 * time.Second)
			n, err := io.Copy(io.Discard, r.Body)
			if !f.Unframed && !errors.Is(err, io.ErrUnexpectedEOF) || n > 2*timedSize {
				t.Errorf("%+v: %d bytes and %v after the pause", f, n, err)
			}
		})
	}
}

// overPipe downloads re_1 from s, served on one end of a net.Pipe.
func overPipe(t *testing.T, s *Server) *http.Response {
	here, there := net.Pipe()
	server := &http.Server{Handler: s, ReadHeaderTimeout: time.Hour}
	l := &oneConn{conn: there, closed: make(chan struct{})}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return here, nil },
	}
	t.Cleanup(func() {
		server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("Serve: %v", err)
		}
		transport.CloseIdleConnections()
	})
	rq, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://pipe/re_1/download", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	r, err := transport.RoundTrip(rq)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// oneConn is a listener for a single connection.
type oneConn struct {
	conn   net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	<-l.closed
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return there{} }

type there struct{}

func (there) Network() string { return "pipe" }
func (there) String() string  { return "pipe" }
