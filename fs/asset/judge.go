package asset

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// errReplaced means that a response has new content, or may have, and that nothing is left of the old one
// to compare it with.
var errReplaced = errors.New("response of another content")

// errRivals means that a response may have other content than the running streams, which have
// stored nothing yet that it could be compared with.
var errRivals = errors.New("nothing of the streams under way to compare with")

// lookAgain is how often a stream looks whether its rivals have stored something.
const lookAgain = 10 * time.Millisecond

// answered reports whether s has a response, which may store bytes. It has none before that is judged.
func (s *stream) answered() bool { return !s.state.Opening }

// awaitRivals waits until another stream has stored something, and returns false if none is about to. If
// instead each response ended those before it, then with two servers that answer in turns none would
// bring anything.
func (s *stream) awaitRivals() bool {
	a := s.a
	for {
		a.mu.Lock()
		stored := a.present.Len() > 0 || s.ctx.Err() != nil
		comes := slices.ContainsFunc(a.streams, func(o *stream) bool {
			return o.answered() && !o.ending && !o.state.Paused && !o.state.Stuck
		})
		a.mu.Unlock()
		if stored || !comes {
			return stored
		}
		select {
		case <-time.After(lookAgain):
		case <-s.ctx.Done():
		}
	}
}

// judgeLocked decides whether r, the response of s, has the content that is present. If only
// bytes can tell, it returns a range to ask the server for again, to be compared.
func (a *Asset) judgeLocked(s *stream, r *Response) (sample ranges.Range, err error) {
	judged := a.info.judge(r.Info)
	if err = a.placeLocked(s, r); err == nil {
		err = a.agreesLocked(r, judged)
	}
	if err == nil {
		err = a.learnRangeLocked(s.request, r)
	}
	switch {
	case err != nil:
		return ranges.Range{}, err
	case a.coveredLocked(s, r):
		return ranges.Range{}, errUseless
	case r.Unframed && s.request.Start > 0 && a.fail.err != nil && a.info.Size < 0:
		// It would end where the last one did, and prove as little.
		return ranges.Range{}, a.fail.err
	case judged == unknown || r.Doubtful && !a.trusted:
		return a.doubtLocked(s, r, judged)
	}
	return ranges.Range{}, nil
}

// placeLocked returns an error if r can't be part of an asset, or is not what s asked for.
func (a *Asset) placeLocked(s *stream, r *Response) error {
	got := ranges.Range{Start: r.Start, End: r.End}
	switch {
	case s.discard:
		return ErrChanged
	case r.Start < 0 || max(r.Info.Size, r.Start, r.End) > maxSize:
		return wrongLength(max(r.Info.Size, r.End), maxSize, 0)
	case !r.Ranged || s.request.End > 0:
		return nil
	}
	short := r.Info.Size - r.End // of all the rest, which was asked for
	a.pieces = a.pieces || short >= block
	miscounted := short > 0 && !a.pieces // it is the total that is wrong, as some servers count it
	// Perhaps the asset ends here, perhaps the server sends no more at a time. The answer to a request
	// for everything tells.
	ends := r.Info.Size < 0 && a.info.Size < 0 && r.End >= 0 && a.present.Gap(got).Empty()
	if !miscounted && !ends {
		return nil
	}
	a.distrustRangeLocked()
	return wrongRange(got, ranges.Range{Start: s.request.Start, End: cmp.Or(max(r.Info.Size, 0), math.MaxInt64)}, 2)
}

// agreesLocked returns errReplaced if r certainly has another content than is known.
func (a *Asset) agreesLocked(r *Response, judged verdict) error {
	size, least := r.Info.Size, a.leastLocked()
	switch {
	case size == 0 && least > 0 && judged == same:
		// This is far more often a broken server than an asset that has become empty, and
		// believing it would cost all that is in the spool.
		return wrongLength(0, least, 0)
	case judged == another, a.info.Size < 0 && size >= 0 && size < least:
		return errReplaced
	case a.info.Size >= 0 && (size >= 0 && size != a.info.Size || r.End > a.info.Size):
		if r.Ranged && a.info.vouches(r.Info) {
			// It is the total that is wrong, and the answer to a request for everything tells.
			a.distrustRangeLocked()
			return wrongRange(ranges.Range{Start: r.Start, End: size}, ranges.Range{Start: r.Start, End: a.info.Size}, 2)
		}
		return errReplaced
	}
	return nil
}

// doubtLocked decides what to do about r, of which only the bytes can tell whether it has the content, or
// where they belong.
func (a *Asset) doubtLocked(s *stream, r *Response, judged verdict) (sample ranges.Range, err error) {
	sample = a.compareLocked(s, r)
	switch {
	case !sample.Empty() || s.proof > 0 || judged != unknown: // what only stands in doubt is believed if nothing is present
	case a.info.Stored || a.given > 0:
		a.followLocked(r.Info.Size)
		return sample, errReplaced
	case slices.ContainsFunc(a.streams, (*stream).answered):
		return sample, errRivals
	default:
		// The content may be another one, so the validators of the old one are not its own.
		a.learnLocked(func(i *Info) { i.Seen, i.Stable, i.Date = [2]string{}, false, 0 })
	}
	return sample, nil
}

// learnRangeLocked records whether r shows that the server supports Range for this asset. Once
// support was proved, a single response without it is not believed.
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
		a.learnLocked(func(i *Info) { i.Ranging = known })
		a.store.learnRange(known)
	}
	return nil
}

// distrustRangeLocked makes all further requests ask for the whole asset, because the server
// answers a Range with the wrong bytes.
func (a *Asset) distrustRangeLocked() {
	a.learnLocked(func(i *Info) { i.Ranging, i.Misranged = RangeNo, true })
}

// coveredLocked reports whether another stream brings everything that r does and that was asked
// for, and is ahead of it.
func (a *Asset) coveredLocked(s *stream, r *Response) bool {
	return !r.Ranged && s.request.Start > 0 && slices.ContainsFunc(a.streams, func(o *stream) bool {
		st := &o.state
		return o.answered() && !o.ending && st.Start <= r.Start && st.Pos <= s.request.Start && (st.End < 0 || r.End >= 0 && st.End >= r.End)
	})
}
