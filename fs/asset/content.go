package asset

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"assetfs/fs/ranges"
)

// adopt takes over what the header of s's response tells.
func (a *Asset) adopt(s *stream, r *Response) error {
	a.mu.Lock()
	if s.version != a.version || s.discard {
		a.mu.Unlock()
		return ErrChanged
	}
	least := a.leastLocked()
	if untold := r.Info; r.Info.Size == 0 && least > 0 {
		// Far more often a broken server than an emptied asset, and believed
		// it would cost all that is spooled.
		if untold.Size = -1; !differ(a.info, untold) {
			a.mu.Unlock()
			return &LengthError{Got: 0, Want: least}
		}
	}
	if a.info.Header && (differ(a.info, r.Info) || r.Info.Size >= 0 && r.Info.Size < least) {
		a.mu.Unlock()
		a.o.Log.Warn("content changed", "asset", a.id, "etag", r.Info.ETag, "size", r.Info.Size, "was", a.info.ETag, "was_size", a.info.Size)
		if !a.changed(s, r.Info) {
			return ErrChanged
		}
		a.mu.Lock()
	} else {
		a.mergeLocked(r.Info)
	}
	defer a.mu.Unlock()
	st := &s.state
	st.Opening = false
	st.Start, st.Pos, st.Reach, st.End, st.Frontier = r.Start, r.Start, r.Start, r.End, r.Start
	st.LastByte = time.Now()
	s.mark, s.limit = st.LastByte, r.Start
	if st.End < 0 && a.info.Size >= 0 && r.Info.Size >= 0 {
		st.End = a.info.Size
	}
	a.finishLocked(func(w *waiter) (bool, error) {
		return w.state.Header || a.missingLocked(w).Empty(), nil
	})
	a.planLocked()
	return nil
}

// mergeLocked keeps what an earlier response knew and this one doesn't say.
func (a *Asset) mergeLocked(info Info) {
	was := a.info
	info.Header = true
	if info.Name == "" {
		info.Name = was.Name
	}
	if info.Size < 0 {
		info.Size = was.Size
	}
	if info.ModTime.IsZero() {
		info.ModTime = was.ModTime
	}
	if info.Type == "" {
		info.Type = was.Type
	}
	if was.Header && info.ETag == "" {
		info.ETag, info.Validator = was.ETag, was.Validator
	}
	if info != was {
		a.info = info
		a.store.SetInfo(info)
	}
}

// leastLocked returns how many bytes the asset has at least: all of them where
// its size is known, else those up to the last that is present.
func (a *Asset) leastLocked() int64 {
	if a.info.Size >= 0 {
		return a.info.Size
	}
	least := int64(0)
	for run := a.store.Next(0); !run.Empty(); run = a.store.Next(run.End) {
		least = run.End
	}
	return least
}

// differ reports whether two responses cannot be of the same content.
func differ(a, b Info) bool {
	if a.Size >= 0 && b.Size >= 0 && a.Size != b.Size {
		return true
	}
	if a.ETag != "" && b.ETag != "" {
		return strings.TrimPrefix(a.ETag, "W/") != strings.TrimPrefix(b.ETag, "W/")
	}
	return a.LastModified != "" && b.LastModified != "" && a.LastModified != b.LastModified
}

// changed makes the asset forget its content: open readers get ErrChanged from
// now on, the name stays. info is what is known of the new content, which s
// goes on to bring, unless it says nothing. It returns false if the change had
// been found before.
func (a *Asset) changed(s *stream, info Info) bool {
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
	err := a.store.Reset()
	if err != nil {
		a.o.Log.Error("spooled bytes of changed content could not be dropped", "asset", a.id, "error", err)
	}

	a.mu.Lock()
	defer a.mu.Unlock()
	was := a.info
	a.info = Info{Name: was.Name, Size: -1}
	if info.Size >= 0 || info.ETag != "" || info.LastModified != "" {
		a.mergeLocked(info)
	}
	a.store.SetInfo(a.info)
	a.lastErr = ErrChanged
	a.resetting = nil
	close(reset)
	return true
}

// complete is called at the end of the body of s.
func (a *Asset) complete(s *stream) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	pos := s.state.Pos
	if a.info.Size >= 0 && s.state.End < 0 && pos != a.info.Size {
		return &LengthError{Got: pos, Want: a.info.Size}
	}
	if a.info.Size < 0 {
		if least := a.leastLocked(); pos < least {
			return &LengthError{Got: pos, Want: least}
		}
		a.info.Size = pos
		a.store.SetInfo(a.info)
		a.finishLocked(func(*waiter) (bool, error) { return true, nil }) // to look again
	}
	return nil
}

// ended takes s, whose goroutine is about to end with err, out of the asset.
func (a *Asset) ended(s *stream, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer close(s.done)
	a.streams = slices.DeleteFunc(a.streams, func(o *stream) bool { return o == s })
	if err == nil && s.gained > 0 {
		a.fail = failure{} // all that was asked for has come
	}
	if errors.Is(err, ErrNoSlot) {
		a.finishLocked(func(w *waiter) (bool, error) { return w.state.Background, err })
		err = nil
	}
	useless := err == nil && s.gained == 0
	if useless {
		err = a.shortLocked(s)
	}
	if err != nil && (useless || !s.ending) && !a.closed && !errors.Is(err, ErrChanged) {
		a.fail.note(err, time.Now(), s.gained >= block/2)
		a.lastErr = err
		a.o.Log.Info("download ended early", "asset", a.id, "start", s.state.Start, "pos", s.state.Pos, "error", err)
		if a.fail.permanent {
			a.finishLocked(func(w *waiter) (bool, error) { return !a.comingLocked(w), err })
		}
	}
	a.planLocked()
}

// shortLocked returns an error if a read waits for what s asked for and its
// response does not hold. Without one the same would be asked for at once again.
func (a *Asset) shortLocked(s *stream) error {
	want := ranges.Range{Start: s.request.Start, End: s.request.End}
	if want.End == 0 {
		want.End = math.MaxInt64
	}
	got := ranges.Range{Start: s.state.Start, End: s.state.End}
	if got.End < 0 {
		got.End = math.MaxInt64
	}
	for _, w := range a.waiters {
		missing := a.missingLocked(w)
		if w.state.Header || missing.Empty() {
			continue
		}
		first := ranges.Range{Start: missing.Start, End: missing.Start + 1}
		if want.Contains(first) && !got.Contains(first) {
			return &RangeError{Got: got, Want: want}
		}
	}
	return nil
}

// overlap is what a resumed stream reads again for comparison when there is no
// validator that would prove the content unchanged.
const overlap = 4 << 10

// overlapLocked is how much of what is present the next response should bring
// again, to be compared.
func (a *Asset) overlapLocked() int64 {
	if a.info.Header && a.info.Validator == "" {
		return overlap
	}
	return 0
}
