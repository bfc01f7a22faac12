package asset

import (
	"context"
	"math"
	"time"

	"assetfs/fs/ranges"
)

// A Reader is an open handle. Its methods may be called concurrently.
type Reader struct {
	a       *Asset
	version uint64

	// a.mu guards what follows.
	pos  int64        // end of the last read
	last ranges.Range // given to it, empty if nothing was

	// given is the asset's at the open, when the kernel dropped all pages of the inode. If it kept them
	// it may have any byte of the content, and given is that of no asset; see Kept.
	given uint64
}

// Open returns a reader of the present content. It uses no network. The caller must close it.
func (a *Asset) Open() *Reader {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.readyLocked()
	r := &Reader{a: a, version: a.version, pos: -1, given: a.given}
	a.readers[r] = struct{}{}
	a.touchLocked()
	return r
}

// Kept says that the kernel kept the inode's pages at the open.
func (r *Reader) Kept() {
	r.a.mu.Lock()
	defer r.a.mu.Unlock()
	r.given = math.MaxUint64
}

// Close ends the reader. Its streams linger, because players open the file again.
func (r *Reader) Close() {
	a := r.a
	a.mu.Lock()
	delete(a.readers, r)
	a.touchLocked()
	if len(a.readers) == 0 {
		a.lastClose = time.Now()
		a.usedLocked()
		if a.unsynced.Len() > 0 || a.blob != nil && a.blob.Open() {
			a.pendLocked()
		}
	}
	a.spanLocked()
	a.planLocked()
	a.mu.Unlock()
}

// touchLocked records the time of use. For an asset of which nothing else is known, it makes no
// record.
func (a *Asset) touchLocked() {
	a.lastUse = a.store.useTime()
	if a.recorded {
		a.markLocked()
	}
}

// ReadAt fills p with the bytes at off, and fetches absent ones. It returns fewer only at the end of
// the asset. With an error, the contents of p mean nothing. ctx ends the wait, not the download.
func (r *Reader) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	a := r.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		need := a.info.clip(ranges.Range{Start: off, End: off + int64(len(p))})
		switch {
		case a.version != r.version:
			return 0, ErrChanged
		case need.Empty():
			return 0, nil
		}
		if a.present.Contains(need) {
			a.consumedLocked(r, need)
			n, again, err := a.readLocked(p[:need.Len()], off)
			if again {
				continue // room was made meanwhile
			}
			return n, err
		}
		r.pos = off
		if err := a.fetchLocked(ctx, WaiterState{Need: need, Last: r.last, Since: time.Now()}, 0); err != nil {
			return 0, err
		}
	}
}

// fetchMost stands for the end of an asset of unknown size: more than any asset has, but so small
// that sums don't overflow.
const fetchMost = 1 << 40

// Fetch waits until the whole content is present. It makes one request for each gap, if the server
// supports Range. ctx ends the wait; what has come stays. If bytes are dropped meanwhile to make
// room, they are fetched again.
func (r *Reader) Fetch(ctx context.Context) error {
	a := r.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		need := a.info.clip(ranges.Range{End: fetchMost})
		need.Start = a.present.Gap(need).Start
		switch {
		case a.version != r.version:
			return ErrChanged
		case need.Empty():
			return nil
		}
		if err := a.fetchLocked(ctx, WaiterState{Need: need, Since: time.Now()}, 0); err != nil {
			return err
		}
	}
}

// fetchLocked waits for what state needs, and releases the lock meanwhile; the caller must look again. If
// retryFor is 0, it retries for as long as a read does.
func (a *Asset) fetchLocked(ctx context.Context, state WaiterState, retryFor time.Duration) error {
	a.spanLocked()
	if again, err := a.roomLocked(state); err != nil || again {
		return err
	}
	w, err := a.waitLocked(ctx, state, retryFor)
	if err != nil {
		return err
	}
	a.planLocked()
	a.driveLocked(w)
	a.mu.Unlock()
	err = a.await(ctx, w)
	a.mu.Lock()
	return err
}

// consumedLocked records that r reads need, which is present: the streams that brought it may read
// further ahead.
func (a *Asset) consumedLocked(r *Reader, need ranges.Range) {
	edge := r.pos <= a.span.Start+slack || r.pos+slack >= a.span.End || need.End < a.span.Start || need.End+slack > a.span.End
	r.pos, r.last = need.End, need
	a.given++
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

// slack is how much before the last reader and after the first is kept when room is needed: players
// step back a little, and no read is larger.
const slack = 1 << 20

// spanLocked records where the readers are. When room is needed, bytes before all of them may go
// first, and then those far after all of them.
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
	for _, s := range a.streams {
		if s.state.Stuck {
			nudge(s.wake) // there may be room now
		}
	}
}
