package asset

import (
	"math"
	"slices"
	"sort"
	"time"

	"assetfs/fs/ranges"
)

// outlay is what a trace cost.
type outlay struct {
	requests int
	bytes    int64 // received
	twice    int64 // of them, received before
	waited   time.Duration
	streams  int // at once
}

// optimum returns the cost for a client that knows the whole trace. Reads are merged into one request if
// the gap between them is at most 1 MiB and comes sooner than a request is worth. Each request costs at
// least a block, and is made when the first of its reads is due: nothing is fetched before that.
func optimum(t *trace, l simLink) outlay {
	merged := mergeReads(t, l)
	var out outlay
	out.requests, out.bytes = len(merged), optimumBytes(merged, t.size)
	out.waited = optimumWait(t, l, merged)
	return out
}

// optimumBytes returns what requests for merged cost, for an asset of that size.
func optimumBytes(merged []ranges.Range, size int64) (n int64) {
	for _, r := range merged {
		n += min(max(r.Len(), block), size)
	}
	return n
}

func mergeReads(t *trace, l simLink) []ranges.Range {
	distinct := t.distinct()
	return mergeRanges(distinct.Ranges(), l)
}

func mergeRanges(rs []ranges.Range, l simLink) []ranges.Range {
	if !l.ranged {
		return []ranges.Range{{Start: 0, End: rs[len(rs)-1].End}}
	}
	gap := min(minAhead, int64(l.worth().Seconds()*float64(l.speed)))
	var merged []ranges.Range
	for _, r := range rs {
		if n := len(merged); n > 0 && r.Start-merged[n-1].End <= gap {
			merged[n-1].End = r.End
		} else {
			merged = append(merged, r)
		}
	}
	return merged
}

// optimumWait replays the trace against those requests and adds up how long its
// readers wait.
func optimumWait(t *trace, l simLink, merged []ranges.Range) time.Duration {
	var (
		waited time.Duration
		times  []time.Duration
		begun  = make([]time.Duration, len(merged)) // when the first byte comes; 0 not asked for
		next   = make([]int, len(t.readers))
		due    = make([]time.Duration, len(t.readers))
	)
	causes := map[cause][]int{}
	for i, reads := range t.readers {
		due[i] = reads[0].think
		if c, ok := t.after[i]; ok {
			due[i] = math.MaxInt64
			causes[c] = append(causes[c], i)
		}
	}
	for {
		first := -1
		for i := range due {
			if next[i] < len(t.readers[i]) && (first < 0 || due[i] < due[first]) {
				first = i
			}
		}
		if first < 0 {
			return waited
		}
		now, read := due[first], t.readers[first][next[first]]
		done := now
		if !read.Empty() {
			i := sort.Search(len(merged), func(i int) bool { return merged[i].End > read.Start })
			if begun[i] == 0 {
				at := l.limit.next(times, now)
				times = append(times, at)
				slices.Sort(times)
				begun[i] = at + l.latency
			}
			done = max(now, begun[i]+time.Duration(float64(read.End-merged[i].Start)/float64(l.speed)*float64(time.Second)))
		}
		waited += done - now
		for _, i := range causes[cause{first, next[first]}] {
			due[i] = done + t.readers[i][0].think
		}
		if next[first]++; next[first] < len(t.readers[first]) {
			due[first] = done + t.readers[first][next[first]].think
		}
	}
}

// lengthIn returns how much of r is in s.
func lengthIn(s *ranges.Set, r ranges.Range) (n int64) {
	for _, run := range s.Within(r) {
		n += run.Len()
	}
	return n
}
