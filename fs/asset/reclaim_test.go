package asset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

// closed returns an asset that nobody uses, last used so many seconds ago.
func closed(bytes, ago int64) Holding {
	return Holding{Closed: true, Bytes: bytes, LastUse: time.Unix(1e9-ago, 0)}
}

// opened returns an asset that is open and not whole, with readers within span.
func opened(span ranges.Range, spare ...ranges.Range) Holding {
	return Holding{Bytes: total(spare), Span: span, Spare: spare}
}

func own(h Holding) Holding    { h.Own = true; return h }
func pinned(h Holding) Holding { h.Pinned = true; return h }

func TestReclaim(t *testing.T) {
	const far = maxSize
	for name, c := range map[string]struct {
		assets   []Holding
		size     int64
		round    int
		distance int64
		need     int64
		want     string // asset:all or asset:range, in order
	}{
		"nothing needed":                   {assets: []Holding{closed(mib, 1)}, need: 0},
		"1: pinned, closed":                {assets: []Holding{pinned(closed(mib, 1))}, need: 1},
		"1: pinned, open":                  {assets: []Holding{pinned(opened(span(mib, 2*mib), span(0, mib)))}, need: 1, distance: far},
		"1: the one written to, closed":    {assets: []Holding{own(closed(mib, 1))}, need: 1},
		"1: the one written to, open":      {assets: []Holding{own(opened(span(mib, 2*mib), span(0, mib)))}, need: 4096, size: 80 * 4096, distance: far, want: "0:[0,40960)"},
		"2: the least recently used":       {assets: []Holding{closed(mib, 1), closed(mib, 3), closed(mib, 2)}, size: 10 * mib, need: mib, want: "1:all"},
		"2: as many as it takes":           {assets: []Holding{closed(mib, 1), closed(mib, 3), closed(mib, 2)}, size: 10 * mib, need: mib + 1, want: "1:all 2:all"},
		"2: before what lies behind":       {assets: []Holding{opened(span(mib, 2*mib), span(0, mib)), closed(mib, 1)}, size: mib, need: mib, want: "1:all"},
		"2: those that hold nothing stay":  {assets: []Holding{closed(0, 9), closed(mib, 1)}, size: mib, need: 1, want: "1:all"},
		"2: at the same time, in order":    {assets: []Holding{closed(mib, 1), closed(mib, 1)}, size: mib, need: 1, want: "0:all"},
		"3: most behind first":             {assets: []Holding{opened(span(mib, 2*mib), span(0, mib)), opened(span(4*mib, 5*mib), span(0, 4*mib))}, size: 8 * mib, need: mib, distance: far, want: "1:[0,1048576)"},
		"3: then the next, and no further": {assets: []Holding{opened(span(mib, 2*mib), span(0, mib)), opened(span(4*mib, 5*mib), span(0, 4*mib))}, size: mib, need: 4*mib + 1, distance: far, want: "1:[0,4194304) 0:[0,4096)"},
		"3: up to the readers":             {assets: []Holding{opened(span(mib+1, 2*mib), span(0, 3*mib))}, size: mib, need: mib + 1, distance: far},
		"3: after the closed ones":         {assets: []Holding{closed(mib, 1), opened(span(mib, 2*mib), span(0, mib))}, size: mib, need: mib + 4096, distance: far, want: "0:all 1:[0,4096)"},
		"4: the furthest first": {
			assets: []Holding{opened(span(0, mib), span(8*mib, 9*mib)), opened(span(0, mib), span(4*mib, 5*mib), span(20*mib, 21*mib))}, size: 64 * 4096, need: 8192,
			want: "1:[22011904,22020096)",
		},
		"4: from the end on":       {assets: []Holding{opened(span(0, mib), span(4*mib, 5*mib), span(8*mib, 9*mib))}, size: mib, need: mib + 4096, want: "0:[5238784,5242880) 0:[8388608,9437184)"},
		"4: after what is behind":  {assets: []Holding{opened(span(mib, 2*mib), span(0, mib), span(8*mib, 9*mib))}, size: mib, need: mib + 4096, want: "0:[0,1048576) 0:[9433088,9437184)"},
		"4: readers unknown":       {assets: []Holding{opened(span(0, 0), span(8*mib, 9*mib))}, size: mib, need: 1},
		"5: nothing nearer":        {assets: []Holding{opened(span(0, mib), span(4*mib, 5*mib))}, distance: 4 * mib, size: mib, need: 4096},
		"5: what is further":       {assets: []Holding{opened(span(0, mib), span(4*mib, 5*mib))}, distance: 4*mib - 4096, size: mib, need: 4096, want: "0:[5238784,5242880)"},
		"5: the writer's, unknown": {assets: []Holding{opened(span(0, mib), span(4*mib, 5*mib))}, distance: far, size: mib, need: 1},
		"6: among readers":         {assets: []Holding{opened(span(0, 9*mib), span(2*mib, 3*mib))}, size: mib, need: 1},
		"6: whole and open":        {assets: []Holding{{Bytes: mib, Span: span(mib, mib+1)}}, size: mib, need: 1},
		"7: not in vain":           {assets: []Holding{closed(mib, 1), opened(span(mib, 2*mib), span(0, mib))}, size: mib, need: 2*mib + 1, distance: far},
		"8: second round":          {assets: []Holding{closed(mib, 1)}, size: mib, round: 2, need: 1, want: "0:all"},
		"8: third round":           {assets: []Holding{closed(mib, 1)}, size: mib, round: 3, need: 1},
		"9: 64 MiB without a size": {assets: []Holding{closed(40*mib, 3), closed(40*mib, 2), closed(40*mib, 1)}, need: 1, want: "0:all 1:all"},
		"9: a part of the size":    {assets: []Holding{closed(mib, 3), closed(mib, 2), closed(mib, 1)}, size: 100 * mib, need: 1, want: "0:all 1:all"},
		"whole blocks only":        {assets: []Holding{opened(span(mib, 2*mib), span(100, 4095), span(8000, 20000))}, size: mib, need: 4096, distance: far, want: "0:[8192,16384)"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Reclaim(Holdings{Assets: c.assets, Size: c.size, Block: 4096, Round: max(1, c.round), Distance: c.distance}, c.need)
			text := ""
			for _, a := range got {
				if a.Ranges == nil {
					text += fmt.Sprintf(" %d:all", a.Asset)
				}
				for _, r := range a.Ranges {
					text += fmt.Sprintf(" %d:%v", a.Asset, r)
				}
			}
			if want := c.want; text != "" && text[1:] != want || text == "" && want != "" {
				t.Errorf("got %q, want %q", text, want)
			}
		})
	}
}

// TestReclaimProperties checks what must be true for any holdings.
func TestReclaimProperties(t *testing.T) {
	for seed := range uint64(20000) {
		rnd := rand.New(rand.NewPCG(seed, 13))
		h := randomHoldings(rnd)
		need := 1 + rnd.Int64N(8*mib)
		before := fmt.Sprint(h)
		got := Reclaim(h, need)
		if fmt.Sprint(h) != before {
			t.Fatalf("seed %d: the holdings were changed", seed)
		}
		if err := checkReclaim(h, need, got); err != "" {
			t.Fatalf("seed %d: %s\nneed %d of %+v\ngot %+v", seed, err, need, h, got)
		}
	}
}

func randomHoldings(rnd *rand.Rand) Holdings {
	h := Holdings{Size: []int64{0, mib, 100 * mib}[rnd.IntN(3)], Block: 4096, Round: 1 + rnd.IntN(3), Distance: rnd.Int64N(4*mib) - mib}
	if h.Distance < 0 {
		h.Distance = maxSize
	}
	for i := range rnd.IntN(8) {
		x := Holding{LastUse: time.Unix(rnd.Int64N(5), 0), Closed: rnd.IntN(2) == 0, Pinned: rnd.IntN(4) == 0, Own: i == 0 && rnd.IntN(2) == 0}
		var spare ranges.Set
		for range rnd.IntN(5) {
			at := rnd.Int64N(1000) * 4096
			spare.Add(ranges.Range{Start: at, End: at + (1+rnd.Int64N(200))*4096})
		}
		x.Bytes = spare.Len()
		if !x.Closed && rnd.IntN(4) > 0 {
			x.Spare = slices.Clone(spare.Ranges())
		}
		if !x.Closed && rnd.IntN(4) > 0 {
			x.Span.Start = rnd.Int64N(4 * mib)
			x.Span.End = x.Span.Start + rnd.Int64N(2*mib) + 1
		}
		h.Assets = append(h.Assets, x)
	}
	return h
}

// checkReclaim returns which rule got breaks, "" for none.
func checkReclaim(h Holdings, need int64, got []Action) string {
	freed, whole := int64(0), map[int]bool{}
	parts := false
	var last time.Time
	for _, a := range got {
		x := h.Assets[a.Asset]
		freed += a.Bytes
		switch {
		case x.Pinned:
			return "a pinned asset"
		case a.Ranges == nil && (!x.Closed || x.Own || a.Bytes != x.Bytes):
			return "an asset in use, as a whole"
		case a.Ranges == nil && (whole[a.Asset] || parts || x.LastUse.Before(last)):
			return "not in the order of last use"
		case a.Ranges != nil && x.Closed:
			return "a part of a closed asset"
		case a.Ranges != nil && total(a.Ranges) != a.Bytes:
			return "wrongly counted"
		}
		if a.Ranges == nil {
			whole[a.Asset], last = true, x.LastUse
			continue
		}
		parts = true
		spare := ranges.Of(x.Spare...)
		for i, r := range a.Ranges {
			switch {
			case r.Empty(), r.Start%h.Block != 0, r.End%h.Block != 0, i > 0 && r.Start < a.Ranges[i-1].End:
				return "not whole blocks in order"
			case !spare.Contains(r):
				return "not to spare"
			case r.End > x.Span.Start && (x.Span.Empty() || r.Start < x.Span.End+h.Distance):
				return "among readers, or nearer to them than what is written"
			}
		}
	}
	for i, x := range h.Assets {
		if parts && x.Closed && !x.Pinned && !x.Own && x.Bytes > 0 && !whole[i] {
			return "a part of an open asset before a closed one"
		}
	}
	switch {
	case len(got) > 0 && (freed < need || h.Round > roundsMost):
		return "in vain"
	case len(got) > 0 && freed >= need+enough+10*mib:
		return "much more than was needed"
	}
	return ""
}

// BenchmarkReclaim measures making room among a hundred thousand assets.
func BenchmarkReclaim(b *testing.B) {
	h := Holdings{Size: 20 << 30, Block: 4096, Round: 1, Distance: maxSize}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 100_000 {
		h.Assets = append(h.Assets, closed(200<<10, rnd.Int64N(1e6)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if len(Reclaim(h, mib)) == 0 {
			b.Fatal("nothing")
		}
	}
}

func total(rs []ranges.Range) (n int64) {
	for _, r := range rs {
		n += r.Len()
	}
	return n
}
