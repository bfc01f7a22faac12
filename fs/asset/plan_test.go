package asset

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// base is an asset of 1 GiB, known and open, with nothing present, no stream,
// and 12 requests a minute.
func base() Snapshot {
	return Snapshot{
		Now: now, Size: 1 << 30, Contacted: true, Ranging: RangeYes,
		Present: &ranges.Set{}, Requests: 12, Worth: 5 * time.Second, ReadAhead: 64 * mib, Readers: 1,
	}
}

func present(rs ...ranges.Range) Present {
	s := ranges.Of(rs...)
	return &s
}

func want(start, end int64) WaiterState {
	return WaiterState{Need: ranges.Range{Start: start, End: end}, Since: now}
}

// running is a stream that has delivered all it has brought.
func running(start, pos int64, speed float64) StreamState {
	return StreamState{Start: start, Pos: pos, Reach: pos, End: -1, Frontier: pos, Delivered: pos - start, Speed: speed, LastByte: now, Used: now}
}

func paused(s StreamState, used time.Duration) StreamState {
	s.Paused, s.Used = true, now.Add(-used)
	s.Frontier, s.Delivered = s.Pos-mib, 1
	return s
}

func TestPlan(t *testing.T) {
	tests := []struct {
		name string
		snap func(*Snapshot)
		want func(*Decision)
	}{
		{"a first read opens a stream, aligned", func(s *Snapshot) {
			s.Waiters = []WaiterState{want(300<<10, 301<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 256 << 10}}
		}},
		{"bytes that are there are not asked for again by aligning", func(s *Snapshot) {
			s.Present = present(ranges.Range{End: 290 << 10})
			s.Waiters = []WaiterState{want(300<<10, 301<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 290 << 10}}
		}},
		{"without a validator a resumed stream overlaps", func(s *Snapshot) {
			s.Overlap = overlap
			s.Present = present(ranges.Range{End: 300 << 10})
			s.Waiters = []WaiterState{want(300<<10, 301<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300<<10 - overlap}}
		}},
		{"a request ends before a large present run", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 8 * mib, End: 8*mib + 1000}, ranges.Range{Start: 16 * mib, End: 17 * mib})
			s.Waiters = []WaiterState{want(0, 1000)}
		}, func(d *Decision) {
			d.Open = []Opening{{End: 16 * mib}}
		}},
		{"the stream at the gap is waited for", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, mib, 1e8)}
			s.Waiters = []WaiterState{want(mib, mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{2 * mib}
		}},
		{"a gap in the read-ahead that comes soon is waited for", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e7)}
			s.Waiters = []WaiterState{want(30*mib, 30*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{32 * mib}
			d.Wake = now.Add(silence)
		}},
		{"a gap in the read-ahead that comes late is opened", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e6)}
			s.Waiters = []WaiterState{want(30*mib, 30*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{32 * mib}
			d.Open = []Opening{{Start: 30 * mib}}
		}},
		{"a gap behind the read-ahead is opened, however fast the stream", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e10)}
			s.Waiters = []WaiterState{want(40*mib, 40*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{32 * mib}
			d.Open = []Opening{{Start: 40 * mib}}
		}},
		{"a silent stream is not waited for ahead of it", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e8)}
			s.Streams[0].LastByte = now.Add(-silence)
			s.Waiters = []WaiterState{want(20*mib, 20*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{32 * mib}
			d.Open = []Opening{{Start: 20 * mib}}
		}},
		{"with no request left the stream is taken if it comes first", func(s *Snapshot) {
			s.Requests, s.Next = 0, now.Add(30*time.Second)
			s.Streams = []StreamState{running(0, 16*mib, 1e7)}
			s.Waiters = []WaiterState{want(100*mib, 100*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{100*mib + 4096}
			d.Wake = now.Add(silence)
		}},
		{"with no request left the next one is taken if that comes first", func(s *Snapshot) {
			s.Requests, s.Next = 0, now.Add(3*time.Second)
			s.Streams = []StreamState{running(0, 16*mib, 1e7)}
			s.Waiters = []WaiterState{want(100*mib, 100*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{32 * mib}
			d.Wake = now.Add(3 * time.Second)
		}},
		{"without Range a far seek waits", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Streams = []StreamState{running(0, 16*mib, 1e6)}
			s.Waiters = []WaiterState{want(900*mib, 900*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{900*mib + 4096}
			d.Wake = now.Add(silence)
		}},
		{"while Range is unknown a far seek waits for the header that tells", func(s *Snapshot) {
			s.Ranging = RangeUnknown
			s.Streams = []StreamState{{Opening: true, End: -1, LastByte: now}}
			s.Waiters = []WaiterState{want(900*mib, 900*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{0}
		}},
		{"a fifth stream replaces the paused one of longest ago", func(s *Snapshot) {
			s.Streams = []StreamState{
				paused(running(0, 10*mib, 1e7), 5*time.Second), paused(running(100*mib, 110*mib, 1e7), 9*time.Second),
				paused(running(200*mib, 210*mib, 1e7), 7*time.Second), paused(running(300*mib, 310*mib, 1e7), 6*time.Second),
			}
			s.Waiters = []WaiterState{want(500*mib, 500*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{10 * mib, 110 * mib, 210 * mib, 310 * mib}
			d.End = []bool{false, true, false, false}
			d.Open = []Opening{{Start: 500 * mib}}
		}},
		{"but not one that has just served", func(s *Snapshot) {
			for i := range int64(4) {
				s.Streams = append(s.Streams, paused(running(i*100*mib, i*100*mib+10*mib, 1e7), 100*time.Millisecond))
			}
			s.Waiters = []WaiterState{want(500*mib, 500*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{10 * mib, 110 * mib, 210 * mib, 310*mib + 0}
			d.Limit[3] = 500*mib + 4096 // better slowly than not
			d.Wake = now.Add(900 * time.Millisecond)
		}},
		{"a stream that runs into present bytes ends", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 0, End: 3 * mib})
			s.Streams = []StreamState{running(0, 2*mib, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{4 * mib}
			d.End = []bool{true}
		}},
		{"a stream that runs into another's path ends", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 0, End: 2*mib + 1000})
			s.Streams = []StreamState{running(0, 2*mib, 1e7), running(2*mib, 2*mib+1000, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{4 * mib, 3*mib + 1000}
			d.End = []bool{true, false}
		}},
		{"a first contact reads nothing", func(s *Snapshot) {
			s.Readers = 0
			s.LastClose = now
			s.Streams = []StreamState{{End: 1 << 30, LastByte: now, Used: now, Paused: true}}
		}, func(d *Decision) {
			d.Limit = []int64{0}
			d.Wake = now.Add(linger)
		}},
		{"streams end some time after the last close", func(s *Snapshot) {
			s.Readers, s.LastClose = 0, now.Add(-linger)
			s.Streams = []StreamState{running(0, mib, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{2 * mib}
			d.End = []bool{true}
		}},
		{"without Range they finish if that costs less than was paid", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Readers, s.LastClose, s.Cost = 0, now.Add(-linger), 600*mib
			s.Streams = []StreamState{running(0, 600*mib, 1e7)}
			s.Streams[0].End = 1 << 30
		}, func(d *Decision) {
			d.Limit = []int64{1 << 30}
		}},
		{"and so they do if an answer of everything may mean that there is no Range", func(s *Snapshot) {
			s.Ranging = RangeUnknown
			s.Readers, s.LastClose, s.Cost = 0, now.Add(-linger), 600*mib
			s.Streams = []StreamState{running(0, 600*mib, 1e7)}
			s.Streams[0].End = 1 << 30
		}, func(d *Decision) {
			d.Limit = []int64{1 << 30}
		}},
		{"without Range they end if it costs more", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Readers, s.LastClose, s.Cost = 0, now.Add(-linger), 100*mib
			s.Streams = []StreamState{running(0, 100*mib, 1e7)}
			s.Streams[0].End = 1 << 30
		}, func(d *Decision) {
			d.Limit = []int64{164 * mib}
			d.End = []bool{true}
		}},
		{"without Range a paused stream is kept alive", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Streams = []StreamState{paused(running(0, 10*mib, 1e7), time.Minute)}
			s.Streams[0].LastByte = now.Add(-keepalive)
		}, func(d *Decision) {
			d.Limit = []int64{11 * mib}
		}},
		{"after a failure nothing opens before its time", func(s *Snapshot) {
			s.NotBefore = now.Add(time.Second)
			s.Waiters = []WaiterState{want(0, 1)}
		}, func(d *Decision) {
			d.Wake = now.Add(time.Second)
		}},
		{"an answer that nobody waits for any longer is awaited for a while", func(s *Snapshot) {
			s.Streams = []StreamState{{Opening: true, LastByte: now}}
		}, func(d *Decision) {
			d.Limit = []int64{0}
			d.Wake = now.Add(linger)
		}},
		{"and then given up: it may be queued behind a closed gate", func(s *Snapshot) {
			s.Streams = []StreamState{{Opening: true, LastByte: now.Add(-linger)}}
		}, func(d *Decision) {
			d.Limit = []int64{0}
			d.End = []bool{true}
		}},
		{"a listing asks for a head block", func(s *Snapshot) {
			s.Contacted, s.Size = false, -1
			s.Waiters = []WaiterState{{Header: true, Head: true, Background: true, Since: now}}
		}, func(d *Decision) {
			d.Open = []Opening{{End: block, Background: true}}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := base()
			tt.snap(&s)
			want := Decision{Limit: make([]int64, len(s.Streams)), End: make([]bool, len(s.Streams))}
			tt.want(&want)
			got := Plan(s)
			got.Serves = nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// TestPlanProperties checks what must hold of every decision.
func TestPlanProperties(t *testing.T) {
	for seed := range uint64(50_000) {
		s := randomSnapshot(rand.New(rand.NewPCG(seed, 3)))
		d := Plan(s)
		if problem := judge(s, d); problem != "" {
			t.Fatalf("seed %d: %s\n%+v\npresent %v\n%+v", seed, problem, s, s.Present, d)
		}
	}
}

func judge(s Snapshot, d Decision) string {
	opened, ended := 0, 0
	for _, o := range d.Open {
		if !o.Background {
			opened++
		}
	}
	for _, e := range d.End {
		if e {
			ended++
		}
	}
	switch {
	case opened > max(0, s.Requests) && len(s.Waiters) > 0 && !headerOnly(s):
		return "more requests than the window has"
	case len(s.Streams)-ended+len(d.Open) > maxStreams && len(d.Open) > 0 && !headerOnly(s):
		return "more streams than an asset may have"
	case s.Now.Before(s.NotBefore) && len(d.Open) > 0:
		return "opened while backing off"
	}
	for i, st := range s.Streams {
		if d.Limit[i] < st.Pos && !st.Opening {
			return fmt.Sprintf("stream %d may not even keep its position", i)
		}
	}
	for _, w := range s.Waiters {
		if w.Header {
			continue
		}
		gap := s.Present.Gap(w.Need)
		if gap.Empty() {
			continue
		}
		coming, arrives := false, false
		for i, st := range s.Streams {
			if !d.End[i] && st.Pos <= gap.Start && (st.End < 0 || st.End > gap.Start) {
				coming = coming || d.Limit[i] > gap.Start || st.Opening
				arrives = arrives || gap.Start-st.Pos < block
			}
			coming = coming || st.Opening && s.Ranging != RangeYes
		}
		for _, o := range d.Open {
			at := o.Start <= gap.Start && (o.End == 0 || o.End > gap.Start)
			if at && arrives && gap.Start-o.Start < block && s.Ranging == RangeYes && len(s.Waiters) == 1 {
				return "opened where a stream arrives"
			}
			coming = coming || at || s.Ranging != RangeYes
		}
		if !coming && d.Wake.IsZero() && !busy(s, d) {
			return fmt.Sprintf("nobody comes for %v, and no time to look again", gap)
		}
	}
	return ""
}

func headerOnly(s Snapshot) bool {
	for _, w := range s.Waiters {
		if !w.Header {
			return false
		}
	}
	return true
}

// busy reports whether streams run that will pause or end, and so bring about
// another plan.
func busy(s Snapshot, d Decision) bool {
	if len(d.Open) > 0 {
		return true // its header brings about one
	}
	for i, st := range s.Streams {
		if d.End[i] || !st.Paused || d.Limit[i] > st.Pos {
			return true
		}
	}
	return false
}

func randomSnapshot(r *rand.Rand) Snapshot {
	s := base()
	s.Size = 1 + r.Int64N(64*mib)
	s.Ranging = Ranging(r.IntN(3))
	s.Overlap = []int64{0, overlap, block}[r.IntN(3)]
	s.Requests = r.IntN(4)
	if s.Requests == 0 {
		s.Next = now.Add(time.Duration(1 + r.Int64N(int64(time.Minute))))
	}
	if r.IntN(5) == 0 {
		s.NotBefore = now.Add(time.Second)
	}
	s.Readers = r.IntN(3)
	s.LastClose = now.Add(-time.Duration(r.Int64N(int64(10 * time.Second))))
	var set ranges.Set
	for range r.IntN(6) {
		at := r.Int64N(s.Size)
		set.Add(ranges.Range{Start: at, End: min(s.Size, at+r.Int64N(4*mib))})
	}
	s.Present = &set
	for range r.IntN(maxStreams + 1) {
		start := r.Int64N(s.Size)
		pos := start + r.Int64N(s.Size-start)
		st := StreamState{Start: start, Pos: pos, Reach: pos, End: s.Size, Frontier: start + r.Int64N(pos-start+1), Speed: r.Float64() * 1e8, LastByte: now.Add(-time.Duration(r.Int64N(int64(4 * time.Second)))), Used: now.Add(-time.Duration(r.Int64N(int64(4 * time.Second))))}
		st.Delivered = st.Frontier - start
		switch r.IntN(4) {
		case 0:
			st.Paused = true
		case 1:
			st.Opening, st.Pos, st.Reach, st.Frontier, st.Delivered, st.End = true, start, start, start, 0, -1
		}
		if s.Ranging == RangeNo {
			st.Start = 0
		}
		s.Streams = append(s.Streams, st)
	}
	for range r.IntN(4) {
		at := r.Int64N(s.Size)
		s.Waiters = append(s.Waiters, want(at, min(s.Size, at+1+r.Int64N(mib))))
	}
	return s
}
