package inode

import "testing"

// TestVisitors turns each thread away once, and not again before it was let in.
func TestVisitors(t *testing.T) {
	const hidden = 0 // a thread in another pid namespace
	steps := []struct {
		tid     uint32
		present bool
		want    bool
	}{
		{1, true, true},
		{1, false, false}, // looks the name up
		{1, true, true},
		{1, false, false},
		{2, false, false},
		{1, false, true}, // has no name
		{2, false, true},
		{2, false, false},
		{hidden, false, false},
		{hidden, false, true},
		{hidden, false, true}, // may be another thread that was turned away
		{hidden, true, true},
		{hidden, false, false},
	}
	var v Visitors
	for i, s := range steps {
		if got := v.Admit(s.tid, s.present); got != s.want {
			t.Errorf("step %d: thread %d, present %v: %v, want %v", i, s.tid, s.present, got, s.want)
		}
	}
	for tid := uint32(10); tid < 10+2*maxVisitors; tid++ {
		v.Admit(tid, false)
	}
	if got := len(v.turned); got > maxVisitors {
		t.Errorf("%d threads are remembered, want %d at most", got, maxVisitors)
	}
}

// TestGenerations never gives two states of an asset the same number.
func TestGenerations(t *testing.T) {
	seen := map[uint64]State{}
	s := State{}
	for i := range 20 {
		// Version and retired grow in turns, and both are seen in each state.
		if i%3 == 0 {
			s.Version++
		} else {
			s.Retired++
		}
		for _, sized := range []bool{false, true} {
			for _, whole := range []bool{false, sized} {
				s.Sized, s.Whole = sized, whole
				got := s.Generation()
				same := s
				if !whole {
					same.Retired = 0 // what is partly present is never retired
				}
				if other, ok := seen[got]; ok && other != same {
					t.Errorf("%+v and %+v are both generation %d", other, same, got)
				}
				seen[got] = same
			}
		}
	}
}
