package asset

import (
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// endCovered ends streams that would bring only bytes that are present or come anyway: those that
// have run into more than a block of present bytes, or into the path of another stream. Without
// Range it ends none, since they could not be resumed.
func (p *planner) endCovered() {
	if p.Ranging != RangeYes {
		return
	}
	for i := range p.Streams {
		s := &p.Streams[i]
		if s.Opening || s.Reach > s.Pos && !s.Stuck { // what it holds comes, and is not to be asked for
			continue
		}
		at := s.Reach
		run := p.Present.RunEnd(at)
		if run-at > block {
			p.d.End[i] = true
			continue
		}
		for j := range p.Streams {
			o := &p.Streams[j]
			if j == i || o.Opening || p.d.End[j] || o.Start > at {
				continue
			}
			same := at == o.Reach && (o.Start > s.Start || o.Start == s.Start && j < i) // the younger path goes on
			if same || at < o.Pos && run >= o.Pos {
				p.d.End[i] = true
				break
			}
		}
	}
}

// nearest returns the live stream that is closest before off and will reach it, or -1.
func (p *planner) nearest(off int64) int {
	best := -1
	for i := range p.Streams {
		s := &p.Streams[i]
		if p.d.End[i] || s.Pos > off || s.End >= 0 && s.End <= off {
			continue
		}
		if best < 0 || s.Pos > p.Streams[best].Pos {
			best = i
		}
	}
	return best
}

// blocked reports whether between from and to lies a run of present bytes that would end a stream.
// Then streams further back will end, too.
func (p *planner) blocked(from, to int64) bool {
	run := ranges.Range{Start: from, End: p.Present.RunEnd(from)}
	for p.Ranging == RangeYes && run.Start < to {
		if run.Len() > block {
			return true
		}
		run = p.Present.Next(run.End + 1)
	}
	return false
}

// brings reports whether a stream will bring m in any case.
func (p *planner) brings(m miss) bool {
	for i := range p.Streams {
		s := &p.Streams[i]
		if !p.d.End[i] && s.Pos <= m.off && m.off < s.Least && p.arrival(i, m.off) < forever {
			p.use(i, m)
			return true
		}
	}
	return false
}

// waits reports whether m should wait for stream i to reach it: it is there, nearly, or the bytes between are
// read ahead anyway, or few, and they come before another request could be made, or sooner than a request
// is worth.
func (p *planner) waits(i int, m miss) bool {
	s, off := p.Streams[i], m.off
	gap := off - s.Reach
	if gap < block {
		return true
	}
	whole := p.Whole && gap <= p.afford() // it is likely to be read at some time, as with others of its type
	if !whole && off-s.Frontier > mostGap && off >= p.d.Limit[i] {
		if n := p.around(m.Need); off-s.Pos > n {
			return false
		}
	}
	worth := p.Worth
	if p.Requests <= 0 {
		worth = max(worth, p.Next.Sub(p.Now))
	}
	return p.arrival(i, off) < worth
}

// forever is longer than any wait.
const forever = 1000 * time.Hour

// arrival returns how long stream i takes to reach off; forever if it ends before, or is silent.
func (p *planner) arrival(i int, off int64) time.Duration {
	s := p.Streams[i]
	switch {
	case p.blocked(s.Reach, off):
		return forever
	case s.Opening:
		return 0
	case !s.Paused && p.Now.Sub(s.LastByte) >= silence:
		return forever
	case s.Speed <= 0: // nothing read of it yet; its first megabyte comes soon
		return 0
	}
	return duration(off-s.Pos, s.Speed)
}

// duration returns how long n bytes take.
func duration(n int64, speed float64) time.Duration {
	return time.Duration(min(float64(forever), float64(n)/speed*float64(time.Second)))
}

// use lets stream i run for m.
func (p *planner) use(i int, m miss) {
	s := &p.Streams[i]
	p.d.Serves[i] = true
	p.d.Limit[i] = max(p.d.Limit[i], m.Need.End, s.Start+block) // a request brings a block at least
	s.Used = p.Now
	if !s.Paused && !s.Opening && m.off-s.Pos >= block {
		p.until(s.LastByte.Add(silence)) // its speed counts as zero then, and another plan may be better
	}
}

// goOn opens a stream at the end of a request if its reader will soon want more, so that the reader
// need not wait. It is only for unlimited requests.
func (p *planner) goOn() {
	if p.Limited || p.Ranging != RangeYes || p.Requests <= 0 || p.Now.Before(p.NotBefore) {
		return
	}
	for i := range p.Streams {
		s := &p.Streams[i]
		if !p.endsSoon(s) || p.d.End[i] || p.Present.RunEnd(s.End) > s.End || s.Delivered <= p.Habit {
			continue
		}
		if !slices.ContainsFunc(p.Streams, func(o StreamState) bool { return o.Start == s.End }) {
			p.open(Opening{Start: s.End, End: p.bound(s.End, p.step(s.End, s.Delivered)), Sequence: s.Delivered})
		}
	}
}

// endsSoon reports whether the request of s ends before what its reader will want.
func (p *Snapshot) endsSoon(s *StreamState) bool {
	return s.Delivered >= 2*block && s.End >= 0 && s.End < p.Size && s.Frontier+min(s.Delivered/4, mostGap) >= s.End
}

// leave decides on streams that nobody waits for. After the last close they linger and then end. A
// stream that can't be resumed is finished instead, if the rest costs less than what has been paid
// already (the ski-rental rule).
func (p *planner) leave() {
	if len(p.Waiters) > 0 {
		return
	}
	for i := range p.Streams {
		s, left := &p.Streams[i], p.Readers == 0
		switch {
		case p.d.End[i]:
		case s.Opening: // an answer is close, but it may be queued behind a closed gate
			p.d.End[i] = !p.until(s.LastByte.Add(linger))
		case left && s.Head && p.Ranging == RangeNo:
			p.d.End[i] = true // the listing has its header; there is no head block to wait for
		case left && p.until(p.LastClose.Add(linger)):
		case left && p.Ranging != RangeYes && s.Delivered > 0 && s.End >= 0 && s.End-s.Frontier < p.Cost-(s.Pos-s.Frontier):
			p.d.Limit[i] = s.End
		case left:
			p.d.End[i] = true
		case p.Ranging != RangeYes && s.Paused && s.Delivered > 0 && p.d.Limit[i] <= s.Pos && !p.until(s.LastByte.Add(keepalive)):
			p.d.Limit[i] = s.Pos + keptAlive
		}
	}
}
