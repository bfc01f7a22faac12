package asset

import (
	"fmt"
	"testing"

	"assetfs/fs/ranges"
)

func TestKinds(t *testing.T) {
	whole, tail := Kind{Whole: true, Habit: mib}, Kind{Whole: true, Tail: 300 << 10, Habit: 2 * mib}
	for _, tt := range []struct {
		name string
		used []usage
		want Kind
	}{
		{"nothing known", nil, Kind{}},
		{"one asset is no habit", []usage{{"re_1", whole}}, Kind{}},
		{"nor is one that is used twice", []usage{{"re_1", whole}, {"re_1", whole}}, Kind{}},
		{"two are", []usage{{"re_1", whole}, {"re_2", whole}}, whole},
		{"in what they agree", []usage{{"re_1", whole}, {"re_2", tail}}, Kind{Whole: true, Habit: 2 * mib}},
		{"the latest count", []usage{{"re_1", whole}, {"re_2", whole}, {"re_3", Kind{}}}, Kind{}},
		{"and how they were used at last", []usage{{"re_1", Kind{}}, {"re_2", tail}, {"re_3", tail}, {"re_3", tail}}, tail},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := &Store{}
			for _, u := range tt.used {
				h.noteUsage("application/pdf .pdf", u)
			}
			if got := h.kind("application/pdf .pdf"); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if got := h.kind("video/mp4 .mp4"); got != (Kind{}) {
				t.Errorf("another type: %+v, want nothing", got)
			}
		})
	}
}

// TestKindsAreFew uses a server that invents types.
func TestKindsAreFew(t *testing.T) {
	h := &Store{}
	for i := range 10 * mostKinds {
		h.noteUsage(fmt.Sprint("x/", i), usage{"re_1", Kind{}})
	}
	if n := len(h.kinds); n > mostKinds {
		t.Errorf("%d types are kept, want %d at most", n, mostKinds)
	}
}

// TestUsedKind reads assets of one type to their ends, and in pieces.
func TestUsedKind(t *testing.T) {
	test(t, &fakeServer{size: 8 * mib, ranged: true, etag: true}, func(r *rig) {
		r.contact()
		kind := kindOf(r.Info())
		rd := r.Open()
		r.cat(rd, 0, 8*mib)
		rd.Close()
		r.store.noteUsage(kind, usage{"re_other", Kind{Whole: true}})
		if got := r.store.kind(kind); !got.Whole {
			t.Errorf("read to the end: %+v", got)
		}
	})
	test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true}, func(r *rig) {
		r.contact()
		kind := kindOf(r.Info())
		rd := r.Open()
		r.cat(rd, 0, mib)
		r.cat(rd, 64*mib-300<<10, 64*mib)
		rd.Close()
		r.store.noteUsage(kind, usage{"re_other", Kind{Whole: true, Tail: mib}})
		if got, want := r.store.kind(kind), (Kind{Tail: mib}); got != want {
			t.Errorf("the start and the end read: %+v, want %+v", got, want)
		}
	})
}

func TestPlanKinds(t *testing.T) {
	read := func(s *Snapshot, n int64) {
		s.History = &history{}
		s.History.add(ranges.Range{End: n})
		s.Present = present(ranges.Range{End: n})
	}
	checkPlans(t, []planTest{
		{"where assets are read whole a gap is read over", func(s *Snapshot) {
			read(s, mib)
			s.Whole, s.Streams = true, []StreamState{running(0, mib, 1e7)}
			s.Waiters = []WaiterState{want(3*mib, 3*mib+4096)}
		}, func(d *Decision) {
			d.Limit = []int64{3*mib + 4096}
			d.Wake = now.Add(silence)
		}},
		{"if that comes soon", func(s *Snapshot) {
			read(s, mib)
			s.Whole, s.Streams = true, []StreamState{running(0, mib, 1e6)}
			s.Waiters = []WaiterState{want(8*mib, 8*mib+64<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{mib + mib/4}
			d.Open = []Opening{{Start: 8 * mib, Least: 8*mib + block}}
		}},
		{"and is no more than what wrong habits may cost", func(s *Snapshot) {
			read(s, mib)
			s.Whole, s.Streams = true, []StreamState{running(0, mib, 1e9)}
			s.Waiters = []WaiterState{want(20*mib, 20*mib+64<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{mib + mib/4}
			d.Open = []Opening{{Start: 20 * mib, Least: 20*mib + block}}
		}},
		{"nor has cost that already", func(s *Snapshot) {
			read(s, mib)
			s.History.received = 20 * mib
			s.Whole, s.Streams = true, []StreamState{running(0, mib, 1e7)}
			s.Waiters = []WaiterState{want(8*mib, 8*mib+64<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{mib + block}
			d.Open = []Opening{{Start: 8 * mib, Least: 8*mib + block}}
		}},
		{"as much of the end as others had", func(s *Snapshot) {
			read(s, mib)
			s.Tail = 700 << 10
			s.Waiters = []WaiterState{want(1<<30-100<<10, 1<<30-96<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 1<<30 - 6*block, Least: 1<<30 - 96<<10}}
		}},
	})
}
