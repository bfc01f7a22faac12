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
	for {
		a.mu.Lock()
		if done := a.resetting; done != nil {
			a.mu.Unlock()
			select {
			case <-done:
				continue
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if r.version != a.version {
			a.mu.Unlock()
			return ErrChanged
		}
		need := ranges.Range{End: fetchMost}
		if a.info.Size >= 0 {
			need.End = a.info.Size
		}
		need.Start = a.store.Gap(need).Start
		if need.Empty() {
			a.mu.Unlock()
			return nil
		}
		w, err := a.waitLocked(ctx, WaiterState{Need: need, Since: time.Now()}, 0)
		if err == nil {
			a.planLocked()
			a.driveLocked(w)
		}
		a.mu.Unlock()
		if err == nil {
			err = a.await(ctx, w)
		}
		if err != nil {
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
