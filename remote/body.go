package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Body streams the bytes of a download. Read and Stop must be called from one
// goroutine. Close may be called from any other, and ends a waiting Read.
type Body struct {
	c       *Client
	id      string
	ctx     context.Context // the caller's; when it ends, the server is not to blame
	life    context.Context // ends with Close, with ctx, or on a stall
	cancel  context.CancelCauseFunc
	rc      io.ReadCloser
	meter   atomic.Pointer[meter]
	conn    net.Conn     // nil: unknown
	chunked bool         // chunk framing lies between the bytes
	asset   bool         // the response was accepted as an asset, so its bytes count
	left    atomic.Int64 // bytes still to come, -1: unknown; atomic because Close reads it
	got     atomic.Int64 // bytes read from net/http
	held    bool         // the receive window may not grow
	stopped bool         // and never will
	peeked  []byte       // read, but not yet returned by Read
	suspect []byte       // behind these: perhaps an error in place of the rest, see appended
	began   bool         // Read has returned bytes
	binary  bool         // and the last ones were not text
	status  int          // of the response
	key     string       // of the request
	err     error        // returned by every further Read
	closing sync.Once
}

// Read returns what has arrived, and waits only when nothing has. (TLS gives 16 KiB at a
// time, and fewer, larger writes are cheaper for the caller.) It returns io.EOF exactly
// where the response said the body ends. Every other error is an *Error: it
// wraps io.ErrUnexpectedEOF for a cut, ErrMalformed for a body that is too long, and
// ErrBudget beyond Options.MaxDownload or Client.Allow. Streams read at the same time
// may exceed that budget by one Read each. An error that the server sends in place of the
// rest is never returned as bytes.
func (b *Body) Read(p []byte) (int, error) {
	for {
		if n, err := b.next(p); n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// next is Read, but may return nothing.
func (b *Body) next(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.left.Load() != 0 && len(b.peeked) == 0 {
		allowed, spent := b.c.left()
		if spent != nil {
			return 0, b.fail(spent)
		}
		p = p[:min(int64(len(p)), allowed)]
	}
	if len(b.peeked) == 0 && len(b.suspect) > 0 {
		if e := b.resolve(); e != nil {
			return 0, b.fail(e)
		}
	}
	n, err := b.gather(p)
	b.holdWindow()
	left := b.left.Load()
	if left >= 0 && int64(n) > left {
		return 0, b.fail(malformed(0, "the body is longer than the header says"))
	}
	all := int64(n) == left || left < 0 && errors.Is(err, io.EOF) && !b.failed(p[:n])
	if !all && len(b.peeked)+len(b.suspect) == 0 {
		n = b.holdBack(p[:n])
	}
	if left > 0 {
		b.left.Add(-int64(n))
	}
	switch {
	case err == nil:
	case all: // whatever ended the connection
		b.err, err = io.EOF, io.EOF
	default:
		err = b.fail(b.cut(err))
	}
	if n > 0 {
		b.began, b.binary = true, binary(p[:n])
		return n, nil
	}
	return 0, err
}

// gather reads until p is full, or nothing more has arrived.
func (b *Body) gather(p []byte) (n int, err error) {
	for {
		m, err := b.read(p[n:])
		n += m
		if err != nil || n == len(p) || len(b.suspect) > 0 || b.buffered() == 0 {
			return n, err
		}
	}
}

func (b *Body) read(p []byte) (int, error) {
	if len(b.peeked)+len(b.suspect) > 0 {
		n := copy(p, b.peeked)
		b.peeked = b.peeked[n:]
		return n, nil
	}
	return b.fill(p)
}

// fill reads from net/http.
func (b *Body) fill(p []byte) (int, error) {
	n, err := b.rc.Read(p)
	b.got.Add(int64(n))
	b.c.meters.count(b, int64(n))
	return n, err
}

// Charge charges all further bytes to program.
func (b *Body) Charge(program string) { b.meter.Store(b.c.meters.of(program)) }

// accept marks the body as an asset's. The bytes read to find that out count, too.
func (b *Body) accept() {
	b.asset = true
	b.c.meters.count(b, int64(len(b.peeked)))
	if int64(len(b.peeked)) != b.left.Load() {
		b.peeked = b.peeked[:b.holdBack(b.peeked)]
	}
	b.c.meters.opened(b)
}

func (b *Body) fail(e *Error) error {
	b.err = b.c.finish(opDownload, b.id, e)
	return b.err
}

// Close ends the download. Bytes that the server sent but nobody read are lost and
// still billed, see Stop. Those in this machine's buffers are counted here; those
// still in the network can't be known.
func (b *Body) Close() error {
	b.closing.Do(func() {
		if b.asset {
			b.c.meters.closed(b)
		}
	})
	b.cancel(nil)
	return b.rc.Close()
}

// Stop lets the server send no more than it has, as far as that is possible, and returns
// how many bytes Read would return without waiting for the network. Read them before Close.
func (b *Body) Stop() int {
	b.stopped = true
	b.control(func(fd int) {
		shutWindow(fd)
		// Close resets the connection. If it only ended our side, a server that waits for room in
		// the window would learn of it when it probes next, after a long pause minutes later, and
		// until then count the download as open.
		_ = unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
	return b.buffered()
}

// buffered returns how many bytes Read would return without waiting for the network,
// 0 if unknown. For TLS and chunked streams it is a lower bound, because what the
// kernel holds includes framing.
func (b *Body) buffered() int {
	n, secure := b.queued()
	if secure {
		n -= tlsRecord
	}
	if b.chunked {
		n -= 64 // the last chunk header, or part of one
	}
	return int(b.bounded(int64(len(b.peeked)) + b.inHTTP() + max(0, n)))
}

// received returns at least how many bytes of the body have arrived and were not
// counted yet.
func (b *Body) received() int64 {
	inHTTP := b.inHTTP() // before queued: bytes that move in between must not count twice
	n, _ := b.queued()
	return b.bounded(inHTTP + n)
}

// inHTTP returns how many bytes net/http has read but not returned. For a chunked body it is a lower
// bound. It is 0, since unknown, where net/http does TLS itself.
func (b *Body) inHTTP() int64 {
	c, ok := b.conn.(*filterConn)
	if !ok {
		return 0
	}
	got := b.got.Load() // before passed, for the same reason
	return max(0, c.passed.Load()-got)
}

func (b *Body) bounded(n int64) int64 {
	if left := b.left.Load(); left >= 0 {
		return min(n, left)
	}
	return n
}

const (
	// tlsRecord is the longest incomplete TLS record: 16 KiB and its overhead
	// (RFC 8446, 5.2).
	tlsRecord = 16<<10 + 256 + 5
	// framingShare: each framing takes at most 1/32 of a stream. TLS adds 22 bytes a
	// record, which has 1400 bytes while a connection is young. Chunks of 512 bytes
	// add 7 each, and may be a record each.
	framingShare = 32
	// youngWindow is the receive buffer that any stream may have. The window is a good half of that,
	// enough for 40 Mbit/s at a distance of 50 ms.
	youngWindow = 512 << 10
)

// queued returns how many bytes the kernel holds, less an estimate of their framing.
func (b *Body) queued() (n int64, secure bool) {
	secure = b.control(func(fd int) { n = int64(receiveQueue(fd)) })
	share := n / framingShare
	if secure {
		n -= share
	}
	if b.chunked {
		n -= share
	}
	return n, secure
}

// holdWindow lets the kernel's receive window grow only with what was read. Otherwise a fast server
// fills it with megabytes that a program which looks only at the start of a file never reads.
func (b *Body) holdWindow() {
	if b.stopped {
		return
	}
	b.control(func(fd int) {
		if hold := int64(receiveBuffer(fd)) >= max(youngWindow, b.got.Load()/2); hold != b.held {
			b.held = hold
			growWindow(fd, !hold)
		}
	})
}

// control calls do with the descriptor of the connection, if it can, and reports whether it has TLS.
func (b *Body) control(do func(fd int)) (secure bool) {
	conn := b.conn
	for {
		switch c := conn.(type) {
		case *tls.Conn:
			conn, secure = c.NetConn(), true
			continue
		case *filterConn:
			conn = c.Conn
			continue
		case syscall.Conn:
			if raw, err := c.SyscallConn(); err == nil {
				_ = raw.Control(func(fd uintptr) { do(int(fd)) }) // fails if it is closed
			}
		}
		return secure
	}
}

// bound ends the body as stalled after d, unless stop is called first.
func (b *Body) bound(d time.Duration) (stop func()) {
	cancel := b.cancel // not b: a stopped timer stays in memory for a while
	t := time.AfterFunc(d, func() { cancel(ErrStalled) })
	return func() { t.Stop() }
}
