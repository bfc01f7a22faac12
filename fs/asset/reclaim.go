package asset

import (
	"cmp"
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
	// Distance is how far the bytes that room is made for are ahead of their asset's readers; if
	// unknown, more than any asset is long.
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
func Reclaim(h Holdings, need int64) (actions []Action) {
	if need <= 0 || h.Round > roundsMost {
		return nil
	}
	closed, all, behind, ahead := h.candidates()
	if all+sum(behind)+sum(ahead) < need {
		return nil
	}
	freed := int64(0)
	for goal := max(need, h.atLeast(64)); len(closed) > 0 && freed < goal; closed = closed[1:] {
		c := Action{Asset: closed[0].asset, Bytes: h.Assets[closed[0].asset].Bytes}
		freed += c.Bytes
		actions = append(actions, c)
	}
	take := func(candidates []Action, goal int64, last bool) {
		for i := 0; freed < need && i < len(candidates); i++ {
			c := candidates[i]
			excess := freed + c.Bytes - max(need, goal)
			c.trim(excess-excess%h.Block, last)
			freed += c.Bytes
			actions = append(actions, c)
		}
	}
	take(behind, h.atLeast(8), false)
	take(ahead, h.atLeast(64), true)
	return actions
}

// atLeast returns how much is dropped at a time if there is a choice.
func (h *Holdings) atLeast(part int64) int64 {
	if h.Size == 0 {
		return enough
	}
	return min(enough, h.Size/part)
}

// unused is an asset that nobody uses.
type unused struct {
	since int64 // microseconds since 1970
	asset int
}

// candidates returns what may be dropped: closed assets, which hold all bytes together, and parts of
// open ones, in the order in which they are dropped.
func (h *Holdings) candidates() (closed []unused, all int64, behind, ahead []Action) {
	closed = make([]unused, 0, len(h.Assets))
	for i := range h.Assets {
		a := &h.Assets[i]
		switch {
		case a.Pinned, a.Bytes == 0, a.Closed && a.Own:
		case a.Closed:
			closed = append(closed, unused{a.LastUse.UnixMicro(), i})
			all += a.Bytes
		default:
			behind = a.part(behind, i, ranges.Range{End: a.Span.Start}, h.Block)
			if !a.Span.Empty() {
				ahead = a.part(ahead, i, ranges.Range{Start: a.Span.End + h.Distance, End: maxSize}, h.Block)
			}
		}
	}
	slices.SortFunc(closed, func(a, b unused) int { return cmp.Or(cmp.Compare(a.since, b.since), a.asset-b.asset) })
	slices.SortStableFunc(behind, func(a, b Action) int { return cmp.Compare(b.Bytes, a.Bytes) })
	slices.SortStableFunc(ahead, func(a, b Action) int { return cmp.Compare(h.furthest(b), h.furthest(a)) })
	return closed, all, behind, ahead
}

// part adds to list what of a, the asset with number i, may be dropped within r, in whole blocks.
func (a *Holding) part(list []Action, i int, r ranges.Range, block int64) []Action {
	c := Action{Asset: i}
	for _, s := range a.Spare {
		if s = s.Intersect(r).Inner(block); !s.Empty() {
			c.Ranges = append(c.Ranges, s)
			c.Bytes += s.Len()
		}
	}
	if c.Bytes == 0 {
		return list
	}
	return append(list, c)
}

// furthest returns how far the last byte of c is ahead of its readers.
func (h *Holdings) furthest(c Action) int64 {
	return c.Ranges[len(c.Ranges)-1].End - h.Assets[c.Asset].Span.End
}

// trim lets n bytes of an open asset stay: the first of c, or the last.
func (c *Action) trim(n int64, first bool) {
	for n > 0 && len(c.Ranges) > 0 {
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
