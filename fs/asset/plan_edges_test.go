package asset

import (
	"testing"

	"assetfs/fs/ranges"
)

// TestPlanSlow: what a request is worth depends on the speed of the server.
func TestPlanSlow(t *testing.T) {
	checkPlans(t, []planTest{
		{"waiters share a request only if the bytes between come sooner than another would", func(s *Snapshot) {
			s.Streams = []StreamState{running(900*mib, 910*mib, 1e5)}
			s.Waiters = []WaiterState{want(100*mib, 100*mib+32<<10), want(100*mib+5*block, 100*mib+5*block+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{912*mib + mib/2}
			d.Open = []Opening{{Start: 100 * mib, End: 100*mib + 5*block, Least: 100*mib + block}, {Start: 100*mib + 5*block, End: 900 * mib, Least: 100*mib + 6*block}}
		}},
		{"as they do at a distance that a slow server brings in time", func(s *Snapshot) {
			s.Streams = []StreamState{running(900*mib, 910*mib, 1e5)}
			s.Waiters = []WaiterState{want(100*mib, 100*mib+32<<10), want(100*mib+3*block, 100*mib+3*block+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{912*mib + mib/2}
			d.Open = []Opening{{Start: 100 * mib, End: 900 * mib, Least: 100*mib + 3*block + 32<<10}}
		}},
		{"what lies around a small read is asked for only if it comes in time", func(s *Snapshot) {
			s.History, s.Short = clusters(), 4
			s.Present = present(ranges.Range{Start: 100 * mib, End: 116 * mib})
			s.Streams = []StreamState{running(900*mib, 910*mib, 4e4)}
			s.Waiters = []WaiterState{after(1000, want(500*mib, 500*mib+4096))}
		}, func(d *Decision) {
			d.Limit = []int64{912*mib + mib/2}
			d.Open = []Opening{{Start: 500 * mib, End: 500*mib + block, Least: 500*mib + block}}
		}},
	})
}

// TestPlanEdges holds what is decided by one condition of a rule.
func TestPlanEdges(t *testing.T) {
	checkPlans(t, []planTest{
		{"beside many readers a sequence goes on for as long again", func(s *Snapshot) {
			s.Limited, s.Readers = false, crowd+1
			for i := range int64(fewStreams) {
				s.Streams = append(s.Streams, running((100+i)*mib, (100+i)*mib+block, 1e7))
				s.Streams[i].End = (101 + i) * mib
			}
			s.History = &history{received: 8 * mib}
			s.History.add(ranges.Range{Start: 500 * mib, End: 508 * mib})
			s.Waiters = []WaiterState{after(508*mib, want(508*mib, 508*mib+128<<10))}
		}, func(d *Decision) {
			for i := range int64(fewStreams) {
				d.Limit[i] = (100+i)*mib + 2*block
			}
			d.Open = []Opening{{Start: 508 * mib, End: 516 * mib, Sequence: 8 * mib}}
		}},
		{"of two streams at one place the one that came further ends", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 2*mib, 1e7), running(mib, 2*mib, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{2*mib + mib/2, 2*mib + mib/4}
			d.End = []bool{true, false}
		}},
		{"and of two with the same start one goes on", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 2*mib, 1e7), running(0, 2*mib, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{2*mib + block, 2*mib + block} // received twice, so there is no credit
			d.End = []bool{false, true}
		}},
		{"what a stream holds is stored before it ends", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 2 * mib, End: 4 * mib})
			s.Streams = []StreamState{running(0, 2*mib, 1e7)}
			s.Streams[0].Pos, s.Streams[0].Frontier = 2*mib-1000, 2*mib-1000
		}, func(d *Decision) {
			d.Limit = []int64{2*mib - 1000 + mib/2}
		}},
		{"unless there is no room for it", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 2 * mib, End: 4 * mib})
			s.Streams = []StreamState{running(0, 2*mib, 1e7)}
			s.Streams[0].Pos, s.Streams[0].Frontier, s.Streams[0].Stuck = 2*mib-1000, 2*mib-1000, true
		}, func(d *Decision) {
			d.Limit = []int64{2*mib - 1000 + mib/2}
			d.End = []bool{true}
		}},
		{"backwards, too, no more than the read-ahead is asked for", func(s *Snapshot) {
			s.ReadAhead = mib
			s.History = &history{received: 8 * mib}
			s.History.add(ranges.Range{Start: 300 * mib, End: 308 * mib})
			s.Present = present(ranges.Range{Start: 300 * mib, End: 308 * mib})
			s.Waiters = []WaiterState{want(300*mib-8192, 300*mib)}
			s.Waiters[0].Last = ranges.Range{Start: 300 * mib, End: 300*mib + 8192}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300*mib - block - mib, End: 300 * mib, Least: 300 * mib}}
		}},
		{"a silent stream on the way is not waited for instead of a request from before it", func(s *Snapshot) {
			s.ReadAhead = mib
			s.Streams = []StreamState{running(300*mib, 400*mib-4*block, 1e7)}
			s.Streams[0].LastByte = now.Add(-silence)
			s.Waiters = []WaiterState{want(400*mib-8192, 400*mib)}
			s.Waiters[0].Last = ranges.Range{Start: 400 * mib, End: 400*mib + 8192}
			s.History = &history{received: 108 * mib}
			s.History.add(ranges.Range{Start: 300 * mib, End: 400*mib - 4*block})
			s.History.add(ranges.Range{Start: 400 * mib, End: 408 * mib})
		}, func(d *Decision) {
			d.Limit = []int64{401*mib - 4*block}
			d.Open = []Opening{{Start: 400*mib - 9*block, End: 400 * mib, Least: 400 * mib}}
		}},
		{"Range as other assets have it is tried with one request", func(s *Snapshot) {
			s.Guessed = true
			s.Waiters = []WaiterState{want(100*mib, 100*mib+32<<10), want(300*mib, 300*mib+32<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 100 * mib, Least: 100*mib + block}}
		}},
		{"a read beyond the end waits for nothing that is not there", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 1<<30 - mib, End: 1 << 30})
			s.Waiters = []WaiterState{want(1<<30-1000, 1<<30+31000)}
		}, func(*Decision) {}},
	})
}
