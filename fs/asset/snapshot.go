package asset

import (
	"cmp"
	"time"
)

// planning is a planner with its input. It is kept from plan to plan to use its memory again.
type planning struct {
	planner
	live []*stream // that the decision is about
	kind *Kind     // nil while the asset's is not known
}

// snapshotLocked returns a planner for the present state of the asset.
func (a *Asset) snapshotLocked(now time.Time) *planning {
	if a.planning == nil {
		a.planning = &planning{}
	}
	p := a.planning
	clear(p.live)
	p.live = p.live[:0]
	var kind Kind
	if p.kind == nil && a.info.Header {
		k := a.store.kind(kindOf(a.info))
		p.kind = &k
	}
	if p.kind != nil {
		kind = *p.kind
	}
	p.Snapshot = Snapshot{
		Now:       now,
		Size:      a.info.Size,
		Header:    a.info.Header,
		Overlap:   a.overlapLocked(),
		Ranging:   a.rangingLocked(),
		Guessed:   a.info.Ranging == RangeUnknown,
		Present:   &a.present,
		Streams:   p.Streams[:0],
		Waiters:   p.Waiters[:0],
		History:   &a.history,
		Habit:     cmp.Or(a.history.habit(a.streams), kind.Habit),
		Short:     a.history.short(a.streams),
		Whole:     kind.Whole,
		Tail:      kind.Tail,
		ReadAhead: a.store.reading.ReadAhead,
		NotBefore: a.fail.until,
		Readers:   len(a.readers),
		LastClose: a.lastClose,
		Cost:      a.cost,
	}
	requests := len(a.waiters) > 0
	unknown := 0 // to the source, of our requests
	for _, s := range a.streams {
		if s.ending {
			continue
		}
		p.live = append(p.live, s)
		st := s.state
		if st.Opening && p.Ranging == RangeNo {
			st.Start, st.Pos, st.Reach, st.Frontier = 0, 0, 0, 0
		}
		p.Streams = append(p.Streams, st)
		requests = requests || p.endsSoon(&st)
		if !s.asked.Load() && !s.request.Background {
			unknown++
		}
	}
	if !requests {
		return p
	}
	b := a.store.reading.Source.Budget()
	p.Requests, p.Next, p.Worth = b.Available-unknown, b.Next, a.store.worth(b.Worth)
	p.Queued, p.Limited = b.Queued > 0 && b.Down == nil, b.Worth > 0
	for _, w := range a.waiters {
		p.Waiters = append(p.Waiters, w.state)
	}
	return p
}
