package fakeapi

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
)

// Pipes is a network without sockets, for bubbles of virtual time: a listener, and what dials it.
type Pipes struct {
	Down  atomic.Bool  // connections are refused
	Dials atomic.Int64 // so many there have been

	conns chan net.Conn
	done  chan struct{} // closed at the end; a dial that nobody waits for any more may still go on
	once  sync.Once
}

var _ net.Listener = (*Pipes)(nil)

// NewPipes returns a network for one bubble.
func NewPipes() *Pipes { return &Pipes{conns: make(chan net.Conn), done: make(chan struct{})} }

// Accept returns the far end of the next connection.
func (p *Pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial. Connections stay.
func (p *Pipes) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// Addr returns an address that means nothing.
func (p *Pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

// Dial returns the near end of a new connection, whatever the address.
func (p *Pipes) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	p.Dials.Add(1)
	if p.Down.Load() {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.done:
		return nil, net.ErrClosed
	}
}
