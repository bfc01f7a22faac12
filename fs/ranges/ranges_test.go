package ranges

import (
	"math/rand/v2"
	"testing"
)

// TestSetModel drives a Set and a bitmap with the same random operations.
func TestSetModel(t *testing.T) {
	const size = 64
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var s Set
		var want [size]bool
		for range 60 {
			a, b := rnd.Int64N(size+1), rnd.Int64N(size+1)
			r := Range{a, b}
			add := rnd.IntN(3) > 0
			if add {
				s.Add(r)
			} else {
				s.Remove(r)
			}
			for i := a; i < b; i++ {
				want[i] = add
			}
			check(t, seed, &s, want[:])
			if t.Failed() {
				return
			}
		}
	}
}

func check(t *testing.T, seed uint64, s *Set, want []bool) {
	t.Helper()
	size := int64(len(want))
	var n int64
	for i, w := range want {
		off := int64(i)
		if got := s.Contains(Range{off, off + 1}); got != w {
			t.Errorf("seed %d: Contains(%d) = %v, want %v", seed, i, got, w)
		}
		if w {
			n++
		}
		end := off
		for end < size && want[end] {
			end++
		}
		if got := s.RunEnd(off); got != end {
			t.Errorf("seed %d: RunEnd(%d) = %d, want %d", seed, i, got, end)
		}
		gap := Range{end, end}
		for gap.End < size && !want[gap.End] {
			gap.End++
		}
		if got := s.Gap(Range{off, size}); got != gap {
			t.Errorf("seed %d: Gap(%d) = %v, want %v", seed, i, got, gap)
		}
	}
	if s.Len() != n {
		t.Errorf("seed %d: Len = %d, want %d", seed, s.Len(), n)
	}
	var sum int64
	last := int64(-1)
	for _, r := range s.Ranges() {
		if r.Start <= last || r.Empty() {
			t.Errorf("seed %d: %v is not canonical", seed, s.Ranges())
		}
		last, sum = r.End, sum+r.Len()
	}
	if sum != n {
		t.Errorf("seed %d: ranges hold %d, want %d", seed, sum, n)
	}
	sum = 0
	for _, r := range s.Within(Range{size / 4, size / 2}) {
		sum += r.Len()
	}
	n = 0
	for _, w := range want[size/4 : size/2] {
		if w {
			n++
		}
	}
	if sum != n {
		t.Errorf("seed %d: Within holds %d, want %d", seed, sum, n)
	}
}

func TestGapOfEmptySet(t *testing.T) {
	var s Set
	if got, want := s.Gap(Range{5, 9}), (Range{5, 9}); got != want {
		t.Errorf("Gap = %v, want %v", got, want)
	}
	s = Of(Range{0, 5}, Range{5, 9})
	if got := s.Gap(Range{2, 9}); !got.Empty() {
		t.Errorf("Gap = %v, want empty", got)
	}
	if got, want := s.Next(1).Start, int64(1<<63-1); got != want {
		t.Errorf("Next = %d, want %d", got, want)
	}
}
