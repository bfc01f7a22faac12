package asset

import (
	"testing"
	"time"

	"assetfs/fs/ranges"
)

// clusters returns the history of small scattered reads in 16 MiB from 100 MiB on, all of which were
// received, and of one far away.
func clusters() *history {
	h := &history{received: 16 * mib}
	h.add(ranges.Range{Start: 0, End: 4096})
	for i := range int64(20) {
		at := 100*mib + i*7%20*16*mib/20
		h.add(ranges.Range{Start: at, End: at + 4096})
	}
	return h
}

func TestPlanScattered(t *testing.T) {
	all := present(ranges.Range{Start: 100 * mib, End: 116 * mib})
	checkPlans(t, []planTest{
		{"the first small ones find out if it goes on", func(s *Snapshot) {
			s.Short = 1
			s.Waiters = []WaiterState{want(300*mib, 300*mib+4096)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300 * mib, Least: 300*mib + block}}
		}},
		{"not without a limit", func(s *Snapshot) {
			s.Limited, s.Worth = false, 250*time.Millisecond
			s.Waiters = []WaiterState{want(300*mib, 300*mib+4096)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300 * mib, End: 300*mib + block, Least: 300*mib + block}}
		}},
		{"what is near the end of an asset is read to the end", func(s *Snapshot) {
			s.Limited, s.Short = false, 2
			s.Waiters = []WaiterState{want(1<<30-mib/2, 1<<30-mib/2+4096)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 1<<30 - mib/2, Least: 1<<30 - mib/2 + block}}
		}},
		{"where clusters are read a miss gets what is on both sides", func(s *Snapshot) {
			s.History, s.Present, s.Short = clusters(), all, 4
			s.Waiters = []WaiterState{after(1000, want(500*mib, 500*mib+4096))}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 519962624, End: 528482304, Least: 528482304}}
		}},
		{"but nothing that is present", func(s *Snapshot) {
			s.History, s.Short = clusters(), 4
			s.Present = present(ranges.Range{Start: 100 * mib, End: 116 * mib}, ranges.Range{Start: 498 * mib, End: 500*mib - block}, ranges.Range{Start: 501 * mib, End: 502 * mib})
			s.Waiters = []WaiterState{after(1000, want(500*mib, 500*mib+4096))}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 500*mib - block, End: 501 * mib, Least: 501 * mib}}
		}},
		{"a stream that stands there goes on", func(s *Snapshot) {
			s.History, s.Present, s.Short = clusters(), all, 4
			s.Streams = []StreamState{paused(running(490*mib, 497*mib, 1e7), time.Second)}
			s.Streams[0].Least = s.Streams[0].Pos
			s.Waiters = []WaiterState{after(1000, want(500*mib, 500*mib+4096))}
		}, func(d *Decision) {
			d.Limit = []int64{500*mib + 4096}
		}},
		{"not without a limit of requests", func(s *Snapshot) {
			s.Limited, s.Worth = false, 250*time.Millisecond
			s.History, s.Present = clusters(), all
			s.Waiters = []WaiterState{after(1000, want(500*mib, 500*mib+4096))}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 500 * mib, End: 500*mib + block, Least: 500*mib + block}}
		}},
		{"one stream that brings all of a place is enough", func(s *Snapshot) {
			s.Streams = []StreamState{running(400*mib, 401*mib, 1e7), running(402*mib, 402*mib, 1e7)}
			s.Streams[0].Least, s.Streams[0].End = 405*mib, 405*mib
			s.Streams[1].End, s.Streams[1].Paused = 405*mib, true
			s.Waiters = []WaiterState{want(404*mib, 404*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{405 * mib, 402 * mib}
			d.Wake = now.Add(silence)
		}},
	})
}

func TestOwed(t *testing.T) {
	at := func(start, end int64) miss {
		return miss{WaiterState{Need: ranges.Range{Start: start, End: end}}, start}
	}
	for _, tt := range []struct {
		missing []miss
		want    int64
	}{
		{nil, 0},
		{[]miss{at(5*mib, 5*mib+4096)}, block},
		{[]miss{at(5*mib, 6*mib)}, mib},
		{[]miss{at(5*mib, 6*mib), at(7*mib, 7*mib+10)}, 2*mib + 10},
		{[]miss{at(5*mib, 8*mib), at(7*mib, 7*mib+10)}, 3 * mib},
		{[]miss{at(0, 10), at(9*mib, 9*mib+10)}, 2 * block},
	} {
		if got := owed(tt.missing); got != tt.want {
			t.Errorf("owed(%v) = %d, want %d", tt.missing, got, tt.want)
		}
	}
}

func TestHistoryClusters(t *testing.T) {
	h := clusters()
	if got, want := h.cluster(ranges.Range{Start: 99*mib + mib/2, End: 99*mib + mib/2 + 10}), (ranges.Range{Start: 99*mib + mib/2, End: 100*mib + 19*16*mib/20 + 4096}); got != want {
		t.Errorf("cluster: %v, want %v", got, want)
	}
	if got := h.span(); got < 15*mib || got > 16*mib {
		t.Errorf("span: %d, want nearly 16 MiB", got)
	}
	if got, most := h.skipped(), int64(16*mib); got < 15*mib || got > most {
		t.Errorf("skipped: %d, want nearly %d", got, most)
	}
	var one history
	one.add(ranges.Range{Start: 0, End: 10 * mib})
	if got := one.skipped(); got != 0 {
		t.Errorf("skipped of a sequence: %d, want 0", got)
	}
}

// TestHistoryIsBounded reads small pieces, most of them close together.
func TestHistoryIsBounded(t *testing.T) {
	var h history
	const n = 3 * mostRanges
	for i := range int64(n) {
		at := i*8192 + i/100*2*mib
		h.add(ranges.Range{Start: at, End: at + 4096})
		if got := len(h.read.Ranges()); got > mostRanges {
			t.Fatalf("%d ranges after %d reads, want %d at most", got, i+1, mostRanges)
		}
	}
	if want := int64(n * 4096); h.bytes != want {
		t.Errorf("%d bytes read, want %d", h.bytes, want)
	}
}
