package ranges

import (
	"math/rand/v2"
	"testing"
)

const size = 64

// model drives a Set and a bitmap with the same operations, of three bytes each.
func model(t *testing.T, ops []byte) {
	t.Helper()
	var s Set
	var want [size]bool
	for ; len(ops) >= 3; ops = ops[3:] {
		r := Range{int64(ops[1]) % (size + 1), int64(ops[2]) % (size + 1)}
		add := ops[0]%3 > 0
		if add {
			s.Add(r)
		} else {
			s.Remove(r)
		}
		for i := r.Start; i < r.End; i++ {
			want[i] = add
		}
		check(t, &s, want[:])
	}
}

func TestSetModel(t *testing.T) {
	for seed := range uint64(500) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		ops := make([]byte, 180)
		for i := range ops {
			ops[i] = byte(rnd.Uint32())
		}
		if model(t, ops); t.Failed() {
			t.Fatalf("operations %v", ops)
		}
	}
}

func FuzzSet(f *testing.F) {
	f.Add([]byte{1, 3, 9, 0, 4, 5, 1, 9, 12})
	f.Fuzz(func(t *testing.T, ops []byte) { model(t, ops[:min(len(ops), 300)]) })
}

func check(t *testing.T, s *Set, want []bool) {
	t.Helper()
	var n int64
	for i, w := range want {
		off := int64(i)
		if got := s.Contains(Range{off, off + 1}); got != w {
			t.Errorf("Contains(%d) = %v, want %v", i, got, w)
		}
		if w {
			n++
		}
		end := off
		for end < size && want[end] {
			end++
		}
		if got := s.RunEnd(off); got != end {
			t.Errorf("RunEnd(%d) = %d, want %d", i, got, end)
		}
		gap := Range{end, end}
		for gap.End < size && !want[gap.End] {
			gap.End++
		}
		if got := s.Gap(Range{off, size}); got != gap {
			t.Errorf("Gap(%d) = %v, want %v", i, got, gap)
		}
	}
	if s.Len() != n {
		t.Errorf("Len = %d, want %d", s.Len(), n)
	}
	var sum int64
	last := int64(-1)
	for _, r := range s.Ranges() {
		if r.Start <= last || r.Empty() {
			t.Errorf("%v is not canonical", s.Ranges())
		}
		last, sum = r.End, sum+r.Len()
	}
	if sum != n {
		t.Errorf("ranges hold %d, want %d", sum, n)
	}
	sum = 0
	for _, r := range s.Within(Range{size / 4, size / 2}) {
		if sum += r.Len(); r.Empty() {
			t.Errorf("Within holds an empty range %v", r)
		}
	}
	if got, all := s.Gap(Range{size / 4, size / 2}), sum == size/4; got.Empty() != all || all && got.End != size/2 {
		t.Errorf("Gap = %v where %d of %d are present", got, sum, size/4)
	}
	n = 0
	for _, w := range want[size/4 : size/2] {
		if w {
			n++
		}
	}
	if sum != n {
		t.Errorf("Within holds %d, want %d", sum, n)
	}
}

func TestGapOfEmptySet(t *testing.T) {
	var s Set
	if got, want := s.Gap(Range{5, 9}), (Range{5, 9}); got != want {
		t.Errorf("Gap = %v, want %v", got, want)
	}
	s = Of(Range{0, 3})
	s.Clear()
	check(t, &s, make([]bool, size))
	s = Of(Range{0, 5}, Range{5, 9})
	if got := s.Gap(Range{2, 9}); !got.Empty() {
		t.Errorf("Gap = %v, want empty", got)
	}
	if got, want := s.Next(1).Start, int64(1<<63-1); got != want {
		t.Errorf("Next = %d, want %d", got, want)
	}
}

func TestRangeContains(t *testing.T) {
	r := Range{3, 9}
	for o, want := range map[Range]bool{{3, 9}: true, {4, 8}: true, {2, 4}: false, {8, 10}: false, {2, 10}: false, {9, 10}: false, {20, 20}: true} {
		if r.Contains(o) != want {
			t.Errorf("%v contains %v: %t", r, o, !want)
		}
	}
}

func TestUnits(t *testing.T) {
	for _, c := range []struct{ r, outer, inner Range }{
		{Range{0, 8}, Range{0, 8}, Range{0, 8}},
		{Range{1, 8}, Range{0, 8}, Range{4, 8}},
		{Range{3, 9}, Range{0, 12}, Range{4, 8}},
		{Range{5, 7}, Range{4, 8}, Range{8, 4}},
		{Range{}, Range{}, Range{}},
	} {
		if outer, inner := c.r.Outer(4), c.r.Inner(4); outer != c.outer || inner != c.inner {
			t.Errorf("%v: outer %v, inner %v; want %v, %v", c.r, outer, inner, c.outer, c.inner)
		}
	}
}
