package remote

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// filterConn is a connection for one HTTP/1 response in whose header each control
// byte is replaced as it is read: net/http refuses a response for one such
// byte in any of its fields, and curl and browsers don't. The body behind the header is
// left as it is, and costs nothing; so is what does not begin as HTTP does.
type filterConn struct {
	net.Conn
	filter headerFilter
	passed atomic.Int64 // bytes of the body that were read, with its framing
}

func (c *filterConn) Read(p []byte) (n int, err error) {
	if c.filter.done || len(p) == 0 {
		n, err = c.Conn.Read(p)
		c.passed.Add(int64(n))
		return n, err
	}
	n, err = c.filter.read(c.Conn.Read, p)
	c.passed.Add(int64(c.filter.behind))
	return n, err
}

// SyscallConn gives access to the socket, as the connection inside does.
func (c *filterConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// headerFilter replaces control bytes of a header that comes in pieces. Interim
// headers (1xx) before the final one are a part of it. It ends where net/http
// sees the end, or before: never behind it, where the body is.
type headerFilter struct {
	done bool     // the header is over
	held bool     // a carriage return that came last is still to be delivered
	line int      // bytes of the current line so far
	rest bool     // the status line is over
	head [12]byte // how that began: "HTTP/1.1 100"

	behind int // bytes behind the header that came together with its end
}

// replacement stands for a control byte: it is allowed in names and in values,
// and is what browsers put into the names of downloads.
const replacement = '_'

// read reads by means of source, and filters.
func (f *headerFilter) read(source func([]byte) (int, error), p []byte) (int, error) {
	if f.held && len(p) == 1 {
		f.held, p[0] = false, '\r'
		return 1, nil
	}
	for {
		kept := 0
		if f.held {
			f.held, p[0], kept = false, '\r', 1
		}
		n, err := source(p[kept:])
		n += kept
		f.filter(p[:n])
		if !f.done && err == nil && n > 0 && p[n-1] == '\r' && len(p) > 1 {
			f.held = true // what it means, the next byte tells
			n--
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// filter replaces in b, up to the end of the header. A carriage return at its
// end is passed as one that ends the line.
func (f *headerFilter) filter(b []byte) {
	const proto = "HTTP/"
	for i, c := range b {
		if !f.rest && f.line < len(f.head) {
			f.head[f.line] = c
			if f.line < len(proto) && c != proto[f.line] {
				f.done = true // another protocol
				return
			}
		}
		switch {
		case c == '\n' && f.rest && f.line == 0:
			if !f.interim() {
				f.done, f.behind = true, len(b)-i-1
				return
			}
			f.rest = false
		case c == '\n':
			f.rest, f.line = true, 0
		case c == '\r' && (i+1 == len(b) || b[i+1] == '\n'):
		case c < ' ' && c != '\t', c == 0x7f:
			b[i] = replacement
			f.line++
		default:
			f.line++
		}
	}
}

// interim tells that another header follows this one.
func (f *headerFilter) interim() bool {
	status := string(f.head[8:])
	return status[:2] == " 1" && status != " 101"
}
