// Package ranges keeps sets of byte ranges.
package ranges

import (
	"fmt"
	"slices"
	"sort"
)

// A Range is the half-open interval [Start, End) of byte offsets.
type Range struct{ Start, End int64 }

// Len returns the number of bytes in r; never negative.
func (r Range) Len() int64 { return max(0, r.End-r.Start) }

// Empty reports whether r holds no byte.
func (r Range) Empty() bool { return r.End <= r.Start }

// Intersect returns what r and o have in common; it may be empty.
func (r Range) Intersect(o Range) Range {
	return Range{max(r.Start, o.Start), min(r.End, o.End)}
}

// Contains reports whether every byte of o is in r.
func (r Range) Contains(o Range) bool {
	return o.Empty() || r.Start <= o.Start && o.End <= r.End
}

// First returns the first n bytes of r, or as many as there are.
func (r Range) First(n int64) Range { return Range{r.Start, min(r.End, r.Start+n)} }

// Outer returns r extended to whole units.
func (r Range) Outer(unit int64) Range {
	return Range{r.Start / unit * unit, (r.End + unit - 1) / unit * unit}
}

// Inner returns the whole units in r; it may be empty.
func (r Range) Inner(unit int64) Range {
	return Range{(r.Start + unit - 1) / unit * unit, r.End / unit * unit}
}

func (r Range) String() string { return fmt.Sprintf("[%d,%d)", r.Start, r.End) }

// A Set is a set of bytes, kept as sorted ranges that neither overlap nor
// touch. The zero Set is empty. A Set is not safe for concurrent use.
type Set struct {
	rs    []Range
	bytes int64
}

// Of returns the set of the bytes in rs.
func Of(rs ...Range) Set {
	var s Set
	for _, r := range rs {
		s.Add(r)
	}
	return s
}

// after returns the index of the first range that ends after off.
func (s *Set) after(off int64) int {
	return sort.Search(len(s.rs), func(i int) bool { return s.rs[i].End > off })
}

// Add adds the bytes of r.
func (s *Set) Add(r Range) {
	if r.Empty() {
		return
	}
	i := s.after(r.Start - 1) // one that ends there is extended
	j := i
	for ; j < len(s.rs) && s.rs[j].Start <= r.End; j++ {
		r.Start = min(r.Start, s.rs[j].Start)
		r.End = max(r.End, s.rs[j].End)
		s.bytes -= s.rs[j].Len()
	}
	s.bytes += r.Len()
	s.rs = slices.Replace(s.rs, i, j, r)
}

// Remove removes the bytes of r.
func (s *Set) Remove(r Range) {
	if r.Empty() {
		return
	}
	i := s.after(r.Start)
	j := i
	var keep []Range
	for ; j < len(s.rs) && s.rs[j].Start < r.End; j++ {
		s.bytes -= s.rs[j].Intersect(r).Len()
		for _, rest := range []Range{{s.rs[j].Start, r.Start}, {r.End, s.rs[j].End}} {
			if !rest.Empty() {
				keep = append(keep, rest)
			}
		}
	}
	s.rs = slices.Replace(s.rs, i, j, keep...)
}

// Clear removes everything.
func (s *Set) Clear() { s.rs, s.bytes = nil, 0 }

// Contains reports whether every byte of r is in s. An empty r always is.
func (s *Set) Contains(r Range) bool { return s.RunEnd(r.Start) >= r.End }

// RunEnd returns the end of the run of present bytes that contains off, or off itself if that byte is
// absent.
func (s *Set) RunEnd(off int64) int64 {
	i := s.after(off)
	if i < len(s.rs) && s.rs[i].Start <= off {
		return s.rs[i].End
	}
	return off
}

// Gap returns the first run of absent bytes in within; if there is none, an empty range at within.End.
func (s *Set) Gap(within Range) Range {
	start := min(s.RunEnd(within.Start), within.End)
	return Range{start, min(within.End, s.Next(start).Start)}
}

// Next returns the first run of present bytes that begins at or after off; if there is none, an empty
// range at the largest possible offset.
func (s *Set) Next(off int64) Range {
	i := sort.Search(len(s.rs), func(i int) bool { return s.rs[i].Start >= off })
	if i == len(s.rs) {
		return Range{1<<63 - 1, 1<<63 - 1}
	}
	return s.rs[i]
}

// Within returns the runs of present bytes inside r, cut to it.
func (s *Set) Within(r Range) []Range {
	var out []Range
	for i := s.after(r.Start); i < len(s.rs) && s.rs[i].Start < r.End; i++ {
		out = append(out, s.rs[i].Intersect(r))
	}
	return out
}

// Len returns the number of bytes in s.
func (s *Set) Len() int64 { return s.bytes }

// Ranges returns the ranges of s in order. They are valid until s changes. The caller must not change
// them.
func (s *Set) Ranges() []Range { return s.rs }

// Clone returns a copy that shares nothing with s.
func (s *Set) Clone() Set { return Set{slices.Clone(s.rs), s.bytes} }
