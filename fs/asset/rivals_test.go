package asset

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"
)

// TestTwoContentsAndNothingPresent: the content changes while one stream has its response, but none of its
// bytes is present yet. Another response with another entity tag has nothing to be compared with, and
// must not be mixed with what the first stream still brings.
func TestTwoContentsAndNothingPresent(t *testing.T) {
	test(t, &fakeServer{size: 4 * mib, ranged: true, etag: true, rate: 64 << 10}, func(r *rig) {
		rd := r.Open()
		defer rd.Close()
		got := map[int64][]byte{}
		var mu sync.Mutex
		read := func(off int64) {
			p := make([]byte, 4<<10)
			if n, err := rd.ReadAt(context.Background(), p, off); err == nil {
				mu.Lock()
				got[off] = p[:n]
				mu.Unlock()
			}
		}
		var wg sync.WaitGroup
		wg.Go(func() { read(0) })
		time.Sleep(500 * time.Millisecond) // of the second that the first block takes
		r.server.mu.Lock()
		r.server.version++
		r.server.mu.Unlock()
		wg.Go(func() { read(2 * mib) })
		wg.Wait()
		seen := map[int]bool{}
		for off, p := range got {
			for v := range 2 {
				want := make([]byte, len(p))
				fill(want, v, off)
				if bytes.Equal(p, want) {
					seen[v] = true
				}
			}
		}
		if len(seen) != 1 {
			t.Errorf("%d reads came through, of %d contents", len(got), len(seen))
		}
	})
}

// TestRivalsInTurns: of two servers that answer in turns, with entity tags of their own, two readers get their bytes, though none is
// present when their responses come. Each response once ended the other's before its first byte, without end.
func TestRivalsInTurns(t *testing.T) {
	test(t, &fakeServer{size: 4 * mib, ranged: true, validators: inTurns, rate: 64 << 10}, func(r *rig) {
		r.contact()
		r.drop()
		rd := r.Open()
		defer rd.Close()
		var wg sync.WaitGroup
		for _, off := range []int64{0, 2 * mib} {
			wg.Go(func() { r.read(rd, off, 4<<10) })
		}
		wg.Wait()
		r.spent(6, mib)
	})
}
