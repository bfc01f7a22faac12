package asset

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// Holdings are what a store holds, as [Reclaim] sees it.
type Holdings struct {
	Assets []Holding
	Size   int64 // bytes that the store is to keep within, 0: no limit
	Block  int64 // in which room is given back
	Round  int   // of making room for the same write, from 1 on
	// Distance is how far ahead of the readers of its asset the bytes are that
	// room is made for; -1 if that is unknown.
	Distance int64
}

// A Holding is what an asset holds. Those that hold nothing may be left out.
type Holding struct {
	LastUse time.Time
	Bytes   int64        // that it takes
	Closed  bool         // nobody has it open, or writes to it
	Pinned  bool         // it never goes
	Own     bool         // room is made for a write to it
	Span    ranges.Range // of its readers, with some slack; empty at 0: unknown
	// Spare are the whole blocks of an asset that is open in part, in order,
	// where nobody writes. Of a whole one there are none: the kernel may be
	// reading its blob.
	Spare []ranges.Range
}

// An Action gives back what Holdings.Assets[Asset] holds: all of it, or Ranges, in
// order.
type Action struct {
	Asset  int
	Ranges []ranges.Range // none: the asset as a whole
	Bytes  int64          // that this frees
}

const (
	// roundsMost bounds how often room is made for one write.
	roundsMost = 2
	// enough is what is freed at a time if there is a choice, so that room is not
	// made anew for each write: some seconds of a fast download, or a part of the
	// store.
	enough = 64 << 20
)

// Reclaim decides what goes when need bytes more are wanted than there is room
// for. It returns none where nothing should go: then the write fails, and nothing
// else. The rules:
//
//  1. A pinned asset keeps all that it has, and so does the one that is written
//     to, but for ranges while it is open.
//  2. Assets that nobody uses go first, as wholes, the least recently used
//     before others.
//  3. Then goes what lies behind all readers of an open asset: of that with most
//     of it first, from its beginning on.
//  4. Then goes what lies ahead of all readers of an open asset, the furthest
//     first: it is longest until somebody may come there.
//  5. Nothing of that goes that is nearer to its readers than what is written is
//     to its own. So two streams never take turns in dropping what the other has
//     just paid for.
//  6. What lies among the readers of an asset never goes, nor what is being
//     written, nor anything of an open asset that is whole.
//  7. If all that may go is not enough, nothing does: what is paid for is not
//     dropped in vain.
//  8. Room is made twice for one write at most. A disk that is still full then is
//     filled by somebody else, and all of the store would not help.
//  9. At least the smaller of 64 MiB and 1 % of the store goes at a time where
//     there is as much of the same kind, so that this is done rarely.
func Reclaim(h Holdings, need int64) []Action {
	if need <= 0 || h.Round > roundsMost {
		return nil
	}
	r := reclaimer{Holdings: h}
	closed, behind, ahead := r.candidates()
	if closed.bytes+sum(behind)+sum(ahead) < need {
		return nil
	}
	heap.Init(&closed)
	for goal := max(need, h.atLeast(64)); r.freed < goal && closed.Len() > 0; {
		i := heap.Pop(&closed).(unused).asset
		r.freed += h.Assets[i].Bytes
		r.actions = append(r.actions, Action{Asset: i, Bytes: h.Assets[i].Bytes})
	}
	r.take(behind, need, h.atLeast(8), false)
	r.take(ahead, need, h.atLeast(64), true)
	return r.actions
}

// atLeast is what goes at a time if there is a choice.
func (h *Holdings) atLeast(part int64) int64 {
	if h.Size == 0 {
		return enough
	}
	return min(enough, h.Size/part)
}

type reclaimer struct {
	Holdings
	actions []Action
	freed   int64
}

// unused is an asset that nobody uses.
type unused struct {
	since int64 // microseconds since 1970
	asset int
}

// byUse is a heap of those, the least recently used at its top: of a hundred
// thousand few go at a time, and those that stay need not be sorted.
type byUse struct {
	unused []unused
	bytes  int64 // that all of them hold
}

func (b *byUse) Len() int      { return len(b.unused) }
func (b *byUse) Swap(i, j int) { b.unused[i], b.unused[j] = b.unused[j], b.unused[i] }
func (b *byUse) Push(x any)    { b.unused = append(b.unused, x.(unused)) }

func (b *byUse) Less(i, j int) bool {
	x, y := b.unused[i], b.unused[j]
	return cmp.Or(cmp.Compare(x.since, y.since), cmp.Compare(x.asset, y.asset)) < 0
}

func (b *byUse) Pop() any {
	last := len(b.unused) - 1
	x := b.unused[last]
	b.unused = b.unused[:last]
	return x
}

// candidates returns all that may go: as wholes, and of open assets in the order in
// which it goes.
func (r *reclaimer) candidates() (closed byUse, behind, ahead []Action) {
	for i := range r.Assets {
		a := &r.Assets[i]
		switch {
		case a.Pinned, a.Bytes == 0:
		case a.Closed && !a.Own:
			closed.Push(unused{a.LastUse.UnixMicro(), i})
			closed.bytes += a.Bytes
		case !a.Closed:
			before := ranges.Range{End: a.Span.Start}
			if c := a.part(i, before, r.Block); c.Bytes > 0 {
				behind = append(behind, c)
			}
			if r.Distance < 0 || a.Span.Empty() {
				break
			}
			if c := a.part(i, ranges.Range{Start: a.Span.End + r.Distance, End: maxSize}, r.Block); c.Bytes > 0 {
				ahead = append(ahead, c)
			}
		}
	}
	slices.SortStableFunc(behind, func(a, b Action) int { return cmp.Compare(b.Bytes, a.Bytes) })
	slices.SortStableFunc(ahead, func(a, b Action) int { return cmp.Compare(r.furthest(b), r.furthest(a)) })
	return closed, behind, ahead
}

// part is what may go of a within r, in whole blocks.
func (a *Holding) part(i int, r ranges.Range, block int64) Action {
	c := Action{Asset: i}
	for _, s := range a.Spare {
		s = s.Intersect(r)
		s = ranges.Range{Start: (s.Start + block - 1) / block * block, End: s.End / block * block}
		if !s.Empty() {
			c.Ranges = append(c.Ranges, s)
			c.Bytes += s.Len()
		}
	}
	return c
}

// furthest is how far ahead of its readers the last of c is.
func (r *reclaimer) furthest(c Action) int64 {
	return c.Ranges[len(c.Ranges)-1].End - r.Assets[c.Asset].Span.End
}

// take lets parts of open assets go until need is met, and of the last one as much as
// goal asks for, in whole blocks: the first of what lies behind readers, the last of what
// lies ahead.
func (r *reclaimer) take(candidates []Action, need, goal int64, ahead bool) {
	goal = max(need, goal)
	for _, c := range candidates {
		if r.freed >= need {
			return
		}
		left := (goal - r.freed + r.Block - 1) / r.Block * r.Block
		c.trim(c.Bytes-left, ahead)
		r.freed += c.Bytes
		r.actions = append(r.actions, c)
	}
}

// trim leaves n bytes less of c: the first, or the last.
func (c *Action) trim(n int64, first bool) {
	for n > 0 {
		i := len(c.Ranges) - 1
		if first {
			i = 0
		}
		r := &c.Ranges[i]
		k := min(n, r.Len())
		if first {
			r.Start += k
		} else {
			r.End -= k
		}
		if r.Empty() {
			c.Ranges = slices.Delete(c.Ranges, i, i+1)
		}
		n, c.Bytes = n-k, c.Bytes-k
	}
}

func sum(actions []Action) (n int64) {
	for _, a := range actions {
		n += a.Bytes
	}
	return n
}
