package asset

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"sync"
	"time"

	"assetfs/fs/ranges"
)

// buffers hold what is between socket and blob. 256 KiB is two of the kernel's largest reads; more
// was not faster.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// pump reads the body and stores it, until the body or the stream ends.
func (s *stream) pump(body Body) error {
	for room := s.turn(); room > 0; {
		s.charge(body)
		_, next, err := s.step(body, room)
		switch {
		case errors.Is(err, io.EOF):
			return s.a.complete(s)
		case err != nil:
			return err
		case next == wait:
			next = s.turn()
		}
		room = next
	}
	return s.drain(body)
}

// step reads up to room bytes and stores them. next is the next result of turnLocked. After a short
// read, as when remote holds back what may be an error, it comes back to multiples of the buffer's
// size: otherwise each of the kernel's reads needs two writes, which costs 15 % of speed.
func (s *stream) step(body Body, room int64) (n int, next int64, err error) {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	n, rerr := body.Read(buf[:min(room, int64(len(buf))-s.state.Pos%int64(len(buf)))])
	next = wait
	if n > 0 {
		next, err = s.keep(buf[:n])
	}
	if err == nil && rerr != nil {
		err = rerr
		if !errors.Is(rerr, io.EOF) {
			err = s.why(rerr)
		}
	}
	return n, next, err
}

// keep stores p, the next bytes of the body, or compares those that are present already. It returns
// what the stream may do next. If nothing stands in the way it takes the lock twice: before the
// write, and after it.
func (s *stream) keep(p []byte) (next int64, err error) {
	a := s.a
	a.mu.Lock()
	err = s.receivedLocked(len(p))
	off, gained := s.state.Pos, int64(0)
	for err == nil && len(p) > 0 {
		gap := a.present.Gap(ranges.Range{Start: off, End: off + int64(len(p))})
		n := gap.Start - off
		switch {
		case n > 0:
			a.mu.Unlock()
			err = s.same(p[:n], off)
			a.mu.Lock()
			if s.discard {
				err = ErrChanged
			} else if errors.Is(err, ErrAbsent) {
				err, n = nil, 0
			}
		case off < s.proof:
			err = errUseless // it went meanwhile
		default:
			n = gap.Len()
			err = a.putLocked(p[:n], off)
			switch {
			case err == nil:
				gained += n
			case errors.Is(err, ErrNoSpace) && !s.discard && s.noRoomLocked(err):
				err, n = nil, 0
			} // else these bytes are lost, so no later one may be stored
		}
		if err == nil {
			p, off = p[n:], off+n
		}
	}
	if err != nil {
		a.mu.Unlock()
		return 0, err
	}
	woken := s.keptLocked(ranges.Range{Start: s.state.Pos, End: off}, gained)
	next = s.turnLocked()
	first := off-s.state.Start <= minAhead
	a.mu.Unlock()
	if woken && first {
		// Let those run that waited for the first bytes: otherwise the scheduler starts them only
		// when this goroutine blocks, 0.2 ms later. For later bytes that is not worth the 4 % of
		// speed that it costs.
		runtime.Gosched()
	}
	return next, nil
}

// receivedLocked records that n bytes have come.
func (s *stream) receivedLocked(n int) error {
	a := s.a
	s.reading = time.Time{}
	a.spendLocked(n)
	s.state.Reach = s.state.Pos + int64(n)
	a.history.received += int64(n)
	switch size := a.info.Size; {
	case s.discard:
		return ErrChanged
	case size >= 0 && s.state.Reach > size && s.state.End < 0:
		return &sizeError{wrongLength(s.state.Reach, size, 0), -1}
	case size >= 0 && s.state.Reach > size, s.state.Reach > maxSize:
		return wrongLength(s.state.Reach, size, 0)
	}
	return nil
}

// keptLocked records that r is stored, of which gained bytes are new, and reports whether a read
// waited for it.
func (s *stream) keptLocked(r ranges.Range, gained int64) (woken bool) {
	a := s.a
	s.gained += gained
	s.state.Pos = r.End
	if s.proof > 0 && r.End >= s.proof {
		a.provenLocked(s, s.value, ranges.Range{Start: s.state.Start, End: s.proof}, s.doubtful)
	}
	if gained > 0 && s != a.first {
		a.young.Add(r)
	}
	now := time.Now()
	s.state.LastByte = now
	s.measureLocked(now, r.Len())
	if gained > 0 && s.gained >= block/2 {
		a.fail = failure{} // by less, a server that drips would keep a read retrying for ever
	}
	before := len(a.waiters)
	a.finishLocked(func(w *waiter) (bool, error) {
		return !w.state.Header && !w.state.Need.Intersect(r).Empty() && a.missingLocked(w).Empty(), nil
	})
	woken = len(a.waiters) < before
	if len(a.streams) > 1 && len(a.waiters) > 0 || a.present.RunEnd(r.End)-r.End > block {
		a.planLocked() // it may have run into what is there or comes otherwise
	}
	return woken
}

// same compares p with what is present at off.
func (s *stream) same(p []byte, off int64) error {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	n, err := s.a.readAt(buf[:len(p)], off)
	if err == nil && !bytes.Equal(p, buf[:n]) {
		err = mismatch(ranges.Range{Start: off, End: off + int64(len(p))})
	}
	return err
}

// noRoomLocked makes reads fail that wait for the bytes which s holds, and waits until another read
// wants them. It returns false when the stream must end.
func (s *stream) noRoomLocked(err error) bool {
	a := s.a
	a.lastErr = &mishap{err, time.Now()}
	a.finishPresentLocked() // there was room for so much
	a.finishLocked(func(w *waiter) (bool, error) {
		at := a.missingLocked(w).Start
		return !w.state.Header && s.state.Pos <= at && at < max(s.limit, s.state.Reach), err
	})
	if !s.ending {
		s.state.Stuck = true
		a.planLocked() // its place may be wanted
		s.sleepLocked()
		s.state.Stuck = false
	}
	return !s.ending
}

const (
	// drainFor limits how long the socket of a stream that must end is drained.
	drainFor = 100 * time.Millisecond
	// underWay is how much the two kernels hold at least between server and client. The server has
	// sent that already, and another request for it would cost no less.
	underWay = 64 << 10
)

// drain stores what the socket of a stream that must end still holds, and a small rest of the body
// wholly, because that is paid for.
func (s *stream) drain(body Body) error {
	s.a.mu.Lock()
	left := int64(maxSize)
	if s.state.End >= 0 {
		left = s.state.End - s.state.Pos
	}
	if s.discard {
		left = 0
	}
	s.a.mu.Unlock()
	if left > underWay {
		left = min(left, int64(body.Stop()))
	}
	for left > 0 {
		n, _, err := s.step(body, left)
		if err != nil {
			return err
		}
		left -= int64(n)
	}
	return nil
}
