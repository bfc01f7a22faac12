package asset

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/ranges"
)

var promiseSeed = flag.Int("promise.seed", -1, "one of them")

var promiseRuns = flag.Int("promise", 300, "random traces of TestPromise")

// TestPromise holds what is promised of costs, P15, over random traces: what is
// received is at most twice what is read, where gaps of up to 1 MiB count as
// read, and 1 MiB, and 128 KiB a request, also where
// others of the type were read in another way. What sockets hold comes on top.
func TestPromise(t *testing.T) {
	runs := uint64(*promiseRuns)
	if testing.Short() || raceEnabled {
		runs = 30
	}
	for seed := range runs {
		if *promiseSeed >= 0 && int(seed) != *promiseSeed {
			continue
		}
		rnd := rand.New(rand.NewPCG(seed, 11))
		tr := randomTrace(rnd)
		l := simLink{
			latency: time.Duration(1+rnd.IntN(200)) * time.Millisecond,
			speed:   1 << (18 + rnd.IntN(8)),
			ranged:  true,
			limit:   simLimits[rnd.IntN(len(simLimits))],
			small:   true,
		}
		var got outlay
		known := Kind{}
		if rnd.IntN(2) == 0 { // the habits of others of its type, which may be wrong here
			known = Kind{Whole: rnd.IntN(2) == 0, Tail: rnd.Int64N(mostTail), Span: rnd.Int64N(32 * mib), Habit: rnd.Int64N(mostHabit)}
		}
		synctest.Test(t, func(t *testing.T) {
			store := newSimStore(t, RangeYes)
			defer store.close()
			for _, id := range []string{"re_1", "re_2"} {
				store.noteUsage(kindOf(Info{Name: "a.bin"}), usage{id, known})
			}
			got = simulateAsset(t, tr, l, store, "re_3")
		})
		read := tr.distinct()
		merged := read.Clone()
		for i, r := range read.Ranges()[1:] {
			if before := read.Ranges()[i]; r.Start-before.End <= mostGap {
				merged.Add(ranges.Range{Start: before.End, End: r.Start})
			}
		}
		allowed := 2*merged.Len() + mib + int64(got.requests)*(block+socketLeast)
		if got.bytes > allowed {
			t.Errorf("seed %d: %s, %v, %d B/s: received %d for %d read, %d with the gaps, %d requests: %d too much", seed, l.limit.name, l.latency, l.speed,
				got.bytes, read.Len(), merged.Len(), got.requests, got.bytes-allowed)
		}
	}
}

// randomTrace is a trace of one to eight readers, each of which reads here and there,
// forwards, backwards, or by skips.
func randomTrace(rnd *rand.Rand) *trace {
	t := &trace{name: fmt.Sprint("random trace of ", rnd.Uint64()), size: 1 + rnd.Int64N(1<<(20+rnd.IntN(10)))}
	for reader := range 1 + rnd.IntN(8) {
		for range 1 + rnd.IntN(6) {
			at, n := rnd.Int64N(t.size), int64(1)<<(9+rnd.IntN(9))
			step := []int64{n, n, -n, n + rnd.Int64N(2*mib), -n - rnd.Int64N(2*mib), 0}[rnd.IntN(6)]
			for range 1 + rnd.IntN(1<<rnd.IntN(8)) {
				if at < 0 || at >= t.size {
					break
				}
				t.add(reader, time.Duration(rnd.IntN(3000))*time.Microsecond, at, n)
				if at += step; step == 0 {
					at = rnd.Int64N(t.size)
				}
			}
		}
	}
	return t
}
