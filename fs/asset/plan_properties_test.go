package asset

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

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
	case opened > max(0, s.Requests) && (opened > 1 || !s.Queued) && len(s.Waiters) > 0 && !headerOnly(s):
		return "more requests than the window has"
	case len(s.Streams)-ended+len(d.Open) > mostStreams && len(d.Open) > 0 && !headerOnly(s):
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

// busy reports whether streams run that will pause or end, and so cause another plan.
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
		s.Queued = r.IntN(2) == 0
	}
	if r.IntN(5) == 0 {
		s.NotBefore = now.Add(time.Second)
	}
	s.Whole, s.Tail = r.IntN(2) == 0, r.Int64N(2)*r.Int64N(mostTail)
	s.Limited = r.IntN(2) == 0
	s.Readers = r.IntN(3)
	s.LastClose = now.Add(-time.Duration(r.Int64N(int64(10 * time.Second))))
	var set ranges.Set
	for range r.IntN(6) {
		at := r.Int64N(s.Size)
		set.Add(ranges.Range{Start: at, End: min(s.Size, at+r.Int64N(4*mib))})
	}
	s.Present = &set
	for range r.IntN(mostStreams + 1) {
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
