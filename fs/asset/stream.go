package asset

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"assetfs/fs/ranges"
)

// stream is one response being read and stored.
type stream struct {
	a       *Asset
	request Request
	ctx     context.Context // ends with the stream; its cause says why
	cancel  context.CancelCauseFunc
	asked   atomic.Bool   // the source knows of the request
	wake    chan struct{} // holds one: look at limit and ending again
	done    chan struct{} // closed when the goroutine has ended
	payer   payer         // of the goroutine alone

	// a.mu guards what follows.
	state    StreamState
	caller   Caller // who drives it; nil: nobody
	limit    int64  // may read up to here
	ending   bool
	discard  bool  // its bytes are of another content
	gained   int64 // bytes that were absent before
	version  uint64
	unframed bool        // the end of the body proves nothing
	proof    int64       // not 0: what is behind this is not stored before all up to it is compared,
	value    string      // and then this is a validator of the content
	mark     time.Time   // start of the measurement of speed
	marked   int64       // bytes since
	reading  time.Time   // when the read under way began, zero if none is
	dog      *time.Timer // watches over reads
	watching bool        // it is set
}

// openLocked starts a stream.
func (a *Asset) openLocked(o Opening, now time.Time) {
	caller := a.callerLocked(o)
	s := &stream{
		a: a, version: a.version, caller: caller, payer: payer{caller: caller, since: now},
		request: Request{Start: o.Start, End: o.End, Background: o.Background, NoRange: a.info.Misranged},
		wake:    make(chan struct{}, 1), done: make(chan struct{}),
		state: StreamState{Opening: true, Background: o.Background, Head: o.End == block && o.Start == 0, Start: o.Start, Pos: o.Start, Reach: o.Start, End: -1, Frontier: o.Start, Delivered: o.Sequence, Fill: o.Fill, Least: o.Least, LastByte: now, Used: now},
	}
	if o.End > 0 {
		s.state.End = o.End
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	a.streams = append(a.streams, s)
	a.wg.Go(s.run)
}

// endLocked lets the stream end: it stores what its socket holds and closes.
func (s *stream) endLocked() {
	if s.ending {
		return
	}
	s.ending = true
	s.nudge()
	if s.state.Opening {
		s.cancel(ErrClosed)
	} else if !s.state.Paused && !s.state.Stuck {
		// It may be blocked in a read of a silent socket.
		time.AfterFunc(drainFor, func() { s.cancel(ErrClosed) })
	}
}

// allowLocked lets the stream read up to limit.
func (s *stream) allowLocked(limit int64) {
	s.limit = limit
	if limit > s.state.Pos && s.state.Paused {
		s.nudge()
	}
}

// unstickLocked lets streams that hold bytes without room for them try again:
// the readers have moved on.
func (a *Asset) unstickLocked() {
	for _, s := range a.streams {
		if s.state.Stuck {
			s.nudge()
		}
	}
}

func (s *stream) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run does not count as a user: a stream that lingers must not hold on to the bytes
// of an asset that nobody has open, when room is needed.
func (s *stream) run() {
	err := s.serve()
	s.cancel(nil)
	s.a.ended(s, err)
}

func (s *stream) serve() error {
	s.request.Program, s.request.PID = nameOf(s.payer.caller)
	s.asked.Store(true)
	start := time.Now()
	r, err := s.a.o.Source.Open(s.ctx, s.a.id, s.request)
	if crowded(err) && !s.request.Background && s.a.store.giveWay(time.Now()) {
		r, err = s.a.o.Source.Open(s.ctx, s.a.id, s.request)
	}
	if err != nil {
		return s.why(err)
	}
	s.a.store.answered(time.Since(start))
	err = s.accept(r)
	if err == nil {
		err = s.pump(r.Body)
	}
	s.close(r.Body)
	return s.contradicted(r, err)
}

// accept returns when s may store what r brings.
func (s *stream) accept(r *Response) error {
	for proofs := 0; ; proofs++ {
		sample, err := s.a.adopt(s, r)
		if err != nil || sample.Empty() {
			return err
		}
		if proofs == proofsMost {
			return &UnprovenError{validator(r.Info)}
		}
		err = s.prove(sample)
		if crowded(err) { // by r itself
			s.close(r.Body)
			r.Body = nil
			if err = s.prove(sample); err == nil {
				err = errUnproven
			}
		}
		if err != nil {
			return err
		}
	}
}

// contradicted draws the conclusion if err says that r can't be of the content
// that is present.
func (s *stream) contradicted(r *Response, err error) error {
	a := s.a
	content := Info{Size: -1}
	var mismatch *MismatchError
	var size *sizeError
	switch {
	case errors.As(err, &mismatch):
		a.mu.Lock()
		misplaced := r.Doubtful && !a.trusted
		if misplaced {
			a.distrustRangeLocked()
		}
		a.mu.Unlock()
		if misplaced { // it is the answer that is wrong
			return wrongRange(mismatch.Range, ranges.Range{Start: s.request.Start, End: s.request.End}, 2)
		}
	case errors.As(err, &size):
		content = r.Info
		content.Size = size.size
		a.mu.Lock()
		a.disproved = a.info.Size
		a.mu.Unlock()
	default:
		return err
	}
	a.o.Log.Warn("content changed", "asset", a.id, "error", err)
	a.changed(s, content, nil)
	return nil
}

// close closes a body, if there is one. What the socket still holds is paid for,
// too.
func (s *stream) close(b Body) {
	if b == nil {
		return
	}
	if n := b.Buffered(); n > 0 {
		s.a.spend(n)
	}
	b.Close()
}

// spend counts n bytes that were downloaded.
func (a *Asset) spend(n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spendLocked(n)
}

func (a *Asset) spendLocked(n int) {
	a.cost += int64(n)
	a.markLocked(true)
}

// why replaces an error that is a consequence of our own cancelling by its
// cause.
func (s *stream) why(err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return err
}

// turn is what a stream may do next.
type turn struct {
	room     int64 // bytes to read
	ending   bool  // the stream is to end
	complete bool  // all its bytes have come
}

// turnLocked returns what the stream may do now; not ok means that it has to
// wait.
func (s *stream) turnLocked() (t turn, ok bool) {
	s.payer.next = s.caller
	switch room := s.limit - s.state.Pos; {
	case s.ending:
		return turn{ending: true}, true
	case s.state.End >= 0 && s.state.Pos >= s.state.End:
		return turn{complete: true}, true
	case room > 0:
		if s.state.Paused {
			s.state.Paused = false
			s.state.LastByte = time.Now()
			s.mark, s.marked = s.state.LastByte, 0
		}
		s.watchLocked()
		return turn{room: room}, true
	}
	return turn{}, false
}

// turn waits until the stream may do something.
func (s *stream) turn() turn {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		if t, ok := s.turnLocked(); ok {
			return t
		}
		if !s.state.Paused {
			s.state.Paused = true
			s.measureLocked(time.Now(), 0)
			a.planLocked() // its place may be wanted
			continue
		}
		s.sleepLocked()
	}
}

// sleepLocked waits for a nudge, with the lock released.
func (s *stream) sleepLocked() {
	s.a.mu.Unlock()
	defer s.a.mu.Lock()
	select {
	case <-s.wake:
	case <-s.ctx.Done():
		s.a.mu.Lock()
		s.ending = true
		s.a.mu.Unlock()
	}
}

// measureLocked adds n bytes to the measurement of speed.
func (s *stream) measureLocked(now time.Time, n int64) {
	s.marked += n
	took := now.Sub(s.mark)
	switch {
	case s.marked == 0 || took <= 0:
		return
	case took < 50*time.Millisecond && !(s.state.Paused && s.state.Speed == 0):
		return
	}
	speed := float64(s.marked) / took.Seconds()
	if s.state.Speed > 0 {
		speed = 0.7*s.state.Speed + 0.3*speed
	}
	s.state.Speed, s.mark, s.marked = speed, now, 0
}

// watchLocked notes that a read of the body begins. If that brings nothing for
// too long while somebody waits, the stream ends as stalled.
func (s *stream) watchLocked() {
	s.reading = time.Now()
	switch {
	case s.watching:
	case s.dog == nil:
		s.dog = time.AfterFunc(s.a.o.StallTimeout, s.stalled)
	default:
		s.dog.Reset(s.a.o.StallTimeout)
	}
	s.watching = true
}

// stalled looks whether the read under way has taken too long.
func (s *stream) stalled() {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.watching = !s.reading.IsZero(); !s.watching {
		return
	}
	left := a.o.StallTimeout - time.Since(s.reading)
	if left <= 0 {
		if len(a.waiters) > 0 {
			s.watching = false
			s.cancel(&StallError{a.o.StallTimeout})
			return
		}
		left = a.o.StallTimeout
	}
	s.dog.Reset(left)
}

// unwatchLocked notes that no read is under way.
func (s *stream) unwatchLocked() { s.reading = time.Time{} }

// watched is a read of a body that is watched over.
func (s *stream) watched(b Body, p []byte) (int, error) {
	s.a.mu.Lock()
	s.watchLocked()
	s.a.mu.Unlock()
	n, err := b.Read(p)
	s.a.mu.Lock()
	s.unwatchLocked()
	s.a.mu.Unlock()
	return n, err
}
