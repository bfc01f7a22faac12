package asset

import (
	"cmp"
	"time"
)

// startLocked accepts r: s brings bytes of the content.
func (a *Asset) startLocked(s *stream, r *Response) {
	a.learnLocked(func(i *Info) { *i = merged(*i, r.Info, s.proof == 0) })
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
	s.unframed, s.doubtful = r.Unframed, r.Doubtful
	a.finishLocked(func(w *waiter) (bool, error) {
		return w.state.Header || a.missingLocked(w).Empty(), nil
	})
	a.planLocked()
}

// merged returns what is known after a response that says info; was is what was known before.
// proven means that its validator belongs to this content.
func merged(was, info Info, proven bool) Info {
	date := cmp.Or(was.Date, info.Date, time.Now().Unix())
	info.Header, info.Learnt = true, was.Learnt
	info.Date = date
	if proven {
		info.add(validator(info), info.LastModified == was.LastModified)
	}
	if info.Size < 0 {
		info.Size = was.Size
	}
	if !was.ModTime.IsZero() {
		info.ModTime = was.ModTime // it moves when the content does; metadata may have given another one first
	}
	info.Name, info.Type = cmp.Or(info.Name, was.Name), cmp.Or(info.Type, was.Type)
	if was.Header {
		info.ETag, info.LastModified = cmp.Or(info.ETag, was.ETag), cmp.Or(info.LastModified, was.LastModified)
	}
	return info
}

// learnLocked lets change alter what is known of the content.
func (a *Asset) learnLocked(change func(*Info)) {
	if a.updateLocked(func(f *facts) { change(&f.info) }) && a.factsAdded != nil {
		a.factsAdded()
	}
}

// followLocked lets readers go on with the next content instead of getting ErrChanged, if neither they
// nor the kernel have bytes of this one: nobody was given any since each of them was opened. All go on or
// none, since they share the kernel's pages. The next content must have the size that the kernel was told;
// size is -1 if it is unknown.
func (a *Asset) followLocked(size int64) {
	if size != a.info.Size {
		return
	}
	for r := range a.readers {
		if r.version == a.version && r.given != a.given {
			return
		}
	}
	for r := range a.readers {
		if r.version == a.version {
			r.version, r.given = a.version+1, 0
		}
	}
}

// leastLocked returns how many bytes the asset has at least: its size if known, otherwise the end
// of the last present byte.
func (a *Asset) leastLocked() int64 {
	if a.info.Size >= 0 {
		return a.info.Size
	}
	if runs := a.present.Ranges(); len(runs) > 0 {
		return runs[len(runs)-1].End
	}
	return 0
}

// replaceLocked makes the asset forget its content. Open readers get ErrChanged from now on; the
// name stays. info is what is known of the new content, if anything; s, if not nil, goes on to bring it.
// The caller must pass remove to Store.remove after releasing the lock.
func (a *Asset) replaceLocked(s *stream, info Info) (remove func() int64) {
	a.version++
	a.finishLocked(func(w *waiter) (bool, error) {
		if w.state.Header {
			return true, ErrChanged
		}
		return true, nil // to look again
	})
	for _, o := range a.streams {
		if o != s {
			o.discardLocked()
		}
	}
	a.info = Info{Name: a.info.Name, Size: -1, Learnt: Learnt{Ranging: a.info.Ranging, Misranged: a.info.Misranged}}
	if info.Size >= 0 || info.ETag != "" || info.LastModified != "" {
		a.info = merged(a.info, info, true)
	}
	a.firstSeen, a.given = seenNow(), 0
	a.young.Clear()
	a.first, a.trusted, a.endedAt = nil, false, -1
	a.lastErr = &mishap{ErrChanged, time.Now()}
	if a.factsAdded != nil {
		a.factsAdded()
	}
	return a.dropLocked()
}

// complete is called when the body of s ends.
func (a *Asset) complete(s *stream) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	pos, size, least := s.state.Pos, a.info.Size, a.leastLocked()
	switch {
	case s.discard:
		return ErrChanged
	case pos == size, s.state.End >= 0 && size >= 0: // the source sees to it that all came
		return nil
	case s.unframed && size >= 0:
		return wrongLength(pos, size, 3)
	case s.unframed:
		return wrongLength(pos, -1, 2)
	case pos == 0 && least > 0: // far more often a broken server than an asset that has become empty
		return wrongLength(pos, least, 0)
	case pos < least:
		return a.shorterLocked(pos, least)
	}
	a.learnLocked(func(i *Info) { i.Size = pos })
	a.finishLocked(func(*waiter) (bool, error) { return true, nil }) // to look again
	return nil
}

// shorterLocked returns the error of a body that ended properly at pos, though the asset should have at
// least that many bytes. If that happens twice at the same place the body is right: the size came
// from metadata, or the content is another one.
func (a *Asset) shorterLocked(pos, least int64) error {
	if a.endedAt == pos {
		return &sizeError{wrongLength(pos, least, 0), pos}
	}
	a.endedAt = pos
	return wrongLength(pos, least, 2)
}
