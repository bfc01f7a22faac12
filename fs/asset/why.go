package asset

import (
	"time"

	"assetfs/fs/ranges"
)

// Cause is the kind of thing that somebody waits for.
type Cause int

// What somebody may wait for.
const (
	CauseTurn    Cause = iota // a request that is about to be made
	CauseBytes                // bytes that are coming
	CauseAnswer               // the server's answer to a request
	CauseSilence              // a server that has sent nothing for a while
	CauseRoom                 // room in the spool
	CauseRetry                // the next attempt after a failure
	CauseLimit                // the rate limit, or what keeps all requests from the server
)

// Why is what keeps somebody waiting.
type Why struct {
	Cause Cause
	Until time.Time // it ends then, or is given up; zero: nobody knows
	Since time.Time // for silence: of the last byte; for an answer: when the request was sent
	Left  int64     // for bytes: how many have to come before
	Speed float64   // for bytes: how many come in a second, 0 unknown
	Err   error     // for a retry: what went wrong
}

// Why says what keeps a read of need waiting; if need is empty, what keeps those waiting who need
// the header. present is true if nothing does.
func (a *Asset) Why(need ranges.Range) (why Why, present bool) {
	b := a.store.reading.Source.Budget()
	a.mu.Lock()
	defer a.mu.Unlock()
	header, gap := need.Empty(), a.present.Gap(a.info.clip(need))
	if header && a.info.Header || !header && gap.Empty() {
		return Why{}, true
	}
	return a.whyLocked(a.servingLocked(gap.Start, true), gap.Start, b), false
}

// servingLocked returns the nearest stream that will bring off; nil if none will. With Range that is
// one that may read so far, otherwise one that can't be replaced. One that has no answer yet counts
// only if opening.
func (a *Asset) servingLocked(off int64, opening bool) (best *stream) {
	if a.engine == nil {
		return nil
	}
	for _, s := range a.streams {
		st := &s.state
		serves := opening
		if !st.Opening {
			serves = off <= s.limit || a.info.Ranging != RangeYes
		}
		if serves && !s.ending && st.Pos <= off && (st.End < 0 || off < st.End) && (best == nil || st.Pos > best.state.Pos) {
			best = s
		}
	}
	return best
}

// whyLocked says why off has not come on s or, if s is nil, why there is no stream.
func (a *Asset) whyLocked(s *stream, off int64, b Budget) Why {
	now, stall := time.Now(), a.store.reading.StallTimeout
	if s != nil {
		st := &s.state
		sent, quiet := s.call.SentAt(), silence
		if st.Speed == 0 && st.Pos == st.Start && st.Reach == st.Pos { // nothing but the header has come
			quiet /= 4
		}
		switch {
		case st.Stuck:
			return Why{Cause: CauseRoom}
		case st.Opening && !sent.IsZero():
			return Why{Cause: CauseAnswer, Since: sent, Until: sent.Add(stall)}
		case st.Opening: // it is queued, or about to be
		case now.Sub(st.LastByte) >= quiet:
			return Why{Cause: CauseSilence, Since: st.LastByte, Until: st.LastByte.Add(stall)}
		default:
			return Why{Cause: CauseBytes, Speed: st.Speed, Left: off - st.Pos}
		}
	}
	switch {
	case s == nil && a.engine != nil && a.fail.err != nil && now.Before(a.fail.until):
		return Why{Cause: CauseRetry, Until: a.fail.until, Err: a.fail.err}
	case b.Down != nil, b.Available <= 0, b.Queued > 0:
		return Why{Cause: CauseLimit}
	}
	return Why{Cause: CauseTurn}
}

// Streaming is a stream and what it waits for: CauseBytes while bytes come. A paused stream waits
// for nothing.
type Streaming struct {
	StreamState
	Why Why
}

// Streams returns the running downloads.
func (a *Asset) Streams() (list []Streaming) {
	b := a.store.reading.Source.Budget()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.engine == nil {
		return nil
	}
	for _, s := range a.streams {
		why := Why{Cause: CauseBytes}
		if !s.state.Paused {
			why = a.whyLocked(s, s.state.Pos, b)
		}
		if !s.ending {
			list = append(list, Streaming{s.state, why})
		}
	}
	return list
}
