package asset

import (
	"cmp"
	"container/heap"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// Holdings say what a store holds; they are the input of [Reclaim].
type Holdings struct {
	Assets []Holding
	Size   int64 // bytes that the store is to keep within, 0: no limit
	Block  int64 // in which room is given back
	Round  int   // of making room for the same write, from 1 on
	// Distance is how far the bytes that room is made for are ahead of their asset's readers; -1 if
	// unknown.
	Distance int64
}

// A Holding says what one asset holds. Assets that hold nothing may be left out.
type Holding struct {
	LastUse time.Time
	Bytes   int64        // that it takes
	Closed  bool         // nobody has it open, or writes to it
	Pinned  bool         // it never goes
	Own     bool         // room is made for a write to it
	Span    ranges.Range // of its readers, with some slack; empty at 0: unknown
	// Spare are whole blocks, in order, that may be dropped of an asset which is open and not whole,
	// because nobody writes there. A whole open asset has none: the kernel may be reading its blob.
	Spare []ranges.Range
}

// An Action drops Holdings.Assets[Asset]: all of it, or only Ranges, in order.
type Action struct {
	Asset  int
	Ranges []ranges.Range // none: the asset as a whole
	Bytes  int64          // that this frees
}

const (
	// roundsMost is how often room may be made for one write.
	roundsMost = 2
	// enough is how much is dropped at a time if there is a choice, so that it need not be done for
	// each write: some seconds of a fast download, or less in a small store.
	enough = 64 << 20
)

// Reclaim decides what to drop when need more bytes are wanted than there is room for. If nothing
// should be dropped it returns no action, and the write fails. The rules:
//
//  1. A pinned asset keeps everything. So does the asset that is written to, except for ranges while
//     it is open.
//  2. Assets that nobody uses are dropped first, as a whole, the least recently used first.
//  3. Next are bytes of an open asset that lie before all its readers, from the beginning on. The
//     asset with most of such bytes is first.
//  4. Next are bytes of an open asset that lie after all its readers, the furthest first, since it
//     takes longest until they are read.
//  5. By rules 3 and 4 nothing is dropped that is nearer to its readers than the written bytes are to
//     theirs. So two streams never take turns in dropping what the other has just paid for.
//  6. Bytes between the readers of an asset are never dropped, nor bytes that are being written, nor
//     bytes of a whole open asset.
//  7. If all of this is not enough nothing is dropped, since that would be for nothing.
//  8. Room is made at most twice for one write. If the disk is still full, somebody else fills it,
//     and dropping the whole store would not help.
//  9. At least the smaller of 64 MiB and 1 % of the store is dropped at a time, if there is as much
//     of the same kind, so that this happens rarely.
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

// atLeast returns how much is dropped at a time if there is a choice.
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

// byUse is a heap of unused assets with the least recently used at its top: few of perhaps a hundred
// thousand are dropped at a time, and the others need not be sorted.
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

// candidates returns all that may be dropped: closed assets as a whole, and parts of open ones in
// the order in which they are dropped.
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

// part returns what of a may be dropped within r, in whole blocks.
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

// furthest returns how far the last byte of c is ahead of its readers.
func (r *reclaimer) furthest(c Action) int64 {
	return c.Ranges[len(c.Ranges)-1].End - r.Assets[c.Asset].Span.End
}

// take drops parts of open assets until need is met. Of the last one it drops as much as goal asks
// for, in whole blocks: the first of what lies before readers, or the last of what lies after them.
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

// trim removes n bytes from c: the first, or the last.
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
