package asset

import (
	"context"
	"errors"
	"time"

	"assetfs/fs/ranges"
)

// A Reader is an open handle. Its methods may be called concurrently.
type Reader struct {
	a       *Asset
	version uint64

	// a.mu guards what follows.
	pos  int64        // end of the last read
	last ranges.Range // read and present, empty if none was
	got  bool         // bytes were given to it
}

// Open returns a reader of the content as it is now. It uses no network. The
// caller closes it.
func (a *Asset) Open() *Reader {
	a.store.Acquire()
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &Reader{a: a, version: a.version, pos: -1}
	a.readers[r] = struct{}{}
	return r
}

// Close ends the reader. Streams linger for a while: players reopen.
func (r *Reader) Close() {
	a := r.a
	a.mu.Lock()
	delete(a.readers, r)
	if len(a.readers) == 0 {
		a.lastClose = time.Now()
		a.usedLocked()
	}
	a.spanLocked()
	a.planLocked()
	a.mu.Unlock()
	a.store.Release()
}

// ReadAt fills p from off, fetching what is absent, and returns less only at
// the end of the asset; with an error nothing of p counts. ctx ends the waiting,
// not the download.
func (r *Reader) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	a := r.a
	for {
		a.mu.Lock()
		if done := a.resetting; done != nil {
			a.mu.Unlock()
			select {
			case <-done:
				continue
			case <-ctx.Done():
				return 0, context.Cause(ctx)
			}
		}
		if r.version != a.version {
			a.mu.Unlock()
			return 0, ErrChanged
		}
		need := ranges.Range{Start: off, End: off + int64(len(p))}
		if a.info.Size >= 0 {
			need.End = min(need.End, a.info.Size)
		}
		if need.Empty() {
			a.mu.Unlock()
			return 0, nil
		}
		if a.store.Gap(need).Empty() {
			a.consumedLocked(r, need)
			a.mu.Unlock()
			n, err := a.store.ReadAt(p[:need.Len()], off)
			if errors.Is(err, ErrAbsent) {
				continue // room was made meanwhile
			}
			return r.valid(n, err)
		}
		r.pos = off
		w, err := a.waitLocked(ctx, WaiterState{Need: need, Last: r.last, Since: time.Now()}, 0)
		a.spanLocked()
		if err == nil {
			a.planLocked()
			a.driveLocked(w)
		}
		a.mu.Unlock()
		if err == nil {
			err = a.await(ctx, w)
		}
		if err != nil {
			return 0, err
		}
	}
}

// valid passes on the outcome of a read from the store, unless the content has
// changed while that was done without the lock.
func (r *Reader) valid(n int, err error) (int, error) {
	if r.a.Version() != r.version {
		return 0, ErrChanged
	}
	return n, err
}

// consumedLocked notes that r reads need, all of which is present: streams that
// brought it may run further ahead.
func (a *Asset) consumedLocked(r *Reader, need ranges.Range) {
	edge := r.pos <= a.span.Start+slack || r.pos+slack >= a.span.End || need.End < a.span.Start || need.End+slack > a.span.End
	r.pos, r.last, r.got = need.End, need, true
	if edge {
		a.spanLocked()
	}
	a.history.add(need)
	if len(a.streams) == 0 {
		return
	}
	now, further := time.Now(), false
	for _, s := range a.streams {
		st := &s.state
		if st.Opening || need.End <= st.Start || need.End > st.Reach {
			continue
		}
		st.Used = now
		if need.End > st.Frontier {
			st.Delivered += need.End - max(need.Start, st.Frontier)
			st.Frontier, further = need.End, true
		}
	}
	if further {
		a.planLocked()
	}
}

// slack is how much behind the last reader and ahead of the first is kept when
// room is needed: players step back a little, and no read is larger.
const slack = 1 << 20

// spanLocked tells the store where the readers are: what lies behind all of them
// may go when room is needed, and then what lies far ahead of all.
func (a *Asset) spanLocked() {
	span := ranges.Range{Start: -1}
	for r := range a.readers {
		if r.pos < 0 {
			continue
		}
		if span.Start < 0 || r.pos < span.Start {
			span.Start = r.pos
		}
		span.End = max(span.End, r.pos+slack)
	}
	span.Start = max(0, span.Start-slack) // empty at 0 if nobody has read
	if span == a.span {
		return
	}
	a.span = span
	a.store.SetSpan(span)
	a.unstickLocked()
}
