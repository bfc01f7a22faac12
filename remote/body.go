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
)

// Body streams the bytes of a download. Read and Buffered belong to one
// goroutine; Close may come from any other, and ends a Read that waits.
type Body struct {
	c       *Client
	id      string
	ctx     context.Context // of the caller: its end is not the server's fault
	life    context.Context // of the body; ends with Close, ctx, or a stall
	cancel  context.CancelCauseFunc
	rc      io.ReadCloser
	meter   atomic.Pointer[meter]
	conn    net.Conn     // nil unknown
	chunked bool         // framing stands between the bytes
	asset   bool         // judged to be an asset's: every byte received counts
	left    atomic.Int64 // bytes still to come, -1 unknown; Close asks, too
	got     atomic.Int64 // bytes that net/http has handed over
	peeked  []byte       // read while the response was judged, not yet by the caller
	err     error        // ends the stream
	closing sync.Once
}

// Read reads what has come, and waits only when nothing has. It ends with
// io.EOF exactly where the response said it would. A body that is cut fails
// with an *Error that is io.ErrUnexpectedEOF, one that goes on too long with
// ErrMalformed, one past Options.MaxDownload or Client.Allow with ErrBudget; the bytes of streams
// that are read at once may pass that by one Read each.
func (b *Body) Read(p []byte) (int, error) {
	if b.err != nil || len(p) == 0 {
		return 0, b.err
	}
	if b.left.Load() != 0 && len(b.peeked) == 0 {
		allowed, spent := b.c.left()
		if spent != nil {
			return 0, b.fail(spent)
		}
		p = p[:min(int64(len(p)), allowed)]
	}
	n, err := b.read(p)
	left := b.left.Load()
	if left >= 0 && int64(n) > left {
		return 0, b.fail(malformed(0, "the body is longer than the header says"))
	}
	if left > 0 {
		left = b.left.Add(-int64(n))
	}
	switch {
	case err == nil:
	case errors.Is(err, io.EOF) && left > 0:
		err = b.fail(classify(b.ctx, b.life, io.ErrUnexpectedEOF))
	case errors.Is(err, io.EOF):
		b.err = io.EOF
		err = io.EOF
	default:
		err = b.fail(classify(b.ctx, b.life, err))
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

func (b *Body) read(p []byte) (int, error) {
	if len(b.peeked) > 0 {
		n := copy(p, b.peeked)
		b.peeked = b.peeked[n:]
		return n, nil
	}
	n, err := b.rc.Read(p)
	b.got.Add(int64(n))
	b.c.meters.count(b, int64(n))
	return n, err
}

// Charge makes program the one to which what comes from now on is charged.
func (b *Body) Charge(program string) { b.meter.Store(b.c.meters.of(program)) }

// accept tells that the body is an asset's. What was read to find out counts
// from now on.
func (b *Body) accept() {
	b.asset = true
	b.c.meters.count(b, int64(len(b.peeked)))
	b.c.meters.opened(b)
}

func (b *Body) fail(e *Error) error {
	b.err = b.c.finish(opDownload, b.id, e)
	return b.err
}

// Close ends the download. Bytes that were sent but not read are lost, and
// billed all the same: see Buffered. Of these, what this machine holds is counted
// here; what is still on its way nobody can tell.
func (b *Body) Close() error {
	b.closing.Do(func() {
		if b.asset {
			b.c.meters.closed(b)
		}
	})
	b.cancel(nil)
	return b.rc.Close()
}

// Buffered is how many bytes Read would deliver without waiting for the network,
// 0 where that is not known. What the kernel holds for a TLS or a chunked stream
// is more than the bytes inside, so for these it is an estimate from below.
func (b *Body) Buffered() int {
	n, secure := b.queued()
	if secure {
		n -= tlsRecord
	}
	if b.chunked {
		n -= 64 // a chunk header that is not whole, and the last one
	}
	return int(b.bounded(int64(len(b.peeked)) + b.held() + max(0, n)))
}

// received is how many bytes of the body have come and were not counted, readable
// or not, as an estimate from below.
func (b *Body) received() int64 {
	held := b.held() // before the queue: what moves in between must not count twice
	n, _ := b.queued()
	return b.bounded(held + n)
}

// held is how many bytes net/http has read and not handed over. Of a chunked body,
// and where TLS is net/http's own, it is not known, and 0.
func (b *Body) held() int64 {
	c, ok := b.conn.(*filterConn)
	if !ok || b.chunked {
		return 0
	}
	got := b.got.Load() // first, likewise
	return max(0, c.passed.Load()-got)
}

func (b *Body) bounded(n int64) int64 {
	if left := b.left.Load(); left >= 0 {
		return min(n, left)
	}
	return n
}

const (
	// tlsRecord is the most that an incomplete TLS record keeps back: 16 KiB
	// and its overhead (RFC 8446, 5.2).
	tlsRecord = 16<<10 + 256 + 5
	// framingShare is the part of a stream that each framing takes at most, 1/32:
	// TLS adds 22 bytes a record, of 1400 bytes while a connection is young;
	// chunks of 512 bytes have 7 more each, and may be a record each.
	framingShare = 32
)

// queued is how many bytes the kernel holds, less what framing takes of them.
func (b *Body) queued() (n int64, secure bool) {
	conn := b.conn
	var sc syscall.Conn
	for sc == nil {
		switch c := conn.(type) {
		case *tls.Conn:
			conn, secure = c.NetConn(), true
		case *filterConn:
			conn = c.Conn
		case syscall.Conn:
			sc = c
		default:
			return 0, secure
		}
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, secure
	}
	if err := raw.Control(func(fd uintptr) { n = int64(receiveQueue(int(fd))) }); err != nil {
		return 0, secure
	}
	share := n / framingShare
	if secure {
		n -= share
	}
	if b.chunked {
		n -= share
	}
	return n, secure
}

// bound ends the body as stalled after d unless the returned function is called
// before.
func (b *Body) bound(d time.Duration) (stop func()) {
	t := time.AfterFunc(d, func() { b.cancel(ErrStalled) })
	return func() { t.Stop() }
}
