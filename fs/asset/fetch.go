package asset

import (
	"context"
	"time"

	"assetfs/fs/ranges"
)

// fetchMost stands for the end of an asset whose size nobody knows: more than any
// has, and sums of it don't overflow.
const fetchMost = 1 << 40

// Fetch waits until the whole content is present. What is absent comes with one
// request a gap, if the server allows it. ctx ends the waiting; what has come
// stays. Bytes that go again meanwhile, since room is needed, come again.
func (r *Reader) Fetch(ctx context.Context) error {
	a := r.a
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		if err := a.awaitContentLocked(ctx, r.version); err != nil {
			return err
		}
		need := ranges.Range{End: fetchMost}
		if a.info.Size >= 0 {
			need.End = a.info.Size
		}
		need.Start = a.present.Gap(need).Start
		if need.Empty() {
			return nil
		}
		if err := a.fetchLocked(ctx, WaiterState{Need: need, Since: time.Now()}); err != nil {
			return err
		}
	}
}

// EndIdle ends the streams of an asset that nobody reads or waits for, at once:
// what their sockets hold is not stored. It returns when they have ended.
func (a *Asset) EndIdle() {
	a.mu.Lock()
	var ending []*stream
	if len(a.readers) == 0 && len(a.waiters) == 0 {
		ending = append(ending, a.streams...)
	}
	for _, s := range ending {
		s.ending, s.discard = true, true
		s.cancel(ErrChanged)
	}
	a.mu.Unlock()
	for _, s := range ending {
		<-s.done
	}
}
