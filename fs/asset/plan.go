package asset

import (
	"slices"
	"time"

	"assetfs/fs/ranges"
)

const (
	// block is the unit of alignment and the largest run of present bytes that
	// is read again rather than ending a stream: 128 KiB is about what the
	// first TCP window costs, whether or not it is read.
	block = 128 << 10
	// minAhead is the smallest read-ahead of a stream that is being read.
	minAhead = 1 << 20
	// maxStreams is how many streams an asset may have.
	maxStreams = 4
	// silence is how long a stream may bring nothing before its speed counts
	// as zero.
	silence = 2 * time.Second
	// linger is how long streams outlive the last close, and a first contact
	// that nobody reads: players and file(1) reopen within that.
	linger = 5 * time.Second
	// keepalive is how often a paused stream that can't be resumed reads on by
	// minAhead. Servers cut clients that don't read; nginx after 60 s.
	keepalive = 20 * time.Second
	// idle is how long a paused stream must have been of no use to be replaced
	// by a fifth, and patience how long a waiter respects that.
	idle     = time.Second
	patience = 3 * time.Second
)

// Ranging is what is known of the server's support of Range.
type Ranging int

// The server's support of Range.
const (
	RangeUnknown Ranging = iota
	RangeYes
	RangeNo
)

// StreamState is a stream as the planner sees it.
type StreamState struct {
	Opening    bool      // no header yet
	Background bool      // its request comes out of the share for resolving
	Head       bool      // it was opened for a head block only
	Paused     bool      // at its limit
	Stuck      bool      // there is no room for what it holds
	Start, Pos int64     // the first byte, and the one behind the last that is stored
	Reach      int64     // end of the bytes in hand: some from Pos on may be present already
	End        int64     // exclusive, -1 unknown
	Frontier   int64     // the furthest byte readers have consumed of it, or Start
	Delivered  int64     // bytes readers consumed in sequence
	Speed      float64   // bytes per second while running, 0 unknown
	LastByte   time.Time // or when it was opened
	Used       time.Time // last served a reader
}

// WaiterState is a read that needs bytes, or the header alone.
type WaiterState struct {
	Need       ranges.Range
	Header     bool // needs the header only
	Head       bool // and nobody is likely to read on: a head block will do
	Background bool // its request comes out of the share for resolving
	Since      time.Time
}

// Snapshot is all that the planner looks at.
type Snapshot struct {
	Now       time.Time
	Size      int64 // -1 unknown
	Contacted bool  // a download's header has been seen
	Overlap   int64 // how much of what is present before a start to ask for again, to be compared
	Ranging   Ranging
	Present   Present
	Streams   []StreamState
	Waiters   []WaiterState
	Requests  int           // that may start now
	Next      time.Time     // when one more may
	Worth     time.Duration // of a request: how long it pays to wait instead
	ReadAhead int64
	NotBefore time.Time // backoff
	Readers   int       // open handles
	LastClose time.Time // of the last handle, or of a contact without one
	Cost      int64     // bytes downloaded of this asset so far
}

// Opening is a stream to be opened.
type Opening struct {
	Start, End int64 // End is exclusive, 0 means to the end
	Background bool
}

// Decision is what Plan wants done.
type Decision struct {
	Limit []int64 // per stream: the offset up to which it may read
	End   []bool  // per stream: it has served its purpose
	// Serves tells, per stream, whether somebody waits for it.
	Serves []bool
	Open   []Opening // in this order
	Wake   time.Time // plan again then at the latest; zero: only when something happens
}

// planner is the state of one run of Plan.
type planner struct {
	Snapshot
	d Decision
}

// Plan decides what the streams of one asset do. It is pure.
func Plan(s Snapshot) Decision {
	n := len(s.Streams)
	p := planner{s, Decision{Limit: make([]int64, n), End: make([]bool, n), Serves: make([]bool, n)}}
	p.endCovered()
	for i := range s.Streams {
		p.d.Limit[i] = p.window(i)
	}
	waiters := slices.Clone(s.Waiters)
	slices.SortStableFunc(waiters, func(a, b WaiterState) int {
		return int(min(1, max(-1, a.Need.Start-b.Need.Start)))
	})
	for _, w := range waiters {
		p.serve(w)
	}
	p.leave()
	return p.d
}

// endCovered ends streams that would only bring what is there or comes anyway:
// one that has run into more than a block of present bytes, and one that has
// run into the path of another. Without Range none ends: it could not come back.
func (p *planner) endCovered() {
	if p.Ranging != RangeYes {
		return
	}
	for i, s := range p.Streams {
		if s.Opening {
			continue
		}
		at := s.Reach
		if p.Present.RunEnd(at)-at > block {
			p.d.End[i] = true
			continue
		}
		for j, o := range p.Streams {
			if j == i || o.Opening || p.d.End[j] || o.Start > at {
				continue
			}
			same := at == o.Reach && (o.Start > s.Start || o.Start == s.Start && j < i)
			if same || at < o.Pos && p.Present.RunEnd(at) >= o.Pos {
				p.d.End[i] = true
				break
			}
		}
	}
}

// window is the offset up to which stream i may read for its own read-ahead,
// which grows with evidence: what has been read of it in sequence.
func (p *planner) window(i int) int64 {
	s := p.Streams[i]
	if s.Delivered > 0 {
		return max(s.Pos, s.Frontier+min(max(s.Delivered, minAhead), max(p.ReadAhead, minAhead)))
	}
	if s.End >= 0 && s.End-s.Start <= block {
		return s.End // a head block: asked for and paid
	}
	return s.Pos // nothing past the header until a read comes
}

func (p *planner) serve(w WaiterState) {
	if w.Header {
		p.contact(w)
		return
	}
	if p.Size >= 0 {
		w.Need.End = min(w.Need.End, p.Size)
	}
	gap := p.Present.Gap(w.Need)
	if gap.Empty() {
		return
	}
	if p.opened(gap.Start) {
		return
	}
	i := p.nearest(gap.Start)
	if i >= 0 && p.waits(i, gap.Start) {
		p.use(i, w, gap.Start)
		return
	}
	if p.Ranging == RangeUnknown && p.headerComing() {
		return // it will tell whether a stream can be opened there
	}
	if p.Ranging == RangeNo && i >= 0 {
		p.use(i, w, gap.Start)
		return
	}
	if p.delayed() {
		return
	}
	if p.Requests <= 0 {
		p.wake(p.Next)
		if i >= 0 && p.Now.Add(p.arrival(i, gap.Start)).Before(p.Next) {
			p.use(i, w, gap.Start)
		}
		return
	}
	if !p.room(w) {
		if i >= 0 {
			p.use(i, w, gap.Start) // better slowly than not
		}
		return
	}
	p.open(p.opening(gap.Start))
}

// contact makes the header come.
func (p *planner) contact(w WaiterState) {
	if p.Contacted || len(p.d.Open) > 0 || p.delayed() {
		return
	}
	for i, s := range p.Streams {
		if s.Opening && !p.d.End[i] {
			return
		}
	}
	o := Opening{Background: w.Background}
	if w.Head {
		o.End = block
	}
	p.open(o)
}

// nearest returns the live stream that is closest behind off and gets there,
// or -1.
func (p *planner) nearest(off int64) int {
	best := -1
	for i, s := range p.Streams {
		if p.d.End[i] || s.Pos > off || s.End >= 0 && s.End <= off {
			continue
		}
		if p.Ranging == RangeYes && p.blocked(s.Reach, off) {
			continue
		}
		if best < 0 || s.Pos > p.Streams[best].Pos {
			best = i
		}
	}
	return best
}

// blocked reports whether a run of present bytes that would end a stream lies
// between from and to.
func (p *planner) blocked(from, to int64) bool {
	run := ranges.Range{Start: from, End: p.Present.RunEnd(from)}
	for run.Start < to {
		if run.Len() > block {
			return true
		}
		run = p.Present.Next(run.End + 1)
	}
	return false
}

// waits reports whether it is right to wait for stream i to arrive at off: the
// bytes between are paid anyway, and it takes less than a request is worth.
func (p *planner) waits(i int, off int64) bool {
	s := p.Streams[i]
	if off-s.Reach < block {
		return true
	}
	ahead := max(p.d.Limit[i], s.Frontier+minAhead)
	return off < ahead && p.arrival(i, off) < p.Worth
}

// forever is longer than any wait.
const forever = 1000 * time.Hour

// arrival is how long stream i takes to off.
func (p *planner) arrival(i int, off int64) time.Duration {
	s := p.Streams[i]
	switch {
	case s.Opening:
		return 0
	case !s.Paused && p.Now.Sub(s.LastByte) >= silence:
		return forever
	case s.Speed <= 0: // nothing read of it yet; its first megabyte comes soon
		return 0
	}
	return min(forever, time.Duration(float64(off-s.Pos)/s.Speed*float64(time.Second)))
}

// use lets stream i run for w, whose first missing byte is at off.
func (p *planner) use(i int, w WaiterState, off int64) {
	s := &p.Streams[i]
	p.d.Serves[i] = true
	end := w.Need.End
	if s.Delivered == 0 {
		end = max(end, off+minAhead) // the reader is likely to go on
	}
	p.d.Limit[i] = max(p.d.Limit[i], end)
	s.Used = p.Now
	if !s.Paused && !s.Opening {
		// its speed counts as zero then, and another plan may be better
		if t := s.LastByte.Add(silence); t.After(p.Now) && off-s.Pos >= block {
			p.wake(t)
		}
	}
}

// headerComing reports whether a stream is about to tell about Range.
func (p *planner) headerComing() bool {
	for i, s := range p.Streams {
		if s.Opening && !p.d.End[i] {
			return true
		}
	}
	return len(p.d.Open) > 0
}

// opened reports whether an opening of this plan will bring off.
func (p *planner) opened(off int64) bool {
	for _, o := range p.d.Open {
		if p.Ranging != RangeYes || o.Start <= off && off < o.Start+minAhead && (o.End == 0 || off < o.End) {
			return true
		}
	}
	return false
}

func (p *planner) delayed() bool {
	if p.Now.Before(p.NotBefore) {
		p.wake(p.NotBefore)
		return true
	}
	return false
}

// room sees to it that one more stream may be opened.
func (p *planner) room(w WaiterState) bool {
	n, victim := len(p.d.Open), -1
	for i, s := range p.Streams {
		if p.d.End[i] {
			continue
		}
		n++
		if (s.Stuck || s.Paused && p.d.Limit[i] <= s.Pos) && (victim < 0 || s.Used.Before(p.Streams[victim].Used)) {
			victim = i
		}
	}
	if n < maxStreams {
		return true
	}
	if victim < 0 {
		return false // one will pause or end, and then Plan is called again
	}
	ready := p.Streams[victim].Used.Add(idle)
	if t := w.Since.Add(patience); t.Before(ready) {
		ready = t
	}
	if p.Now.Before(ready) {
		p.wake(ready)
		return false
	}
	p.d.End[victim] = true
	return true
}

// opening is the request for the gap that begins at off.
func (p *planner) opening(off int64) Opening {
	if p.Ranging == RangeNo {
		return Opening{Start: off} // comes from 0, but asking costs nothing
	}
	o := Opening{Start: off}
	for at := off - off%block; at <= off; {
		gap := p.Present.Gap(ranges.Range{Start: at, End: off + 1})
		o.Start, at = gap.Start, gap.End
	}
	if before := max(0, off-p.Overlap); o.Start == off && p.Present.Gap(ranges.Range{Start: before, End: off}).Empty() {
		o.Start = before
	}
	for run := p.Present.Next(off); run.Start < 1<<62; run = p.Present.Next(run.End + 1) {
		if run.Len() > block {
			o.End = run.Start
			break
		}
	}
	return o
}

func (p *planner) open(o Opening) {
	p.d.Open = append(p.d.Open, o)
	if !o.Background {
		p.Requests--
	}
}

// leave decides on streams that nobody waits for: they linger after the last
// close, then end, or finish where they could not come back and the rest costs
// less than what has been paid already (the ski-rental rule).
func (p *planner) leave() {
	waited := len(p.Waiters) > 0
	for i, s := range p.Streams {
		switch {
		case p.d.End[i]:
		case waited:
		case s.Opening:
			// An answer is close; but it may be queued behind a closed gate.
			if t := s.LastByte.Add(linger); p.Now.Before(t) {
				p.wake(t)
			} else {
				p.d.End[i] = true
			}
		case p.Readers == 0 && s.Head && p.Ranging == RangeNo:
			p.d.End[i] = true // the listing has its header; there is no head block to wait for
		case p.Readers == 0:
			if t := p.LastClose.Add(linger); p.Now.Before(t) {
				p.wake(t)
			} else if p.Ranging != RangeYes && s.Delivered > 0 && s.End >= 0 && s.End-s.Pos < p.Cost {
				p.d.Limit[i] = s.End
			} else {
				p.d.End[i] = true
			}
		case p.Ranging != RangeYes && s.Paused && s.Delivered > 0 && p.d.Limit[i] <= s.Pos:
			if t := s.LastByte.Add(keepalive); p.Now.Before(t) {
				p.wake(t)
			} else {
				p.d.Limit[i] = s.Pos + minAhead
			}
		}
	}
}

func (p *planner) wake(t time.Time) {
	if p.d.Wake.IsZero() || t.Before(p.d.Wake) {
		p.d.Wake = t
	}
}
