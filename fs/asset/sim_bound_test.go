package asset

import (
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// prefixBound is the least that any planner spends on t which doesn't know it. A program
// may stop after any read, and what it has read so far is a trace, too; so who is to stay
// within 1.5 times the optimum's bytes and 1 MiB on all traces has received no more than
// that, of the reads so far, at the end of each. Two reads that no single request can have
// brought within that took two, and as few as leave no gap out that is too much of it took
// all. So many requests have been made, for the limit to allow, when the last of a set of
// such reads ends. With several readers the order of reads is not known, and nothing is said.
func prefixBound(t *trace, l simLink) (requests int, waited time.Duration) {
	if !l.ranged || len(t.readers) > 1 {
		return 0, 0
	}
	b := &bounds{trace: t, link: l}
	for _, r := range t.readers[0] {
		b.add(r.Range)
	}
	apart := b.apart(false)
	if other := b.apart(true); len(other) > len(apart) {
		apart = other
	}
	requests = len(apart)
	for i := range b.steps {
		if !b.steps[i].fresh.Empty() {
			requests = max(requests, b.steps[i].least())
		}
	}
	return requests, b.wait(apart)
}

// bounds is a trace of one reader, read by read.
type bounds struct {
	trace *trace
	link  simLink
	read  ranges.Set
	steps []step

	received time.Duration // up to when bytes count
	bytes    float64       // that can have come by then
}

// step is what is known when a read ends.
type step struct {
	fresh ranges.Range // of the read, what had not been read before; empty if it had
	read  ranges.Set   // with it
	gaps  []int64      // in what has been read, the smallest first
	most  int64        // that may have been received
}

func (b *bounds) add(r ranges.Range) {
	s := step{fresh: b.read.Gap(r)}
	b.read.Add(r)
	if s.fresh.Empty() && len(b.steps) > 0 {
		s.read, s.most = b.steps[len(b.steps)-1].read, b.steps[len(b.steps)-1].most
	} else {
		s.read = b.read.Clone()
		best := optimumBytes(mergeRanges(b.read.Ranges(), b.link), b.trace.size)
		s.most = min(best*3/2+mib, b.trace.size*105/100)
		for i, r := range b.read.Ranges()[1:] {
			s.gaps = append(s.gaps, r.Start-b.read.Ranges()[i].End)
		}
		slices.Sort(s.gaps)
	}
	b.steps = append(b.steps, s)
}

// share reports whether one request can have brought the fresh bytes of steps i and j, where j is later.
// Streams bring bytes in order, so all bytes between them have been received when the read that lies
// further on ends.
func (b *bounds) share(i, j int) bool {
	between := ranges.Range{Start: min(b.steps[i].fresh.Start, b.steps[j].fresh.Start), End: max(b.steps[i].fresh.Start, b.steps[j].fresh.Start) + 1}
	at := &b.steps[j]
	if b.steps[j].fresh.Start < b.steps[i].fresh.Start {
		at = &b.steps[i]
	}
	return at.read.Len()-lengthIn(&at.read, between)+between.Len() <= at.most
}

// apart returns steps of which no two can share a request, chosen from the first on or from the last.
func (b *bounds) apart(fromLast bool) (apart []int) {
	for n := range b.steps {
		i := n
		if fromLast {
			i = len(b.steps) - 1 - n
		}
		if b.steps[i].fresh.Empty() || slices.ContainsFunc(apart, func(j int) bool { return b.share(min(i, j), max(i, j)) }) {
			continue
		}
		apart = append(apart, i)
	}
	slices.Sort(apart)
	return apart
}

// pin is a request that brought the first fresh byte of a step apart.
type pin struct {
	step  int
	since time.Duration // the latest time at which it can have been at that byte
}

// wait is how long the reader waits at least. Each of the reads apart has one request more
// behind it. What comes later is brought by one of those, which goes on from there no faster
// than the link and has brought no more than was allowed by then, or by a further request.
// All streams together have to bring the gaps, too, that so few requests can't leave out.
func (b *bounds) wait(apart []int) (waited time.Duration) {
	var now time.Duration
	var pins []pin
	for i, r := range b.trace.readers[0] {
		now += r.think
		done := max(now, b.received)
		if s := &b.steps[i]; !s.fresh.Empty() {
			soonest := b.earliest(len(pins)) + b.link.latency
			if _, ok := slices.BinarySearch(apart, i); ok {
				pins = append(pins, pin{i, 0})
			} else {
				for _, p := range pins {
					if b.share(p.step, i) {
						soonest = min(soonest, p.since+b.lasts(s.fresh.Start-b.steps[p.step].fresh.Start))
					}
				}
			}
			done = b.all(i, max(done, soonest))
			for j := range pins {
				p := &pins[j]
				before := ranges.Range{End: b.steps[p.step].fresh.Start}
				p.since = max(p.since, done-b.lasts(s.most-lengthIn(&s.read, before)))
			}
		}
		waited += done - now
		now = done
	}
	return waited
}

// lasts is how long a stream takes for n bytes.
func (b *bounds) lasts(n int64) time.Duration { return duration(n, float64(b.link.speed)) }

// all returns when at the earliest, not before at, all that has been read with step i can
// have come, and lets bytes come until then.
func (b *bounds) all(i int, at time.Duration) time.Duration {
	if b.link.limit.n == 0 {
		return at
	}
	for {
		streams, until := b.streams(b.received)
		rate := float64(b.link.speed) * float64(streams)
		short := float64(b.steps[i].cover(streams)) - b.bytes
		switch {
		case b.received < at:
			until = min(until, at)
		case short <= 0:
			b.bytes = min(b.bytes, float64(b.steps[i].most))
			return b.received
		case streams > 0:
			until = min(until, b.received+duration(int64(short)+1, rate)+1)
		}
		b.bytes += rate * (until - b.received).Seconds()
		b.received = until
	}
}

// cover is the least that so many requests bring that have all that was read: each brings
// bytes in order.
func (s *step) cover(requests int) int64 {
	n := s.read.Len()
	for _, gap := range s.gaps[:max(0, len(s.gaps)-max(0, requests-1))] {
		n += gap
	}
	return n
}

// least is the fewest requests that can have brought what was read with s.
func (s *step) least() int {
	n, brought := 1, s.cover(1)
	for ; brought > s.most; n++ {
		brought -= s.gaps[len(s.gaps)-n]
	}
	return n
}

// earliest is when request k, counted from 0, can be made.
func (b *bounds) earliest(k int) time.Duration {
	if n := b.link.limit.n; n > 0 {
		return time.Duration(k/n) * b.link.limit.interval
	}
	return 0
}

// streams is how many there can be, and until when no more.
func (b *bounds) streams(at time.Duration) (n int, until time.Duration) {
	limit := b.link.limit
	if at -= b.link.latency; at < 0 {
		return 0, b.link.latency
	}
	since := at / limit.interval
	return min(mostStreams, limit.n*int(since+1)), (since+1)*limit.interval + b.link.latency
}
