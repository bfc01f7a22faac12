package asset

import (
	"time"

	"assetfs/fs/ranges"
)

// Cause is what somebody waits for.
type Cause int

// What somebody may wait for.
const (
	CauseTurn    Cause = iota // a request that is about to be made
	CauseBytes                // bytes that are coming
	CauseAnswer               // the server's answer to a request
	CauseSilence              // a server that has sent nothing for a while
	CauseRoom                 // room in the spool
	CauseRetry                // the next attempt after a failure
	CauseGate                 // the end of what keeps all requests from the server
	CauseLimit                // the rate limit
)

// Why is what keeps somebody waiting.
type Why struct {
	Cause Cause
	Until time.Time // it ends then, or is given up; zero: nobody knows
	Since time.Time // for silence: of the last byte; for an answer: when it was asked for
	Left  int64     // for bytes: how many have to come before
	Speed float64   // for bytes: how many come in a second, 0 unknown
	Err   error     // for a retry and a gate: what went wrong
}

// Why says what keeps a read of need waiting, or if that is empty whoever waits for
// the header. present is true if nothing does.
func (a *Asset) Why(need ranges.Range) (why Why, present bool) {
	b := a.o.Source.Budget()
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	header := need.Empty()
	if a.info.Size >= 0 {
		need.End = min(need.End, a.info.Size)
	}
	gap := a.present.Gap(need)
	if header && a.info.Header || !header && gap.Empty() {
		return Why{}, true
	}
	off := gap.Start
	var serving *stream
	for _, s := range a.streams {
		st := &s.state
		reaches := st.Pos <= off && (st.End < 0 || off < st.End) && (st.Opening || off < s.limit)
		if reaches && !s.ending && (serving == nil || st.Pos > serving.state.Pos) {
			serving = s
		}
	}
	if serving != nil {
		if why, known := a.cameLocked(serving, b, now); known {
			if why.Cause == CauseBytes {
				why.Left = off - serving.state.Pos
			}
			return why, false
		}
	}
	switch {
	case a.fail.err != nil && now.Before(a.fail.until):
		return Why{Cause: CauseRetry, Until: a.fail.until, Err: a.fail.err}, false
	case b.Down != nil:
		return Why{Cause: CauseGate, Err: b.Down}, false
	case b.Available <= 0:
		return Why{Cause: CauseLimit, Until: b.Next}, false
	}
	return Why{Cause: CauseTurn}, false
}

// cameLocked says what comes on s, or why nothing does. Of a request that is about to
// be made it is not known.
func (a *Asset) cameLocked(s *stream, b Budget, now time.Time) (why Why, known bool) {
	st := &s.state
	switch {
	case st.Stuck:
		return Why{Cause: CauseRoom}, true
	case st.Opening && b.Down != nil:
		return Why{Cause: CauseGate, Err: b.Down}, true
	case st.Opening && b.Queued > 0: // it is queued, or one of others that are
		return Why{Cause: CauseLimit, Until: b.Next}, true
	case st.Opening && s.asked.Load():
		return Why{Cause: CauseAnswer, Since: st.LastByte, Until: st.LastByte.Add(a.o.StallTimeout)}, true
	case st.Opening:
		return Why{}, false
	case now.Sub(st.LastByte) >= silence:
		return Why{Cause: CauseSilence, Since: st.LastByte, Until: st.LastByte.Add(a.o.StallTimeout)}, true
	}
	return Why{Cause: CauseBytes, Speed: st.Speed}, true
}

// Streaming is a stream, and what it waits for: CauseBytes unless nothing comes. One
// that is paused waits for nothing.
type Streaming struct {
	StreamState
	Why Why
}

// Streams returns the downloads under way, as they are now.
func (a *Asset) Streams() []Streaming {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.streams) == 0 {
		return nil
	}
	b, now := a.o.Source.Budget(), time.Now()
	var list []Streaming
	for _, s := range a.streams {
		if s.ending {
			continue
		}
		d := Streaming{s.state, Why{Cause: CauseBytes}}
		if st := &s.state; !st.Paused {
			d.Why, _ = a.cameLocked(s, b, now)
			if d.Why.Cause == CauseBytes && st.Speed == 0 && st.Pos == st.Start && st.Reach == st.Pos { // the header came, and no byte yet
				d.Why = Why{Cause: CauseSilence, Since: st.LastByte, Until: st.LastByte.Add(a.o.StallTimeout)}
			}
		}
		list = append(list, d)
	}
	return list
}
