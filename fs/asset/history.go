package asset

import (
	"slices"
	"sort"

	"assetfs/fs/ranges"
)

const (
	// near is how far apart reads may be and still count as one sequence: demuxers and file
	// systems skip what they don't need.
	near = 64 << 10
	// mostSteps is how many ranges are examined for evidence.
	mostSteps = 64
	// mostRanges limits the memory that a history takes.
	mostRanges = 4096
)

// history is what has been read of an asset, as evidence for what will be read. It records places,
// not handles: a program may read one sequence through several handles, and a loop device reads
// many through one. The zero value is empty.
type history struct {
	read   ranges.Set
	bytes  int64      // read, each counted once
	merged ranges.Set // what was read, each run longer by mostGap, so that those near join

	received  int64           // bytes, since it began
	lengths   [habitual]int64 // of the latest sequences, a ring
	sequences int             // that there have been
}

const (
	// habitual is how many sequences it takes to see a habit.
	habitual = 4
	// mostHabit is the longest sequence, in bytes, for which the end of a request matters. For
	// longer ones, a little too much hardly counts.
	mostHabit = 4 << 20
)

// sequence records that a stream has ended of which n bytes were read.
func (h *history) sequence(n int64) {
	if n > 0 {
		h.lengths[h.sequences%habitual] = n
		h.sequences++
	}
}

// habit returns how long the latest sequences were, including those of paused streams, without the
// longest fifth; 0 if there were too few, or if they are long.
func (h *history) habit(streams []*stream) int64 {
	var room [habitual + mostStreams]int64
	lengths := append(room[:0], h.lengths[:min(h.sequences, habitual)]...)
	for _, s := range streams {
		if s.state.Paused && s.state.Delivered > 0 && len(lengths) < len(room) {
			lengths = append(lengths, s.state.Delivered)
		}
	}
	if len(lengths) < habitual {
		return 0
	}
	slices.Sort(lengths)
	if usual := lengths[len(lengths)-1-len(lengths)/5]; usual <= mostHabit {
		return usual
	}
	return 0
}

// bill returns what the bytes read so far would have cost a client that knew all reads beforehand:
// it would read over gaps of at most mostGap, and a request costs at least a block.
func (h *history) bill() int64 {
	return h.merged.Len() - int64(len(h.merged.Ranges()))*(mostGap-block)
}

// joined is what was read, with gaps of at most mostGap.
func (h *history) joined() int64 {
	return h.merged.Len() - int64(len(h.merged.Ranges()))*mostGap
}

// short returns how many of the latest sequences, including those of paused streams, were no longer
// than what any request brings. Reads of the asset's beginning are not counted.
func (h *history) short(streams []*stream) (n int) {
	for _, length := range h.lengths[:min(h.sequences, habitual)] {
		if length <= block {
			n++
		}
	}
	for _, s := range streams {
		if s.state.Start > 0 && s.state.Paused && 0 < s.state.Delivered && s.state.Delivered <= block {
			n++
		}
	}
	return n
}

// cluster returns r together with all that was read around it, without a gap above mostGap.
func (h *history) cluster(r ranges.Range) ranges.Range {
	rs := h.merged.Ranges()
	i := sort.Search(len(rs), func(i int) bool { return rs[i].End >= r.Start })
	for ; i < len(rs) && rs[i].Start <= r.End+mostGap; i++ {
		r = ranges.Range{Start: min(r.Start, rs[i].Start), End: max(r.End, rs[i].End-mostGap)}
	}
	return r
}

// span returns the average length of the cluster that a byte read lies in.
func (h *history) span() int64 {
	var sum, squares float64
	for _, r := range h.merged.Ranges() {
		n := float64(max(r.Len()-mostGap, block))
		sum += n
		squares += n * n
	}
	return int64(squares / max(sum, 1))
}

// skipped returns how much was left out between reads that are close together.
func (h *history) skipped() int64 {
	return max(0, h.joined()-h.read.Len())
}

// add records a read of r.
func (h *history) add(r ranges.Range) {
	if h.read.Contains(r) {
		return
	}
	was := h.read.Len()
	h.read.Add(r)
	h.merged.Add(ranges.Range{Start: r.Start, End: r.End + mostGap})
	h.bytes += h.read.Len() - was
	if len(h.read.Ranges()) > max(mostRanges, 2*len(h.merged.Ranges())) {
		h.coarsen()
	}
}

// coarsen treats gaps of at most mostGap as read, but doesn't count their bytes.
func (h *history) coarsen() {
	h.read.Clear()
	for _, r := range h.merged.Ranges() {
		h.read.Add(ranges.Range{Start: r.Start, End: r.End - mostGap})
	}
}

// before returns how many bytes were read in sequence up to off, at most most.
func (h *history) before(off, most int64) int64 {
	n, _ := h.back(off, most, near)
	return n
}

// back looks at what was read before off without a gap above gap: n bytes, at most most, from start
// on. If there is nothing, start is off.
func (h *history) back(off, most, gap int64) (n, start int64) {
	rs := h.read.Ranges()
	i := sort.Search(len(rs), func(i int) bool { return rs[i].End > off })
	start = off
	if i < len(rs) && rs[i].Start < off {
		n, start = off-rs[i].Start, rs[i].Start
	}
	for steps := 0; steps < mostSteps && i > 0 && n < most && start-rs[i-1].End <= gap; steps++ {
		i--
		n, start = n+rs[i].Len(), rs[i].Start
	}
	return min(n, most), start
}

// after returns how many bytes were read in sequence from off, at most most.
func (h *history) after(off, most int64) (n int64) {
	rs := h.read.Ranges()
	i := sort.Search(len(rs), func(i int) bool { return rs[i].End > off })
	end := off
	for steps := 0; steps < mostSteps && i < len(rs) && n < most && rs[i].Start-end <= near; steps++ {
		n += rs[i].End - max(rs[i].Start, off)
		end = rs[i].End
		i++
	}
	return min(n, most)
}

// within reports whether anything of r has been read.
func (h *history) within(r ranges.Range) bool {
	return h.read.Gap(r) != r
}
