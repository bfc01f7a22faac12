package asset

import (
	"testing"

	"assetfs/fs/ranges"
)

// TestBehindAStreamWithoutRange: a stream that can't be resumed was given up for lack of room, so bytes
// after it need another stream from 0. Its response was once closed as covered, and asked for again at
// once, without end.
func TestBehindAStreamWithoutRange(t *testing.T) {
	test(t, &fakeServer{size: 256 * mib}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 16*mib)
		r.store.lose(ranges.Range{Start: 2 * mib, End: 4 * mib})
		r.read(rd, 3*mib, block)
		r.read(rd, 2*mib, block)
		r.spent(4, 80*mib)
	})
}
