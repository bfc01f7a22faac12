package remote

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// rival is one client of an account, which wants a number of calls served.
type rival struct {
	left          int
	calls, denied int // all calls, and those that were refused
	early, first  int // the same within the first five minutes
	took          time.Duration
}

const (
	settled = 5 * time.Minute // after this, clients know each other
	there   = 40 * time.Millisecond
	atMost  = 80 * time.Minute
)

// call makes one call, and reports whether it was served.
func (v *rival) call(a *account, began time.Time) bool {
	time.Sleep(there)
	ok := a.admit()
	time.Sleep(there)
	v.calls++
	if ok {
		v.left--
		v.took = time.Since(began)
	} else {
		v.denied++
	}
	if time.Since(began) < settled {
		v.early, v.first = v.denied, v.calls
	}
	return ok
}

// ours works as assetfs does.
func ours(t *testing.T, v *rival, a *account, l *limiter) {
	for began := time.Now(); v.left > 0 && time.Since(began) < atMost; {
		s, err := l.acquire(t.Context(), Reader, "re_1", nil)
		if err != nil {
			t.Error(err)
			return
		}
		s.write(t.Context())
		if v.call(a, began) {
			s.done("re_1", nil, false)
		} else {
			s.done("re_1", &Error{Status: http.StatusTooManyRequests}, false)
		}
	}
}

func upTo(rnd *rand.Rand, d time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(d))) }

// dumb makes one call after the other, pause apart, whatever comes of them. With bursts it makes ten, and rests for as long.
func dumb(v *rival, a *account, rnd *rand.Rand, pause time.Duration, bursts bool) {
	began := time.Now()
	time.Sleep(upTo(rnd, pause))
	for n := 1; v.left > 0 && time.Since(began) < atMost; n++ {
		v.call(a, began)
		time.Sleep(pause + upTo(rnd, there))
		if bursts && n%10 == 0 {
			time.Sleep(upTo(rnd, 20*pause))
		}
	}
}

// "At most one request in ten is refused beside a second client of the account": in 30 minutes of work for both, beside a
// second assetfs, whatever the server counts. Nobody can keep to that beside a client that uses all of the limit and knows
// nothing of others: it takes each call as soon as it is free. At one a second such a client is mostly left alone, and served
// first. At twelve a minute it can't be told from a lower limit; where refusals count, it is not even served itself. Nobody
// takes much more than twice the fair time.
func TestRivals(t *testing.T) {
	const work = 30 * time.Minute
	counts := []string{"sliding", "bucket", "strict"}
	for _, tc := range []struct {
		limit, flag, other string
		modes              []string
		pause              time.Duration // of the dumb one
		most               []float64     // refused, by mode
	}{
		{"1/s", "auto", "ours", counts, 0, []float64{0.1, 0.1, 0.1}},
		{"1/s,12/m", "auto", "ours", counts, 0, []float64{0.13, 0.1, 0.13}}, // 0.08, 0.05 and 0.1 on average
		{"12/m", "12/m", "ours", counts, 0, []float64{0.1, 0.1, 0.11}},
		{"1/s", "auto", "dumb", counts, time.Second, []float64{0.1, 0.1, 0.1}},
		{"1/s", "auto", "dumb in bursts", counts, time.Second, []float64{0.15, 0.15, 0.15}},
		{"1/s,12/m", "auto", "dumb", counts[:2], 5 * time.Second, []float64{0.4, 0.4}},
		{"1/s,12/m", "auto", "dumb in bursts", counts[:2], 5 * time.Second, []float64{0.2, 0.2}},
		{"12/m", "12/m", "dumb", counts[:2], 5 * time.Second, []float64{0.4, 0.4}},
		{"12/m", "12/m", "dumb in bursts", counts[:2], 5 * time.Second, []float64{0.12, 0.12}},
	} {
		rates := rates(t, tc.limit).Rates
		slowest := rates[len(rates)-1]
		n := int(work / (2 * slowest.window() / time.Duration(slowest.N))) // for each of two
		for i, mode := range tc.modes {
			var sum rival
			var worst time.Duration
			rounds := 5
			if tc.other == "ours" {
				rounds = 20 // those with few calls differ
			}
			for seed := range uint64(rounds) {
				synctest.Test(t, func(t *testing.T) {
					rnd := rand.New(rand.NewPCG(seed, 2))
					a := &account{mode: mode, rates: rates}
					pair := [2]rival{{left: n}, {left: n}}
					var wg sync.WaitGroup
					wg.Go(func() { ours(t, &pair[0], a, testLimiter(t, tc.flag, nil)) })
					time.Sleep(upTo(rnd, 2*time.Second))
					counted := pair[:1]
					if tc.other == "ours" {
						wg.Go(func() { ours(t, &pair[1], a, testLimiter(t, tc.flag, nil)) })
						counted = pair[:]
					} else {
						wg.Go(func() { dumb(&pair[1], a, rnd, tc.pause, strings.Contains(tc.other, "bursts")) })
					}
					wg.Wait()
					for _, v := range counted {
						sum.calls, sum.denied, sum.first, sum.early = sum.calls+v.calls, sum.denied+v.denied, sum.first+v.first, sum.early+v.early
					}
					worst = max(worst, pair[0].took, pair[1].took)
					if pair[0].left+pair[1].left > 0 {
						t.Errorf("%s, %s, beside %s: not done after %v", tc.limit, mode, tc.other, atMost)
					}
				})
			}
			late, early := float64(sum.denied-sum.early)/float64(sum.calls-sum.first), float64(sum.early)/float64(sum.first)
			t.Logf("%s, %s, beside %s: %.3f refused, %.3f in the first 5 min; both done after %v at worst", tc.limit, mode, tc.other, late, early, worst.Round(time.Second))
			if late > tc.most[i] {
				t.Errorf("%s, %s, beside %s: %.3f refused, want at most %v", tc.limit, mode, tc.other, late, tc.most[i])
			}
		}
	}
}
