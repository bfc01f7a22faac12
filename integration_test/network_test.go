package integration_test

import (
	"errors"
	"net"
	"sync"
)

// network is what a machine that sleeps, or gets another address, does to connections: they die, and nobody is told.
type network struct {
	mu     sync.Mutex // guards what follows
	frozen bool
	conns  []*conn
}

// freeze kills all connections, and, until it is undone, those made later.
func (n *network) freeze(on bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.frozen = on
	for _, c := range n.conns {
		c.die()
	}
	n.conns = nil
}

// listener hands out connections of a network.
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
		// What sockets hold counts as sent, and Linux lets them hold megabytes. With little on its way
		// the receiver's buffer stays small, too.
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

// conn is one connection, as the server has it. Once it is dead its reads and writes wait until the server closes it,
// and what it has not sent by then is lost.
type conn struct {
	net.Conn
	dying, closing sync.Once
	dead, closed   chan struct{}
}

// NetConn returns the connection without the network, as that of tls.Conn does without TLS.
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

// isDead reports whether the connection has died, and waits for its end then.
func (c *conn) isDead() bool {
	select {
	case <-c.dead:
		<-c.closed
		return true
	default:
		return false
	}
}

// Close lets the other side know only if the connection lives.
func (c *conn) Close() error {
	c.closing.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
