package asset

import (
	"errors"
	"io"
	"time"

	"assetfs/fs/ranges"
)

// proofsMost is how many requests are made to prove one response. Each may be answered by another
// server than the response was.
const proofsMost = 3

// leastSample is the fewest bytes that are taken as proof while there are more elsewhere.
const leastSample = 4 << 10

// compareLocked decides how to find out whether r, the response of s, has the content that is
// present. If r itself brings present bytes, s compares them as they come; otherwise it returns a
// range to ask for again, empty if nothing is present.
func (a *Asset) compareLocked(s *stream, r *Response) ranges.Range {
	need := int64(block)
	if r.End >= 0 {
		need = min(need, r.End-r.Start)
	}
	if need > 0 && a.present.RunEnd(r.Start)-r.Start >= need {
		s.proof, s.value = r.Start+need, validator(r.Info)
		return ranges.Range{}
	}
	sample := a.sampleLocked(r.Start)
	if r.Doubtful && sample.Start == 0 {
		sample.Start = sample.Len() / 2 // the start of all proves no place
	}
	return sample
}

// sampleLocked returns up to a block of the present bytes that prove most: those right before at, or
// the first of all. Bytes of the latest responses prove little, since some servers send the old
// entity tag with new bytes for a while after a change. Without Range all bytes before the sample
// must be read again, so it is the first.
func (a *Asset) sampleLocked(at int64) ranges.Range {
	var next ranges.Range // right before at
	if a.rangingLocked() != RangeNo {
		next = ranges.Range{Start: max(0, at-block), End: at}
		for gap := a.present.Gap(next); !gap.Empty(); gap = a.present.Gap(next) {
			next.Start = gap.End
		}
	}
	if next.Len() >= leastSample && a.young.Gap(next) == next {
		return next
	}
	runs := a.present.Ranges()
	for _, run := range runs {
		if old := a.young.Gap(run); !old.Empty() {
			return old.First(block)
		}
	}
	if next.Empty() && len(runs) > 0 {
		return runs[0].First(block)
	}
	return next
}

// prove asks the server for sample again and compares it. If it is the same, the validator that came
// with it belongs to this content.
func (s *stream) prove(sample ranges.Range) error {
	a := s.a
	q := s.request
	q.Start, q.End, q.Background = sample.Start, sample.End, false
	r, err := s.sample(q)
	if err != nil {
		return err
	}
	defer s.close(r.Body)
	a.mu.Lock()
	size := a.info.Size
	a.mu.Unlock()
	if size >= 0 && r.Info.Size >= 0 && r.Info.Size != size {
		return mismatch(sample)
	}
	if err := s.compare(sample, r); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if s.discard {
		return ErrChanged
	}
	a.provenLocked(s, validator(r.Info), sample, r.Doubtful)
	return nil
}

// sample asks for bytes to be compared. An answer without Range where that was proved shows
// them, too, if not much is before them; else the server is asked once more.
func (s *stream) sample(q Request) (*Response, error) {
	a := s.a
	for again := false; ; again = true {
		r, err := s.ask(q)
		if err != nil {
			return nil, s.why(err)
		}
		a.mu.Lock()
		err = a.learnRangeLocked(q, r)
		a.mu.Unlock()
		if err == nil || !r.Ranged && q.End <= mostGap {
			return r, nil
		}
		s.close(r.Body)
		if again {
			return nil, err
		}
	}
}

// provenLocked records that bytes of r, which came with that validator, are equal to those that were
// present. If their place was in doubt, such responses are right about it.
func (a *Asset) provenLocked(s *stream, value string, r ranges.Range, doubtful bool) {
	a.learnLocked(func(i *Info) { i.add(value, false) })
	if a.young.Gap(r) == r {
		a.young.Clear()
	}
	a.trusted = a.trusted || doubtful
	s.proof = 0
}

// compare reads the body of r up to the end of sample, which is present.
func (s *stream) compare(sample ranges.Range, r *Response) error {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	for off := r.Start; off < sample.End; {
		end := sample.End
		if off < sample.Start {
			end = sample.Start
		}
		s.a.mu.Lock()
		s.reading = time.Now()
		s.a.mu.Unlock()
		n, err := r.Body.Read(buf[:min(end-off, int64(len(buf)))])
		s.a.mu.Lock()
		s.reading = time.Time{}
		s.a.spendLocked(n)
		s.a.mu.Unlock()
		if n > 0 && off >= sample.Start {
			if err := s.same(buf[:n], off); errors.Is(err, ErrAbsent) {
				return errUseless
			} else if err != nil {
				return err
			}
		}
		off += int64(n)
		if errors.Is(err, io.EOF) && off < sample.End {
			return wrongLength(off, sample.End, 3)
		}
		if err != nil && off < sample.End {
			return s.why(err)
		}
	}
	return nil
}
