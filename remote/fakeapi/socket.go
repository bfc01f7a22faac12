package fakeapi

import (
	"context"
	"net"
	"net/http"
	"sync"
)

// Watch makes it known what clients have acknowledged of the answers that server
// sends to connections of the listener it returns: l with TCP's send queues in
// view. Other listeners may be put around it if their connections have a method
// NetConn, as those of TLS have. Without Watch, Request.Acknowledged is 0.
func Watch(server *http.Server, l net.Listener) net.Listener {
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		for {
			switch inner := c.(type) {
			case *socket:
				return context.WithValue(ctx, socketKey{}, inner)
			case interface{ NetConn() net.Conn }:
				c = inner.NetConn()
			default:
				return ctx
			}
		}
	}
	return watched{l}
}

// socketKey is where a request's context has its *socket.
type socketKey struct{}

// socketOf returns the socket of a request, nil if it is not watched. HTTP/2 mixes
// answers in one.
func socketOf(r *http.Request) *socket {
	if r.ProtoMajor != 1 {
		return nil
	}
	s, _ := r.Context().Value(socketKey{}).(*socket)
	return s
}

// watched hands out sockets.
type watched struct{ net.Listener }

func (l watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &socket{TCPConn: tcp}, err
	}
	return c, err
}

// socket is a connection that tells how much of what was written to it has not
// been acknowledged.
type socket struct {
	*net.TCPConn

	mu     sync.Mutex // guards all below
	closed bool
	left   int  // what was not acknowledged when it was closed
	known  bool // left is
}

// Close notes what will never be known otherwise.
func (s *socket) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.left, s.known = sendQueue(s.TCPConn)
		s.closed = true
	}
	s.mu.Unlock()
	return s.TCPConn.Close()
}

// unacknowledged is how many of the bytes written to s its peer has not
// acknowledged, or had not at the end; false is not known.
func (s *socket) unacknowledged() (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.left, s.known
	}
	return sendQueue(s.TCPConn)
}
