package asset

import (
	"cmp"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// group is what one request will serve.
type group struct {
	first  miss          // with the lowest offset
	end    int64         // of the furthest need
	waited time.Duration // by all
}

// ask opens streams for the reads that no stream will serve, those first that have waited longest
// together: at the same time, a request goes to where it serves most.
func (p *planner) ask(missing []miss) {
	if len(missing) == 0 || p.until(p.NotBefore) {
		return
	}
	groups := p.groups(missing)
	slices.SortStableFunc(groups, func(a, b group) int { return cmp.Compare(b.waited, a.waited) })
	for _, g := range groups {
		if (p.Ranging == RangeNo || p.doubts()) && len(p.d.Open) > 0 {
			return // it will tell, or comes from 0
		}
		if p.Requests <= 0 && !p.joins() {
			p.wake(p.Next)
			return
		}
		if p.Limited && p.until(g.first.Since.Add(together)) {
			continue // others may join it
		}
		if !p.room() {
			return
		}
		p.due += max(block, g.end-g.first.Need.Start)
		o := p.opening(g)
		if j := p.among(o, g.first.off); j >= 0 {
			g.first.Need.End = g.end
			p.use(j, g.first)
			continue
		}
		p.meet(o)
		p.open(o)
	}
}

// meet ends the requests that are about to be made where o begins, unless that is in the midst of what they
// are for, or o is so short that they read over it: what sockets hold behind it would come twice.
func (p *planner) meet(o Opening) {
	if p.Ranging != RangeYes || !o.long() {
		return
	}
	for i := range p.d.Open {
		if e := &p.d.Open[i]; max(e.Start+block, e.Least) <= o.Start && (e.End == 0 || o.Start < e.End) {
			e.End = o.Start
		}
	}
}

// long reports whether o brings more than a stream reads over.
func (o Opening) long() bool { return o.End == 0 || o.End-o.Start > block }

// joins reports whether to take a place in the queue for requests. As long as it is empty, the offset is
// better decided when a request is left. Behind others none ever might be, since they come back to
// the queue; one place is as much as each of them has.
func (p *planner) joins() bool {
	return p.Queued && !p.asking()
}

// among returns a stream whose position lies in o, before off; -1 if there is none. It brings the
// same bytes, and one of two streams at the same place would end.
func (p *planner) among(o Opening, off int64) int {
	if p.Ranging != RangeYes {
		return -1
	}
	i := p.nearest(off)
	if i >= 0 && p.Streams[i].Reach >= o.Start && p.arrival(i, off) < forever {
		return i
	}
	return -1
}

// groups puts reads together that are so close that waiting for the bytes between them is better
// than another request. Without Range one request serves all.
func (p *planner) groups(missing []miss) []group {
	gap := int64(mostGap)
	if !p.Limited {
		gap = block // they are asked for at the same time, and cost nothing but bytes
	}
	gap = min(gap, p.meanwhile())
	groups := p.found[:0]
	for _, m := range missing {
		if n := len(groups) - 1; n >= 0 && (p.Ranging == RangeNo || m.off-groups[n].end <= gap && !p.blocked(groups[n].end, m.off)) {
			g := &groups[n]
			g.end = max(g.end, m.Need.End)
			g.waited += p.Now.Sub(m.Since)
			continue
		}
		groups = append(groups, group{m, m.Need.End, p.Now.Sub(m.Since)})
	}
	p.found = groups
	return groups
}

// meanwhile returns how many bytes the fastest stream brings in the time that a request is worth; if no
// speed is known, more than any asset has.
func (p *planner) meanwhile() int64 {
	var speed float64
	for i := range p.Streams {
		speed = max(speed, p.Streams[i].Speed)
	}
	if speed == 0 {
		return maxSize
	}
	return int64(speed * p.Worth.Seconds())
}

// coming returns what running requests will still bring at least.
func (p *planner) coming() (n int64) {
	for i := range p.Streams {
		s := &p.Streams[i]
		if least := max(0, s.Least-s.Pos); s.Opening {
			n += max(least, block)
		} else {
			n += least
		}
	}
	for _, o := range p.d.Open {
		n += max(o.Least-o.Start, block)
	}
	return n
}

// afford returns how much may be received beyond what a client would receive that knew all reads,
// including those that wait: a megabyte, and half of what was read, but not of what a request brings
// at least.
func (p *planner) afford() int64 {
	return max(0, mostGap+p.History.bill()+p.due+p.History.joined()/2-p.History.received-p.coming())
}

// opening is the request for g.
func (p *planner) opening(g group) Opening {
	off := g.first.off
	if p.Ranging == RangeNo {
		return Opening{Start: off} // comes from 0, but asking costs nothing
	}
	at := off - off%block
	if g.end > at+block {
		at = off // it would be two blocks
	}
	o := Opening{Start: p.absent(at, off+1)}
	if p.Size >= 0 {
		o.Start = p.backTo(o.Start, p.end(off, o.Start, g.end))
	}
	o.Sequence = p.History.before(g.first.Need.Start, p.ReadAhead) + off - g.first.Need.Start
	switch {
	case o.Sequence >= sequence, p.Ranging == RangeUnknown:
	case p.Size >= 0 && p.Size-off <= mostGap && !g.first.backward():
		o.Least = max(o.Start+block, g.end) // an index, most often: read to the end
		if end := (ranges.Range{Start: p.Size - mostGap, End: p.Size}); p.Limited && p.History.within(end) {
			o.Start = p.backTo(o.Start, min(2*block, p.afford())) // and more of it before
		}
	case g.first.backward():
		read := p.History.after(g.end, p.ReadAhead)
		n := min(p.afford(), p.ReadAhead, 8*read)
		o.Start = p.backTo(o.Start, max(n, block))
		o.End, o.Least = g.end, g.end
	default:
		p.scattered(&o, g)
	}
	for i := range p.Streams { // a server that sends less than was asked for is not asked for that again
		if s := &p.Streams[i]; !p.d.End[i] && s.Start <= o.Start && o.Start < s.End && s.End <= off {
			o.Start = s.End
		}
	}
	if before := max(0, off-p.Overlap); o.Start == off && p.Present.Gap(ranges.Range{Start: before, End: off}).Empty() {
		o.Start = before
	}
	if o.End == 0 {
		o.End = p.step(off, o.Sequence)
	}
	if o.End = p.bound(off, o.End); o.End > 0 {
		o.Least = min(o.Least, o.End)
	}
	return o
}

// step returns where a request from off on ends whose reader has read n bytes in sequence; 0: at the end of
// the asset. Beside many other readers it goes no further than evidence does, as long as requests have no
// limit: the next of them may begin anywhere, and what sockets hold behind that comes twice.
func (p *planner) step(off, n int64) int64 {
	if p.Limited || p.Ranging != RangeYes || p.Readers <= crowd || p.busy() < fewStreams {
		return 0
	}
	return off + max(2*mostGap, n)
}

// busy returns how many streams somebody uses, or is about to.
func (p *planner) busy() int {
	n := len(p.d.Open)
	for i := range p.Streams {
		if s := &p.Streams[i]; s.Opening || p.Now.Sub(s.Used) < idle {
			n++
		}
	}
	return n
}

// end returns how much to ask for before start, for reads of the end of an asset.
func (p *planner) end(off, start, needed int64) (n int64) {
	if fromEnd := p.Size - off; fromEnd < p.Tail {
		n = min(p.Tail-fromEnd, p.afford()-(needed-start))
	}
	if p.Size-start < block { // what is read of an end is often a little more
		n = max(n, min(max(p.Size/64, block), 2*block))
	}
	return n
}

// scattered makes o a request for g where there is no evidence of a sequence.
func (p *planner) scattered(o *Opening, g group) {
	need := ranges.Range{Start: g.first.Need.Start, End: g.end}
	if n := p.around(need); n > 0 && !g.first.onward() {
		o.Start = p.backTo(g.first.off, n)
		o.End = (max(g.end, o.Start+2*n) + block - 1) / block * block
		o.Least = o.End
		return
	}
	cluster := p.History.cluster(need)
	before := need.Start - cluster.Start
	o.Least = max(o.Start+block, g.end)
	if p.Limited {
		o.Least = max(o.Least, g.end+min((cluster.Len()-g.end+o.Start)/2, p.afford()/2, 8*mostGap))
	}
	o.End = o.Least
	switch {
	case p.tries(), g.first.Last.Empty() && g.first.large():
		o.End = 0
	case p.Habit > 0 && before == 0:
		o.End = max(o.End, o.Start+p.Habit+p.Habit/8/block*block) // they vary a little
	case p.afford() > 0 && (g.first.onward() || before > 0 && p.Limited) || p.afford() > 4*block && g.first.large():
		ahead := max(2*mostGap, before)
		if !p.Limited && !g.first.large() { // a request more is cheaper than what sockets hold
			ahead = max(2*block, min(before, p.afford()))
		}
		o.End = max(o.End, o.Start+ahead)
		if p.Limited || g.first.large() && p.afford() > 3*mostGap {
			o.End = 0
		}
	}
}

// tries reports whether to give a reader without evidence a longer request, to find out if it goes
// on. Where requests are limited, a second one costs more than what a socket holds.
func (p *planner) tries() bool {
	return p.Limited && p.Habit == 0 && p.Short < 2 && p.afford() > 4*block
}

// around returns how much a request may bring on each side of a small read, where requests are
// limited and reads are scattered: half of the usual span of reads, as far as skips make up that
// span. A span of less than two gaps means nothing.
func (p *planner) around(need ranges.Range) (n int64) {
	if !p.Limited || need.Len() > small || p.History.bytes == 0 {
		return 0
	}
	skips := min(1, float64(p.History.skipped())/float64(p.History.bill()))
	n = min((p.History.span()-2*mostGap)/2, p.afford()/2)
	n = min(int64(float64(n)*skips), 8*mostGap, p.meanwhile()) // what is before the read comes first
	if n < 2*block {
		return 0
	}
	return n
}

// backTo returns the beginning of a request for n absent bytes before end.
func (p *planner) backTo(end, n int64) int64 {
	if n <= 0 {
		return end
	}
	return p.absent(max(0, end-n)/block*block, end)
}

// absent returns where the absent bytes right before end begin, from start on.
func (p *planner) absent(start, end int64) int64 {
	for at := start; at < end; {
		gap := p.Present.Gap(ranges.Range{Start: at, End: end})
		start, at = gap.Start, gap.End
	}
	return start
}

// bound returns the end of a request for the bytes from off on: end, or earlier where present bytes
// or the path of a stream begin, also of one that is about to be opened, but at least a block.
func (p *planner) bound(off, end int64) int64 {
	stop := int64(0)
	for run := p.Present.Next(off); run.Start < 1<<62; run = p.Present.Next(run.End + 1) {
		if run.Len() > block {
			stop = run.Start
			break
		}
	}
	for i := range p.Streams {
		s := &p.Streams[i]
		if !p.d.End[i] && s.Start > off && (stop == 0 || s.Start < stop) {
			stop = s.Start
		}
	}
	for _, o := range p.d.Open {
		if o.long() && o.Start > off && (stop == 0 || o.Start < stop) {
			stop = o.Start
		}
	}
	switch {
	case stop > 0 && (end == 0 || end > stop-block):
		return stop
	case end > 0 && p.Size >= 0 && end > p.Size-block:
		return 0
	}
	return end
}

// room makes sure that one more stream may be opened, and reports whether it may.
func (p *planner) room() bool {
	n, victim := len(p.d.Open), -1
	for i := range p.Streams {
		s := &p.Streams[i]
		if p.d.End[i] {
			continue
		}
		n++
		if (s.Stuck || s.Paused && p.d.Limit[i] <= s.Pos) && (victim < 0 || s.Used.Before(p.Streams[victim].Used)) {
			victim = i
		}
	}
	switch {
	case n < fewStreams:
		return true
	case n >= mostStreams && victim < 0:
		return false // one will pause or end, and then Plan is called again
	case n >= mostStreams || victim >= 0 && p.Now.Sub(p.Streams[victim].Used) >= idle:
		p.d.End[victim] = true
	}
	return true
}

func (p *planner) open(o Opening) {
	p.d.Open = append(p.d.Open, o)
	if !o.Background {
		p.Requests--
	}
}
