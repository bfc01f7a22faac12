package asset

import (
	"slices"
	"time"

	"assetfs/fs/ranges"
)

// prefixBound returns the least that any planner spends on t if it doesn't know t. A program may stop
// after any read, and what it has read so far is a trace, too. So a planner that stays within 1.5 times
// the optimum's bytes plus 1 MiB on all traces has received no more than that at the end of each read.
// Two reads that no single request can have brought within that limit took two requests. When the last of
// a set of such reads ends, that many requests have been made, and the rate limit has allowed them. With
// several readers the order of reads is unknown, so there is no bound.
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
	return len(apart), b.wait(apart)
}

// bounds is a trace of one reader, read by read.
type bounds struct {
	trace *trace
	link  simLink
	read  ranges.Set
	steps []step
}

// step is what is known when a read ends.
type step struct {
	fresh ranges.Range // of the read, what had not been read before; empty if it had
	read  ranges.Set   // with it
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

// wait returns how long the reader waits at least: each step of apart needs one request more, and there
// are as many streams as there may have been requests.
func (b *bounds) wait(apart []int) (waited time.Duration) {
	var now, received time.Duration // received: the time up to which bytes count
	var bytes float64
	for i, r := range b.trace.readers[0] {
		now += r.think
		done := now
		if k, ok := slices.BinarySearch(apart, i); ok {
			done = max(done, b.earliest(k)+b.link.latency)
		}
		// The most that can have come by then, and what must have.
		for need := float64(b.steps[i].read.Len()); ; {
			could := bytes + float64(done-received)/float64(time.Second)*float64(b.link.speed)*float64(b.streams(done))
			if could >= need || b.link.limit.n == 0 {
				bytes, received = min(could, float64(b.steps[i].most)), done
				break
			}
			done += time.Duration((need-could)/float64(b.link.speed)/float64(b.streams(done))*float64(time.Second)) + time.Microsecond
		}
		waited += done - now
		now = done
	}
	return waited
}

// earliest is when request k, counted from 0, can be made.
func (b *bounds) earliest(k int) time.Duration {
	if n := b.link.limit.n; n > 0 {
		return time.Duration(k/n) * b.link.limit.interval
	}
	return 0
}

// streams is how many there can be at a time.
func (b *bounds) streams(at time.Duration) int {
	if b.link.limit.n == 0 {
		return mostStreams
	}
	return min(mostStreams, b.link.limit.n*(1+int(at/b.link.limit.interval)))
}
