package asset

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// stream is one response being read into the store.
type stream struct {
	a       *Asset
	request Request
	ctx     context.Context // ends with the stream; its cause says why
	cancel  context.CancelCauseFunc
	asked   atomic.Bool   // the source knows of the request
	wake    chan struct{} // holds one: look at limit and ending again
	done    chan struct{} // closed when the goroutine has ended

	// a.mu guards what follows.
	state   StreamState
	limit   int64 // may read up to here
	ending  bool
	discard bool  // its bytes are of another content
	gained  int64 // bytes that were absent before
	version uint64
	mark    time.Time // start of the measurement of speed
	marked  int64     // bytes since
}

// openLocked starts a stream.
func (a *Asset) openLocked(o Opening, now time.Time) {
	s := &stream{
		a: a, version: a.version,
		request: Request{Start: o.Start, End: o.End, Background: o.Background},
		wake:    make(chan struct{}, 1), done: make(chan struct{}),
		state: StreamState{Opening: true, Background: o.Background, Head: o.End == block && o.Start == 0, Start: o.Start, Pos: o.Start, Reach: o.Start, End: -1, Frontier: o.Start, LastByte: now, Used: now},
	}
	if o.End > 0 {
		s.state.End = o.End
	}
	s.ctx, s.cancel = context.WithCancelCause(a.ctx)
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

// run does not acquire the store: a stream that lingers must not hold on to the
// bytes of an asset that nobody has open, when room is needed.
func (s *stream) run() {
	err := s.serve()
	s.cancel(nil)
	s.a.ended(s, err)
}

func (s *stream) serve() error {
	start := time.Now()
	s.asked.Store(true)
	r, err := s.a.o.Source.Open(s.ctx, s.a.id, s.request)
	if err != nil {
		return s.why(err)
	}
	defer r.Body.Close()
	s.a.o.Host.learn(r, time.Since(start))
	if err := s.a.adopt(s, r); err != nil {
		return err
	}
	err = s.pump(r.Body)
	var mismatch *MismatchError
	if errors.As(err, &mismatch) {
		s.a.o.Log.Warn("content changed", "asset", s.a.id, "error", err)
		s.a.changed(s, Info{Size: -1})
		return nil
	}
	return err
}

// why replaces an error that is a consequence of our own cancelling by its
// cause.
func (s *stream) why(err error) error {
	if s.ctx.Err() != nil {
		return context.Cause(s.ctx)
	}
	return err
}

// turn waits until the stream may read. It returns how much, or that the
// stream is to end, or that all its bytes have come.
func (s *stream) turn() (room int64, ending, complete bool) {
	a := s.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		if s.ending {
			return 0, true, false
		}
		if s.state.End >= 0 && s.state.Pos >= s.state.End {
			return 0, false, true
		}
		if room := s.limit - s.state.Pos; room > 0 {
			if s.state.Paused {
				s.state.Paused = false
				s.state.LastByte = time.Now()
				s.mark, s.marked = s.state.LastByte, 0
			}
			return room, false, false
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
