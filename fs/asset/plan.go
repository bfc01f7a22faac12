package asset

import (
	"cmp"
	"slices"
	"time"

	"assetfs/fs/ranges"
)

const (
	// block is the unit of alignment, and the largest run of present bytes that a stream reads
	// again instead of ending. 128 KiB is about what the first TCP window costs, whether or not
	// it is read.
	block = 128 << 10
	// mostGap is the largest gap that is read over, instead of making another request behind it.
	// It is also what an asset may cost beyond what evidence justifies.
	mostGap = 1 << 20
	// minAhead is the smallest setting of read-ahead.
	minAhead = 1 << 20
	// sequence is how much must have been read in sequence before a request has an open end.
	sequence = block / 2
	// small is the largest read of programs that read small pieces in many places.
	small = 16 << 10
	// together is how long a read waits for others that may share its request, where requests are
	// limited: read-ahead and threads ask for much at the same time.
	together = 3 * time.Millisecond
	// silence is how long a stream may bring nothing before its speed counts
	// as zero.
	silence = 2 * time.Second
	// linger is how long streams live after the last close, or after a first contact that nobody
	// reads: players and file(1) open the file again within that time.
	linger = 5 * time.Second
	// keepalive is how often a paused stream that can't be resumed reads keptAlive more, since servers
	// cut off clients that don't read: Tomcat after 20 s, Jetty after 30 s, nginx after 60 s. A server may
	// write again when a third of its socket's buffer is free, which has 4 MiB at most by default.
	keepalive = 15 * time.Second
	keptAlive = 2 << 20
	// fewStreams is how many streams an asset keeps, however long they have been idle.
	// mostStreams is how many it may have.
	fewStreams, mostStreams = 4, 64
	// crowd is with how many readers the next place to be read may be anywhere.
	crowd = 8
	// idle is how long a paused stream must have been unused before it is replaced, while there
	// are fewer than mostStreams.
	idle = time.Second
)

// Ranging says whether the server supports Range, as far as known.
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
	Head       bool      // it was opened for a head block only
	Least      int64     // it reads up to here at least
	Paused     bool      // at its limit
	Stuck      bool      // there is no room for what it holds
	Start, Pos int64     // the first byte, and the one behind the last that is stored
	Reach      int64     // end of the bytes in hand: some from Pos on may be present already
	End        int64     // exclusive, -1 unknown
	Frontier   int64     // the furthest byte readers have consumed of it, or Start
	Delivered  int64     // bytes readers consumed in sequence, with those before Start
	Speed      float64   // bytes per second while running, 0 unknown
	LastByte   time.Time // or when it was opened
	Used       time.Time // last served a reader
}

// WaiterState is a read that needs bytes, or the header alone.
type WaiterState struct {
	Need       ranges.Range
	Last       ranges.Range // what its reader read before, empty if nothing
	Header     bool         // needs the header only
	Head       bool         // and nobody is likely to read on: a head block will do
	Background bool         // its request comes out of the share for resolving
	Since      time.Time
}

// Snapshot is everything that the planner looks at.
type Snapshot struct {
	Now       time.Time
	Size      int64 // -1 unknown
	Header    bool  // a download's header has been seen
	Overlap   int64 // how much of what is present before a start to ask for again, to be compared
	Ranging   Ranging
	Guessed   bool // Ranging is what other assets of the host have shown
	Present   *ranges.Set
	Streams   []StreamState
	Waiters   []WaiterState
	History   *history
	Habit     int64         // bytes that the latest sequences had at most, 0 unknown
	Short     int           // of the latest sequences, those that ended within a block
	Whole     bool          // assets of this type are read whole, most often
	Tail      int64         // and of their end so much, 0 unknown
	Requests  int           // that may start now
	Queued    bool          // others wait for their turn
	Next      time.Time     // when one more may
	Worth     time.Duration // of a request: how long it pays to wait instead
	Limited   bool          // requests have a limit
	ReadAhead int64
	NotBefore time.Time // backoff
	Readers   int       // open handles
	LastClose time.Time // of the last handle, or of a contact without one
	Cost      int64     // bytes downloaded of this asset so far
}

// Opening is a stream to be opened.
type Opening struct {
	Start, End int64 // End is exclusive, 0 means to the end
	Sequence   int64 // bytes that have been read in sequence before it
	Least      int64 // see StreamState
	Background bool
}

// Decision is the result of Plan.
type Decision struct {
	Limit []int64 // per stream: the offset up to which it may read
	End   []bool  // per stream: it has served its purpose
	// Serves tells, per stream, whether somebody waits for it.
	Serves []bool
	Open   []Opening // in this order
	Wake   time.Time // plan again then at the latest; zero: only when something happens
}

// planner is the state of one run of Plan. Its memory is used again by the next run: with a thousand
// waiters there is a plan for each new one.
type planner struct {
	Snapshot
	d       Decision
	due     int64 // what is waited for, and comes or is about to be asked for, adds to the bill
	missing []miss
	found   []group
}

// Plan decides what the streams of one asset do. It is pure. Its rules, each with the
// line of testdata/table.txt or the test that is worse without it:
//
//  1. A waiter is served by a stream that arrives at its bytes sooner than a request is
//     worth (or than one may be made), if those between lie in the stream's own read-ahead,
//     or are at most 1 MiB behind what was read of it, or as much as its own request would
//     bring before it; and by one that brings its bytes in any case. Else it gets a request,
//     or waits for one: no byte is fetched only because no request is left. (TestPlan; e2fsck)
//  2. Read-ahead is a quarter of what has been read in sequence, as far as credit allows, and
//     at least 128 KiB, less what its request brought before the first read. (TestPromise)
//  3. Waiters share a request if they are at most 1 MiB apart, or, where requests have no
//     limit, 128 KiB. Those go first that have waited longest together. With a limit, a waiter
//     stays for some milliseconds, to be joined by others. (e2fsck, ~readers-64)
//  4. After 64 KiB in sequence, by whomever, a request has an open end. (players, copies)
//  5. Who reads backwards gets as much before as credit allows, up to eight times what it
//     read so. (tac, head-n-minus, ~tail-6M)
//  6. The last 1 MiB of an asset is an index, most often: a request there goes to the end,
//     and, with a limit, a second one brings some more before it. (exiftool-mp4,
//     loop-copy-some)
//  7. Else a small read gets 128 KiB. With a limit that grows by half of what has been read
//     around the place. (loop-find)
//  8. Some get more to read, of which nothing comes before it is read: an open end for a
//     large first read (TestReadersAtRandomOffsets) and, with a limit, for the first two that
//     nothing is known of (7z-list-zip64); what sequences have by habit, where they have one
//     (ffmpeg-contact-sheet); for a skip of at most 1 MiB, a place near others that were read
//     and large reads 2 MiB, or without a limit, where small reads skip, as much again as was read
//     there (h5py-slice, loop-find).
//  9. With a limit, small reads here and there get what is absent on both sides, up to half
//     of what they usually span. (loop-find, random-200)
//  10. Credit is 1 MiB and half of what was read, less what was received and not read. What
//     was read counts with its gaps of up to 1 MiB where that saves requests. What comes for
//     those that wait, and what a request brings at least, is no part of it. (TestPromise)
//  11. Requests begin at multiples of 128 KiB, unless what is needed reaches into the next
//     (mapped-random), and end where bytes are present or another stream runs or is about to.
//     Beside more than eight readers, without a limit, they go only as far as their reader
//     has read in sequence, or 2 MiB. (TestReadersMeet) Those at the end of an asset hold at
//     least 128 KiB before. (tail-n-50000)
//  12. Assets of one type are used alike: what the latest two were used like counts as
//     evidence of where to fetch. Gaps are read over in those that are read whole. (~pdf, again)
//  13. Without a limit the next request is made before one ends whose reader goes on.
//     (7z-list-zip64)
//  14. An asset keeps four idle streams, and others for a second. It has 64 at most. (TestPlan)
//  15. Without Range one stream serves all; while that is not known, one request at a
//     time finds out. (TestPlan)
func Plan(s Snapshot) Decision {
	return *(&planner{Snapshot: s}).plan()
}

// plan is Plan of p's snapshot. Its result is valid until the next call.
func (p *planner) plan() *Decision {
	n := len(p.Streams)
	p.d = Decision{Limit: zeroed(p.d.Limit, n), End: zeroed(p.d.End, n), Serves: zeroed(p.d.Serves, n), Open: p.d.Open[:0]}
	if p.History == nil {
		p.History = &history{}
	}
	p.endCovered()
	p.due = 0
	p.windows()
	p.serve()
	p.goOn()
	p.leave()
	return &p.d
}

// zeroed returns s with n elements, all zero.
func zeroed[T any](s []T, n int) []T {
	if s == nil || cap(s) < n {
		return make([]T, n)
	}
	clear(s[:n])
	return s[:n]
}

// windows limits how far streams read ahead on their own: nothing past the header until a read comes.
func (p *planner) windows() {
	credit := p.afford()
	for i := range p.Streams {
		s := &p.Streams[i]
		p.d.Limit[i] = max(s.Pos, s.Least)
		if s.Frontier == s.Start {
			continue
		}
		ahead := s.Delivered / 4
		if p.Ranging != RangeNo {
			ahead = min(ahead, p.d.Limit[i]+credit-s.Frontier)
		}
		// A block in any case, less what came before the first read.
		ahead = max(ahead, min(block, s.Start+block+2*s.Delivered-s.Frontier))
		if more := s.Frontier + min(ahead, max(p.ReadAhead, minAhead)) - p.d.Limit[i]; more > 0 {
			p.d.Limit[i] += more
			credit -= more
		}
	}
}

// miss is a read whose bytes from off on are absent.
type miss struct {
	WaiterState
	off int64 // the first byte to come
}

// large reports whether m is larger than the reads of programs that read small pieces.
func (m miss) large() bool { return m.Need.Len() > small }

// onward reports whether m's reader continues after a short skip.
func (m miss) onward() bool {
	skip := m.Need.Start - m.Last.End
	return !m.Last.Empty() && 0 <= skip && skip <= mostGap
}

// backward reports whether m lies before what its reader read last.
func (m miss) backward() bool {
	gap := m.Last.Start - m.Need.End
	return !m.Last.Empty() && m.Need.Start < m.Last.Start && -near <= gap && gap <= near
}

// serve makes all bytes come that are waited for.
func (p *planner) serve() {
	missing := p.missing[:0]
	for i := range p.Waiters {
		w := p.Waiters[i]
		if w.Header {
			p.contact(w)
			continue
		}
		if p.Size >= 0 {
			w.Need.End = min(w.Need.End, p.Size)
		}
		if gap := p.Present.Gap(w.Need); !gap.Empty() {
			missing = append(missing, miss{w, gap.Start})
		}
	}
	p.missing = missing
	slices.SortStableFunc(missing, func(a, b miss) int { return cmp.Compare(a.off, b.off) }) // most often they are
	p.due = owed(missing)
	left := missing[:0]
	for _, m := range missing {
		if !p.comes(m) {
			left = append(left, m)
		}
	}
	p.due -= owed(left)
	p.ask(left)
}

// owed returns what missing, which is sorted, adds to the bill.
func owed(missing []miss) (n int64) {
	end := int64(-1 << 62)
	for _, m := range missing {
		if m.Need.Start-end <= mostGap {
			n += max(0, m.Need.End-end)
		} else {
			n += max(block, m.Need.Len())
		}
		end = max(end, m.Need.End)
	}
	return n
}

// comes reports whether a running stream should bring m, and if so lets it.
func (p *planner) comes(m miss) bool {
	i := p.nearest(m.off)
	switch {
	case i >= 0 && (p.Ranging == RangeNo || p.waits(i, m)):
		p.use(i, m)
	case p.brings(m):
	case p.doubts() && p.asking():
		// it will tell whether a stream can be opened there
	default:
		return false
	}
	return true
}

// doubts reports whether it is still unknown if a stream can be opened at any offset.
func (p *planner) doubts() bool {
	return p.Ranging == RangeUnknown || p.Ranging == RangeYes && p.Guessed
}

// contact makes the header come.
func (p *planner) contact(w WaiterState) {
	if p.Header || p.asking() || p.until(p.NotBefore) {
		return
	}
	o := Opening{Background: w.Background}
	if w.Head {
		o.End, o.Least = block, block
	}
	p.open(o)
}

// asking reports whether a request has no answer yet, or is about to be made.
func (p *planner) asking() bool {
	return len(p.d.Open) > 0 || slices.ContainsFunc(p.Streams, func(s StreamState) bool { return s.Opening })
}

// until reports whether t is still to come, and if so sees to it that Plan is called again then.
func (p *planner) until(t time.Time) bool {
	if p.Now.Before(t) {
		p.wake(t)
		return true
	}
	return false
}

func (p *planner) wake(t time.Time) {
	if p.d.Wake.IsZero() || t.Before(p.d.Wake) {
		p.d.Wake = t
	}
}
