package asset

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// stream is one response being read and stored.
type stream struct {
	a        *Asset
	request  Request
	ctx      context.Context // ends with the stream; its cause says why
	cancel   context.CancelCauseFunc
	call     Call          // the latest
	asked    atomic.Bool   // the source knows of the request
	patient  atomic.Bool   // as Request.Patient reports
	wake     chan struct{} // holds one: look at limit and ending again
	done     chan struct{} // closed when the goroutine has ended
	driver   Caller        // caller, as the goroutine knows it; what follows is its alone
	charged  Caller
	lookedUp time.Time // when charged was

	// a.mu guards what follows.
	state    StreamState
	caller   Caller // who drives it; nil: nobody
	limit    int64  // may read up to here
	ending   bool
	discard  bool      // its bytes are of another content
	gained   int64     // bytes that were absent before
	unframed bool      // the end of the body proves nothing
	doubtful bool      // where its bytes belong was not sure
	proof    int64     // not 0: what is behind this is not stored before all up to it is compared,
	value    string    // and then this is a validator of the content
	mark     time.Time // start of the measurement of speed
	marked   int64     // bytes since
	reading  time.Time // when the read under way began, zero if none is
}

// openLocked starts a stream.
func (a *Asset) openLocked(o Opening, now time.Time) {
	var caller Caller
	first, patient := true, false
	for _, w := range a.waiters {
		if a.missingLocked(w).Start < o.Start {
			continue
		}
		if first { // of those that it is for
			caller, first = w.caller, false
		}
		if patient = w.patient(); !patient {
			break
		}
	}
	s := &stream{
		a: a, caller: caller, charged: caller, call: Call{store: a.store},
		request: Request{Start: o.Start, End: o.End, Background: o.Background, NoRange: a.info.Misranged},
		wake:    make(chan struct{}, 1), done: make(chan struct{}),
		state: StreamState{Opening: true, Head: o.End == block && o.Start == 0, Start: o.Start, Pos: o.Start, Reach: o.Start, End: -1, Frontier: o.Start, Delivered: o.Sequence, Least: o.Least, LastByte: now, Used: now},
	}
	if o.End > 0 {
		s.state.End = o.End
	}
	s.request.Sent, s.call.unserved = s.call.Sent, s.yield
	s.patient.Store(patient)
	s.request.Patient = s.patient.Load
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	a.streams = append(a.streams, s)
	a.store.streams.Go(s.run)
}

// endLocked makes the stream end: it stores what its socket holds, and closes.
func (s *stream) endLocked() {
	if s.ending {
		return
	}
	s.ending = true
	nudge(s.wake)
	if s.answered() {
		time.AfterFunc(drainFor, func() { s.cancel(ErrClosed) }) // the socket may be silent
	} else {
		s.cancel(ErrClosed)
	}
}

// discardLocked ends the stream, and nothing more of it is stored.
func (s *stream) discardLocked() {
	s.ending, s.discard = true, true
	s.cancel(ErrChanged)
}

// stop calls end, which makes a stream end, for the streams for which which returns true. It returns
// when they have ended, and whether there were any.
func (a *Asset) stop(which func(*stream) bool, end func(*stream)) bool {
	a.mu.Lock()
	if a.engine == nil {
		a.mu.Unlock()
		return false
	}
	var ending []*stream
	for _, s := range a.streams {
		if which(s) {
			end(s)
			ending = append(ending, s)
		}
	}
	a.mu.Unlock()
	for _, s := range ending {
		<-s.done
	}
	return len(ending) > 0
}

// run is the stream's goroutine. It does not count as a user of the asset: a stream that lingers must
// not keep the bytes of an asset that nobody has open when room is needed.
func (s *stream) run() {
	err := s.serve()
	s.cancel(nil)
	s.a.ended(s, err)
}

func (s *stream) serve() error {
	if s.charged != nil {
		s.request.Program, s.request.PID = s.charged.Program()
	}
	s.asked.Store(true)
	r, err := s.open()
	if err != nil {
		return s.why(err)
	}
	s.a.store.answered(s.call.SentAt(), &s.a.store.ttfb)
	err = s.accept(r)
	if err == nil {
		err = s.pump(r.Body)
	}
	s.close(r.Body)
	return s.contradicted(r, err)
}

// accept returns when s may store what r brings.
func (s *stream) accept(r *Response) error {
	a := s.a
	for proofs := 0; ; {
		a.mu.Lock()
		was := a.info
		var remove func() int64
		sample, err := a.judgeLocked(s, r)
		if errors.Is(err, errReplaced) {
			remove, err = a.replaceLocked(s, Info{Size: -1}), nil
		}
		if err == nil && sample.Empty() {
			a.startLocked(s, r)
			if remove == nil {
				a.well = time.Now()
			}
		}
		a.mu.Unlock()
		switch {
		case remove != nil:
			a.store.o.Log.Warn("content changed", "asset", a.id, "etag", r.Info.ETag, "size", r.Info.Size, "was", was.ETag, "was_size", was.Size, "by_header", was.Header)
			a.store.remove(remove)
			return nil
		case errors.Is(err, errRivals):
			// If the others have stored anything by then, r is compared with that.
			if !s.awaitRivals() {
				a.stop((*stream).answered, (*stream).discardLocked)
			}
			if s.ctx.Err() != nil {
				return context.Cause(s.ctx)
			}
			continue
		case err != nil, sample.Empty():
			return err
		case proofs == proofsMost:
			return unproven(validator(r.Info))
		}
		// One byte less each time: a server that computes entity tags of the parts that it sends,
		// as Spring's ShallowEtagHeaderFilter does, would answer the same request with the same tag.
		sample = sample.First(max(1, sample.Len()-int64(proofs)))
		proofs++
		err = s.prove(sample)
		if crowded(err) { // by r itself
			s.close(r.Body)
			r.Body = nil
			time.Sleep(noticed)
			if err = s.prove(sample); err == nil {
				err = errUseless
			}
		}
		if err != nil {
			return err
		}
	}
}

// contradicted draws the conclusions if err says that r can't have the content that is present.
func (s *stream) contradicted(r *Response, err error) error {
	content := Info{Size: -1}
	var size *sizeError
	if !errors.As(err, &size) && !errors.Is(err, errMismatch) {
		return err
	}
	a := s.a
	a.mu.Lock()
	switch {
	case s.discard:
		a.mu.Unlock()
		return ErrChanged
	case size != nil:
		content = r.Info
		content.Size = size.size
		a.disproved = a.info.Size
	case r.Doubtful && !a.trusted: // it is the answer that is wrong
		a.distrustRangeLocked()
		a.mu.Unlock()
		return &tries{fmt.Errorf("%w, or those of another place, when asked for all from %d on", err, s.request.Start), 2}
	}
	remove := a.replaceLocked(nil, content)
	a.mu.Unlock()
	a.store.o.Log.Warn("content changed", "asset", a.id, "error", err)
	a.store.remove(remove)
	return nil
}

// close closes a body, if there is one. It counts what the socket still holds, which is paid for,
// too.
func (s *stream) close(b Body) {
	if b == nil {
		return
	}
	left := b.Stop()
	s.a.mu.Lock()
	s.a.spendLocked(left)
	s.a.mu.Unlock()
	b.Close()
}

// spendLocked counts n downloaded bytes.
func (a *Asset) spendLocked(n int) {
	if n > 0 {
		a.cost += int64(n)
		a.markLocked()
	}
}

// why returns the cause of an error that is only a consequence of our own cancelling.
func (s *stream) why(err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return err
}

// wait is the result of turnLocked if the stream must wait.
const wait = -1

// turnLocked returns how many bytes the stream may read now; 0 if it must end or all have come.
func (s *stream) turnLocked() (room int64) {
	s.driver = s.caller
	room = s.limit - s.state.Pos
	switch {
	case s.ending, s.state.End >= 0 && s.state.Pos >= s.state.End:
		return 0
	case room <= 0:
		return wait
	case s.state.Paused:
		s.state.Paused = false
		s.state.LastByte = time.Now()
		s.mark, s.marked = s.state.LastByte, 0
	}
	s.reading = time.Now()
	return room
}

// turn waits until the stream may do something.
func (s *stream) turn() (room int64) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		if room = s.turnLocked(); room != wait {
			return room
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
