package remote

import (
	"errors"
	"net"
	"sync/atomic"
	"syscall"
)

// filterConn is a connection for one HTTP/1 response. It replaces what net/http refuses a whole
// response for while the header is read, and curl and browsers don't: control bytes, names that
// are no token, lines without a colon, and http in small letters. The body is not changed and
// costs nothing. Neither is anything that does not begin like HTTP.
type filterConn struct {
	net.Conn
	filter headerFilter
	passed atomic.Int64 // bytes of the body that were read, including its framing
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

// SyscallConn gives access to the socket.
func (c *filterConn) SyscallConn() (syscall.RawConn, error) {
	if sc, ok := c.Conn.(syscall.Conn); ok {
		return sc.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// headerFilter mends a header that comes in pieces, including interim headers (1xx) before the
// final one. Each byte stays or becomes another one. It stops where net/http sees the end of the
// header, or earlier, so it never changes the body.
type headerFilter struct {
	done  bool     // the header has ended
	held  bool     // the last byte was a carriage return, not delivered yet
	line  int      // bytes of the current line so far
	rest  bool     // the status line has ended
	named bool     // the name of the current line has ended
	head  [12]byte // start of the status line: "HTTP/1.1 100"

	behind int // bytes of the body that came with the end of the header
}

// replacement replaces bytes that are not allowed. It is allowed in names and values, and
// browsers use it in the names of downloads.
const replacement = '_'

// read calls source and filters what it returns.
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
			f.held = true // the next byte decides what it means
			n--
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// filter mends b, up to the end of the header. A carriage return at the end of b is taken for
// the end of a line.
func (f *headerFilter) filter(b []byte) {
	const proto = "HTTP/"
	blank := -2 // index of the last blank in a name
	for i, c := range b {
		if !f.rest && f.line < len(f.head) {
			if f.line < len(proto) && c == proto[f.line]|0x20 {
				c = proto[f.line]
				b[i] = c
			}
			f.head[f.line] = c
			if f.line < len(proto) && c != proto[f.line] {
				f.done = true // another protocol
				return
			}
		}
		naming := f.rest && !f.named
		switch {
		case c == '\n' && f.rest && f.line == 0:
			if !f.interim() {
				f.done, f.behind = true, len(b)-i-1
				return
			}
			f.rest = false
		case c == '\n':
			f.rest, f.named, f.line = true, false, 0
		case c == '\r' && (i+1 == len(b) || b[i+1] == '\n'):
			if naming && f.line > 0 && i+1 < len(b) {
				b[i] = ':' // a line without a colon becomes a field without a value
			}
		case naming && c == ':':
			if blank == i-1 && f.line > 1 {
				b[blank], b[i] = ':', ' '
			}
			f.named = true
			f.line++
		case naming && f.line == 0 && (c == ' ' || c == '\t'): // the last line goes on
			f.named = true
			f.line++
		case naming && !token(c), c < ' ' && c != '\t', c == 0x7f:
			if c == ' ' || c == '\t' {
				blank = i
			}
			b[i] = replacement
			f.line++
		default:
			f.line++
		}
	}
}

// interim reports whether another header follows this one.
func (f *headerFilter) interim() bool {
	status := string(f.head[8:])
	return status[:2] == " 1" && status != " 101"
}
