package fakeapi

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// Watch makes Request.Acknowledged and the exact Request.Time known for connections of the
// listener that it returns, which is l with access to TCP's state. It may be wrapped in other listeners whose
// connections have a NetConn method, as those of TLS have. Without Watch,
// Request.Acknowledged is 0.
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

// socketKey is the key of the *socket in a request's context.
type socketKey struct{}

// socketOf returns the socket of a request, nil if unknown. It is nil for HTTP/2, where
// several answers share a connection.
func socketOf(r *http.Request) *socket {
	if r.ProtoMajor != 1 {
		return nil
	}
	s, _ := r.Context().Value(socketKey{}).(*socket)
	return s
}

// arrived returns when the kernel received a request whose handler begins now. On a busy machine
// that may be long ago. s is nil if unknown.
func (s *socket) arrived() time.Time {
	if s == nil {
		return time.Now()
	}
	return time.Now().Add(-sinceReceived(s.TCPConn))
}

// watched is a listener whose connections are sockets.
type watched struct{ net.Listener }

func (l watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		return &socket{TCPConn: tcp}, err
	}
	return c, err
}

// socket is a connection that knows how much of what was written to it has not been
// acknowledged.
type socket struct {
	*net.TCPConn

	mu     sync.Mutex // guards all fields below
	closed bool
	left   int  // what was not acknowledged when it was closed
	known  bool // left is valid
}

// Close records the size of the send queue, which is lost afterwards.
func (s *socket) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.left, s.known = sendQueue(s.TCPConn)
		s.closed = true
	}
	s.mu.Unlock()
	return s.TCPConn.Close()
}

// unacknowledged returns how many bytes written to s its peer has not acknowledged, or had not
// when s was closed; false means unknown.
func (s *socket) unacknowledged() (int, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return s.left, s.known
	}
	return sendQueue(s.TCPConn)
}
