package integration_test

import (
	"errors"
	"net"
	"sync"
)

// network lets connections die silently, as happens when a machine sleeps or gets another address.
type network struct {
	mu     sync.Mutex // guards the fields below
	frozen bool
	conns  []*conn
}

// freeze kills all connections and, while on, new ones.
func (n *network) freeze(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = on
	for _, c := range n.conns {
		c.die()
	}
	n.conns = nil
}

// listener accepts connections of a network.
type listener struct {
	net.Listener
	net *network
}

// Accept waits for a connection.
func (l listener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if tcp, ok := inner.(interface{ SetWriteBuffer(bytes int) error }); ok {
		// Bytes in socket buffers count as sent, and Linux makes these megabytes large. If few bytes are on
		// their way, the receiver's buffer stays small, too.
		if err := tcp.SetWriteBuffer(64 << 10); err != nil {
			return nil, errors.Join(err, inner.Close())
		}
	}
	c := &conn{Conn: inner, dead: make(chan struct{}), closed: make(chan struct{})}
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.net.frozen {
		c.die()
	}
	l.net.conns = append(l.net.conns, c)
	return c, nil
}

// conn is one connection, seen from the server. When it is dead, its reads and writes wait until the server closes it, and what it
// has not sent is lost.
type conn struct {
	net.Conn
	dying, closing sync.Once
	dead, closed   chan struct{}
}

// NetConn returns the connection below, as tls.Conn's method of that name does.
func (c *conn) NetConn() net.Conn { return c.Conn }

func (c *conn) die() { c.dying.Do(func() { close(c.dead) }) }

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.isDead() {
		return 0, net.ErrClosed
	}
	return n, err
}

func (c *conn) Write(p []byte) (int, error) {
	if c.isDead() {
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

// isDead reports whether the connection has died. If so, it waits for Close.
func (c *conn) isDead() bool {
	select {
	case <-c.dead:
		<-c.closed
		return true
	default:
		return false
	}
}

// Close closes the connection. The other side learns of that only if the connection is alive.
func (c *conn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
