package asset

import (
	"errors"
	"math"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// errCovered ends a response that brings what another stream brings anyway.
var errCovered = errors.New("another stream brings this")

// adopt takes over what the header of s's response tells. If only bytes can tell
// whether it is of the content that is present, it changes nothing and returns
// what the server has to be asked for again, to be compared.
func (a *Asset) adopt(s *stream, r *Response) (sample ranges.Range, err error) {
	a.mu.Lock()
	was := a.info
	sample, err = a.judgeLocked(s, r)
	if err == nil && sample.Empty() {
		a.startLocked(s, r)
	}
	a.mu.Unlock()
	switch {
	case errors.Is(err, errRivals):
		a.stopRivals(s)
		return a.adopt(s, r)
	case !errors.Is(err, errReplaced):
		return sample, err
	}
	a.o.Log.Warn("content changed", "asset", a.id, "etag", r.Info.ETag, "size", r.Info.Size, "was", was.ETag, "was_size", was.Size, "by_header", was.Header)
	if !a.changed(s, Info{Size: -1}, r) {
		return ranges.Range{}, ErrChanged
	}
	return ranges.Range{}, nil
}

// errReplaced means that a response is certainly not of the content that is
// present, but of the one to come.
var errReplaced = errors.New("response of another content")

// errRivals means that a response may be of another content than that of streams
// under way, none of whose bytes are present to tell.
var errRivals = errors.New("nothing of the streams under way to compare with")

// stopRivals ends the streams under way but for s. What they have brought, if
// anything is present by then, is what s is compared with.
func (a *Asset) stopRivals(s *stream) {
	a.mu.Lock()
	rivals := a.rivalsLocked(s)
	for _, o := range rivals {
		o.ending, o.discard = true, true
		o.cancel(ErrChanged)
	}
	a.mu.Unlock()
	for _, o := range rivals {
		<-o.done
	}
}

// rivalsLocked returns the streams that have a response and may still store
// bytes, but for s.
func (a *Asset) rivalsLocked(s *stream) []*stream {
	return slices.DeleteFunc(slices.Clone(a.streams), func(o *stream) bool { return o == s || o.state.Opening })
}

// judgeLocked decides what r, the response of s, is. See adopt.
func (a *Asset) judgeLocked(s *stream, r *Response) (sample ranges.Range, err error) {
	if s.version != a.version || s.discard {
		return ranges.Range{}, ErrChanged
	}
	if r.Start < 0 || max(r.Info.Size, r.Start, r.End) > maxSize {
		return ranges.Range{}, &LengthError{Got: max(r.Info.Size, r.End), Want: maxSize}
	}
	short := int64(0) // of all the rest, which was asked for
	if r.Ranged && s.request.End == 0 {
		short = r.Info.Size - r.End
	}
	a.pieces = a.pieces || short >= block
	if q := s.request; short > 0 && !a.pieces {
		// It is the total that is wrong, as some servers count it.
		a.distrustRangeLocked()
		return ranges.Range{}, wrongRange(ranges.Range{Start: r.Start, End: r.End}, ranges.Range{Start: q.Start, End: r.Info.Size}, 2)
	}
	if got := (ranges.Range{Start: r.Start, End: r.End}); r.Ranged && s.request.End == 0 && r.Info.Size < 0 && a.info.Size < 0 && r.End >= 0 && a.present.Gap(got).Empty() {
		// Perhaps the asset ends here, perhaps the server sends no more at a time.
		// The answer to a request for everything tells.
		a.distrustRangeLocked()
		return ranges.Range{}, wrongRange(got, ranges.Range{Start: s.request.Start, End: math.MaxInt64}, 2)
	}
	size, judged, least := r.Info.Size, a.info.Validators.judge(a.info, r.Info), a.leastLocked()
	switch {
	case size == 0 && least > 0 && judged == same:
		// Far more often a broken server than an emptied asset, and believed
		// it would cost all that is spooled.
		return ranges.Range{}, &LengthError{Got: 0, Want: least}
	case judged == another,
		a.info.Size >= 0 && (size >= 0 && size != a.info.Size || r.End > a.info.Size),
		a.info.Header && size >= 0 && size < least:
		return ranges.Range{}, errReplaced
	}
	if err := a.learnRangeLocked(s.request, r); err != nil {
		return ranges.Range{}, err
	}
	switch {
	case a.coveredLocked(s, r):
		return ranges.Range{}, errCovered
	case r.Unframed && s.request.Start > 0 && a.fail.err != nil && a.info.Size < 0:
		// It would end where the one before did, and prove as little.
		return ranges.Range{}, a.fail.err
	case judged == unknown || r.Doubtful && !a.trusted:
		sample, err = a.compareLocked(s, r)
		if err == nil && sample.Empty() && s.proof == 0 && judged == unknown && len(a.rivalsLocked(s)) > 0 {
			err = errRivals
		}
		return sample, err
	}
	return ranges.Range{}, nil
}

// learnRangeLocked notes what r says on the server's support of Range for this
// asset. One answer without it is not believed where it was proved.
func (a *Asset) learnRangeLocked(q Request, r *Response) error {
	known := a.info.Ranging
	switch {
	case r.Ranged:
		a.denied, known = false, RangeYes
	case q.NoRange:
	case q.Start > 0 && known == RangeYes && !a.denied:
		a.denied = true
		return wrongRange(ranges.Range{End: r.End}, ranges.Range{Start: q.Start, End: q.End}, 2)
	case q.Start > 0, known == RangeUnknown && q.End > 0 && r.End > q.End:
		known = RangeNo
	}
	if known != a.info.Ranging {
		info := a.info
		info.Ranging = known
		a.setInfoLocked(info)
		a.store.learnRange(known)
	}
	return nil
}

// distrustRangeLocked has everything asked for from now on: what the server makes
// of a Range is wrong.
func (a *Asset) distrustRangeLocked() {
	info := a.info
	info.Ranging, info.Misranged = RangeNo, true
	a.setInfoLocked(info)
}

// coveredLocked reports whether another stream brings all that r does and what
// was asked for, and is further.
func (a *Asset) coveredLocked(s *stream, r *Response) bool {
	return !r.Ranged && s.request.Start > 0 && slices.ContainsFunc(a.streams, func(o *stream) bool {
		st := &o.state
		return o != s && !o.ending && !st.Opening && st.Start <= r.Start && st.Pos <= s.request.Start && (st.End < 0 || r.End >= 0 && st.End >= r.End)
	})
}

// startLocked takes r for what it says: s brings bytes of the content.
func (a *Asset) startLocked(s *stream, r *Response) {
	a.mergeLocked(r.Info, s.proof == 0)
	if a.first == nil && a.present.Next(0).Empty() {
		a.first = s
	}
	st := &s.state
	st.Opening = false
	st.Start, st.Pos, st.Reach, st.End, st.Frontier = r.Start, r.Start, r.Start, r.End, r.Start
	st.LastByte = time.Now()
	if len(a.readers) == 0 {
		a.lastClose = st.LastByte // who asked for the header is about to read, however long that took
	}
	s.mark, s.limit = st.LastByte, r.Start
	s.unframed = r.Unframed
	if st.End < 0 && a.info.Size >= 0 && r.Info.Size >= 0 {
		st.End = a.info.Size
	}
	a.finishLocked(func(w *waiter) (bool, error) {
		return w.state.Header || a.missingLocked(w).Empty(), nil
	})
	a.planLocked()
}

// mergeLocked keeps what an earlier response knew and this one doesn't say.
// proven tells that its validator is one of this content.
func (a *Asset) mergeLocked(info Info, proven bool) {
	a.setInfoLocked(merged(a.info, info, proven))
}

// merged is what is known once info has been told, after was.
func merged(was, info Info, proven bool) Info {
	info.Header = true
	info.Ranging, info.Misranged, info.Validators = was.Ranging, was.Misranged, was.Validators
	if proven {
		info.Validators.add(validator(info), info.LastModified == was.LastModified)
	}
	if !was.Date.IsZero() {
		info.Date = was.Date
	} else if info.Date.IsZero() {
		info.Date = time.Now().UTC().Truncate(time.Second) // as it is kept
	}
	if info.Name == "" {
		info.Name = was.Name
	}
	if info.Size < 0 {
		info.Size = was.Size
	}
	if info.ModTime.IsZero() || was.Header && !was.ModTime.IsZero() {
		info.ModTime = was.ModTime // it moves when the content does
	}
	if info.Type == "" {
		info.Type = was.Type
	}
	if was.Header && info.ETag == "" {
		info.ETag = was.ETag
	}
	if was.Header && info.LastModified == "" {
		info.LastModified = was.LastModified
	}
	return info
}

func (a *Asset) setInfoLocked(info Info) {
	if info != a.info && a.update(func(f *facts) { f.info = info }) && a.factsAdded != nil {
		a.factsAdded()
	}
}

// leastLocked returns how many bytes the asset has at least: all of them where
// its size is known, else those up to the last that is present.
func (a *Asset) leastLocked() int64 {
	if a.info.Size >= 0 {
		return a.info.Size
	}
	least := int64(0)
	for run := a.present.Next(0); !run.Empty(); run = a.present.Next(run.End) {
		least = run.End
	}
	return least
}

// changed makes the asset forget its content: open readers get ErrChanged from
// now on, the name stays. info is what is known of the new content, if it says
// anything; r, if not nil, is the response of s that goes on to bring it. It
// returns false if the change had been found before.
func (a *Asset) changed(s *stream, info Info, r *Response) bool {
	a.mu.Lock()
	if s.version != a.version || s.discard {
		a.mu.Unlock()
		return false
	}
	a.version++
	s.version = a.version
	reset := make(chan struct{})
	a.resetting = reset
	a.finishLocked(func(*waiter) (bool, error) { return true, ErrChanged })
	others := slices.DeleteFunc(slices.Clone(a.streams), func(o *stream) bool { return o == s })
	for _, o := range others {
		o.ending, o.discard = true, true
		o.cancel(ErrChanged)
	}
	a.mu.Unlock()

	for _, o := range others {
		<-o.done // no old byte may be written behind the reset
	}
	a.drop(func() bool { return true }, func() {
		a.info = Info{Name: a.info.Name, Size: -1, Ranging: a.info.Ranging, Misranged: a.info.Misranged}
		if info.Size >= 0 || info.ETag != "" || info.LastModified != "" {
			a.info = merged(a.info, info, true)
		}
		a.firstSeen = seenNow()
		a.young.Clear()
		a.first, a.trusted, a.endedAt = nil, false, -1
	})

	a.mu.Lock()
	defer a.mu.Unlock()
	if a.factsAdded != nil {
		a.factsAdded()
	}
	a.lastErr, a.lastErrAt = ErrChanged, time.Now()
	a.resetting = nil
	close(reset)
	if r != nil {
		a.startLocked(s, r)
	}
	return true
}

// sizeError means that the bytes of a response show the size that is known to be
// wrong.
type sizeError struct {
	LengthError
	size int64 // what it is, -1 unknown
}

// complete is called at the end of the body of s.
func (a *Asset) complete(s *stream) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	pos := s.state.Pos
	switch {
	case a.info.Size == pos:
		return nil
	case s.state.End >= 0 && a.info.Size >= 0:
		return nil // the source sees to it that all came
	case a.info.Size >= 0 && s.unframed:
		return &LengthError{Got: pos, Want: a.info.Size, requests: 3}
	case a.info.Size >= 0:
		// A proper end. If it comes twice at the same place the size is wrong,
		// say that of a metadata call.
		if a.endedAt == pos {
			return &sizeError{LengthError{Got: pos, Want: a.info.Size}, pos}
		}
		a.endedAt = pos
		return &LengthError{Got: pos, Want: a.info.Size, requests: 2}
	case s.unframed:
		return &LengthError{Got: pos, Want: -1, requests: 2}
	}
	if least := a.leastLocked(); pos < least {
		return &LengthError{Got: pos, Want: least}
	}
	info := a.info
	info.Size = pos
	a.setInfoLocked(info)
	a.finishLocked(func(*waiter) (bool, error) { return true, nil }) // to look again
	return nil
}
