package remote

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// account is the server's side of a rate limit.
type account struct {
	mode  string // sliding, strict (refusals count, too), bucket
	rates []Rate

	mu      sync.Mutex
	times   []time.Time
	tokens  []float64
	filled  time.Time
	refused int
	served  int
}

func (a *account) admit() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	now, ok := time.Now(), true
	if a.mode == "bucket" {
		if a.tokens == nil {
			a.filled = now
			for _, r := range a.rates {
				a.tokens = append(a.tokens, float64(r.N))
			}
		}
		for i, r := range a.rates {
			a.tokens[i] = min(float64(r.N), a.tokens[i]+now.Sub(a.filled).Seconds()/r.interval().Seconds())
			ok = ok && a.tokens[i] >= 1-1e-9
		}
		a.filled = now
		for i := range a.tokens {
			if ok {
				a.tokens[i]--
			}
		}
	} else {
		for _, r := range a.rates {
			n := 0
			for i := len(a.times) - 1; i >= 0 && now.Sub(a.times[i]) < r.Per; i-- {
				n++
			}
			ok = ok && n < r.N
		}
		if ok || a.mode == "strict" {
			a.times = append(a.times, now)
		}
	}
	if ok {
		a.served++
	} else {
		a.refused++
	}
	return ok
}

// work makes n calls one after the other, as fast as they are allowed, and repeats each until it succeeds.
func (a *account) work(t *testing.T, l *limiter, n int) {
	const latency = 80 * time.Millisecond
	for range n {
		for ok := false; !ok; {
			s, err := l.acquire(t.Context(), Reader, "re_1", nil)
			if err != nil {
				t.Error(err)
				return
			}
			s.write(t.Context())
			time.Sleep(latency / 2)
			ok = a.admit()
			time.Sleep(latency / 2)
			if ok {
				s.done("re_1", nil, false)
			} else {
				s.done("re_1", &Error{Status: http.StatusTooManyRequests}, false)
			}
		}
	}
}

// The documented limit is kept without a single refusal.
func TestAutoOnePerSecond(t *testing.T) {
	for _, mode := range []string{"sliding", "strict", "bucket"} {
		synctest.Test(t, func(t *testing.T) {
			a := &account{mode: mode, rates: []Rate{onePerSecond}}
			l := testLimiter(t, "auto", nil)
			began := time.Now()
			a.work(t, l, 200)
			t.Logf("%s: 200 calls in %v", mode, time.Since(began))
			if took := time.Since(began); a.refused > 0 || took > 199*1100*time.Millisecond+time.Second {
				t.Errorf("%s: 200 calls in %v, %d refused, want about %v and none", mode, took, a.refused, 199*1100*time.Millisecond)
			}
		})
	}
}

// "The 12-a-minute server costs at most 3 refusals in the first hour". In that hour it serves nearly as much as it allows.
// What was learnt survives a restart.
func TestAutoLearnsTwelveAMinute(t *testing.T) {
	for _, mode := range []string{"sliding", "strict", "bucket"} {
		synctest.Test(t, func(t *testing.T) {
			a := &account{mode: mode, rates: []Rate{onePerSecond, twelveMore}}
			m := new(memory)
			began := time.Now()
			a.work(t, testLimiter(t, "auto", m), 300)
			first := time.Since(began)
			time.Sleep(10 * time.Second)
			a.work(t, testLimiter(t, "auto", m), 300)
			t.Logf("%s: 600 calls in %v, %d refused", mode, time.Since(began), a.refused)
			if took := time.Since(began); a.refused > 3 || took > time.Hour {
				t.Errorf("%s: 600 calls in %v, %d refused, want at most 3 in less than an hour", mode, took, a.refused)
			}
			if first > 27*time.Minute {
				t.Errorf("%s: 300 calls in %v, want 25 min", mode, first)
			}
			// Later probes come hourly at most, doubling: four or five within 24 hours.
			a.work(t, testLimiter(t, "auto", m), 23*700)
			if a.refused > 3+2*5 {
				t.Errorf("%s: %d refusals in %v", mode, a.refused, time.Since(began))
			}
		})
	}
}

// A probe finds out that the limit has been raised again.
func TestAutoUnlearns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{mode: "sliding", rates: []Rate{onePerSecond, twelveMore}}
		l := testLimiter(t, "auto", nil)
		a.work(t, l, 60)
		a.mu.Lock()
		a.rates = a.rates[:1]
		a.mu.Unlock()
		a.work(t, l, 800)
		began := time.Now()
		a.work(t, l, 100)
		if took := time.Since(began); took > 120*time.Second || l.learnt.Wait != 0 {
			t.Errorf("100 calls took %v long after the limit was raised: %+v", took, l.learnt)
		}
	})
}

// Two machines with one account both succeed, each with its share, and soon without refusals.
func TestTwoClients(t *testing.T) {
	for _, mode := range []string{"sliding", "strict", "bucket"} {
		for _, n := range []int{5, 20, 100, 400} {
			var worst, total time.Duration
			refused, made := 0, 0
			const rounds = 12
			for round := range rounds {
				synctest.Test(t, func(t *testing.T) {
					a := &account{mode: mode, rates: []Rate{onePerSecond}}
					began := time.Now()
					var wg sync.WaitGroup
					for i := range 2 {
						l := testLimiter(t, "auto", nil)
						wg.Go(func() {
							time.Sleep(time.Duration(i*round) * 90 * time.Millisecond)
							a.work(t, l, n)
						})
					}
					wg.Wait()
					took := time.Since(began)
					worst, total = max(worst, took), total+took
					refused, made = refused+a.refused, made+a.refused+a.served
				})
			}
			fair := time.Duration(2*n) * 1100 * time.Millisecond
			share := float64(refused) / float64(made)
			t.Logf("%s, %3d calls each: %.2f of the fair time, %.2f at worst, %.3f refused", mode, n, float64(total)/rounds/float64(fair), float64(worst)/float64(fair), share)
			const unlucky = 8 * time.Second // a refusal more, which weighs much among five calls
			if total/rounds > 2*fair || worst > fair*9/4+unlucky {
				t.Errorf("%s, %d calls each: want within twice the fair time", mode, n)
			}
			if n >= 100 && share > 0.1 {
				t.Errorf("%s, %d calls each: more than one in ten is refused", mode, n)
			}
		}
	}
}

// A second client that appears now and then costs a refusal now and then.
func TestSeldomSecondClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &account{mode: "sliding", rates: []Rate{onePerSecond}}
		l := testLimiter(t, "auto", nil)
		over := make(chan struct{})
		var wg sync.WaitGroup
		wg.Go(func() {
			for {
				select {
				case <-time.After(17 * time.Second):
					a.mu.Lock()
					refused := a.refused
					a.mu.Unlock()
					if !a.admit() {
						a.mu.Lock()
						a.refused = refused // not ours
						a.mu.Unlock()
					}
				case <-over:
					return
				}
			}
		})
		a.work(t, l, 600)
		close(over)
		wg.Wait()
		t.Logf("%d of 600 refused", a.refused)
		if a.refused > 60 {
			t.Errorf("%d of 600 refused", a.refused)
		}
	})
}

// Beside another client the distance grows by one step for each series of refusals, not for each refusal, up to 10 s. A clean
// minute takes one step back. If that was too early, the next step back takes longer.
func TestStretch(t *testing.T) {
	now := time.Unix(1e9, 0)
	limit := RateLimit{Rates: []Rate{onePerSecond}}
	var k learnt
	gap := func() string { return k.gap(limit.Rates).Round(10 * time.Millisecond).String() }
	var got []string
	step := func(what string) { got = append(got, what+gap()) }
	step("")
	k.refused(limit, 3, 0, now)
	step("bout ")
	k.refused(limit, 3, 1, now)
	step("again ")
	for range 6 {
		k.refused(limit, 3, 0, now)
	}
	step("six bouts ")
	for i := range 8 {
		k.refused(limit, 3, i, now)
	}
	step("a long bout ")
	for range 6 {
		now = now.Add(cleanFor)
		k.accepted(0, now)
	}
	step("six clean minutes ")
	k.refused(limit, 3, 0, now.Add(time.Second)) // too early
	now = now.Add(cleanFor + 2*time.Second)
	k.accepted(0, now)
	step("a minute after that ")
	now = now.Add(cleanFor)
	k.accepted(0, now)
	step("two ")
	want := []string{
		"0s", "bout 2.09s", "again 2.09s", "six bouts 9.9s", "a long bout 9.9s", "six clean minutes 0s",
		"a minute after that 1.1s", "two 0s",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Refusals with enough calls between them are no reason to go further than stretchMost, however many there are. What was too
// early waits for cleanMost at last. A limit that is slower than gapMost keeps its own distance.
func TestStretchLeast(t *testing.T) {
	now := time.Unix(1e9, 0)
	limit := RateLimit{Rates: []Rate{onePerSecond}}
	var k learnt
	for range 20 {
		for range fewGood {
			k.accepted(6, now)
		}
		k.refused(limit, 6, 0, now)
		k.trying = true
	}
	if k.Stretch != stretchMost || k.Hold != cleanMost {
		t.Errorf("step %d, held for %v, want %d and %v", k.Stretch, k.Hold, stretchMost, cleanMost)
	}
	if gap, want := k.gap([]Rate{{2, time.Minute}}), 31*time.Second; gap != want {
		t.Errorf("calls of two a minute are %v apart, want %v", gap, want)
	}
}

// A limit per minute is learnt once, and again when it is over, for twice as long. Only auto learns.
func TestLearnTwelve(t *testing.T) {
	now := time.Unix(1e9, 0)
	var own, k learnt
	refuse := func(k *learnt, limit RateLimit) {
		for before := range 2 {
			if said := k.refused(limit, manyLeast, before, now); k == &own && strings.Contains(said, "12") {
				t.Error(said)
			}
		}
	}
	if refuse(&own, rates(t, "1/s")); own.Wait != 0 {
		t.Errorf("learnt in spite of a limit of the user's own: %+v", own)
	}
	for _, want := range []time.Duration{1, 2, 4, 8, 16, 24, 24} {
		want *= time.Hour
		refuse(&k, AutoRateLimit())
		if k.Wait != want || k.Stretch != 0 {
			t.Errorf("kept for %v, step %d, want %v and 0", k.Wait, k.Stretch, want)
		}
		k.served = 100 // what was before says nothing of what comes
		now = now.Add(time.Minute)
		if refuse(&k, AutoRateLimit()); k.Wait != want || !k.Until.Equal(now.Add(want-time.Minute)) || k.Stretch == 0 {
			t.Errorf("%+v, refused while the limit was kept", k)
		}
		k.Stretch, now = 0, k.Until
	}
}

// One refusal in spite of the largest distance does not show a limit per minute, nor do many at a smaller one.
func TestNoTwelve(t *testing.T) {
	for _, k := range []learnt{{Stretch: stretchLimit}, {Stretch: stretchMost, bad: longMany}} {
		if k.refused(AutoRateLimit(), 6, 0, time.Unix(1e9, 0)); k.Wait != 0 {
			t.Errorf("learnt: %+v", k)
		}
	}
}

// A limit that was learnt and is over is recorded once, not with each call.
func TestOverIsRecordedOnce(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, k := range []learnt{{Stretch: 1}, {Wait: probeFirst}} {
		k.Until, k.Clean = now.Add(-time.Minute), now
		for range 3 {
			_, _ = k.save()
			k.accepted(1, now)
		}
		if _, changed := k.save(); changed {
			t.Errorf("to be saved: %+v", k)
		}
	}
}

// Whether a limit that several clients share is kept is decided once, when it is over, by the calls since it was learnt.
func TestReviewShared(t *testing.T) {
	for denied, want := range map[int]time.Duration{24: probeShared, 26: 0} {
		now := time.Unix(1e9, 0)
		k := learnt{Stretch: stretchLimit, served: 1000}
		k.bad = longMany
		if said := k.refused(AutoRateLimit(), 6, 0, now); !strings.Contains(said, "several clients") {
			t.Fatal(said)
		}
		for range 100 {
			k.accepted(6, now)
		}
		for range denied {
			k.refused(AutoRateLimit(), 6, 1, now)
		}
		_, _ = k.save()
		now = k.Until
		k.Clean = now // no step is taken back
		k.accepted(6, now)
		if _, changed := k.save(); k.Wait != want || now.Before(k.Until) != (want > 0) || !changed {
			t.Errorf("%d of 126 refused: %+v, to be saved: %v", denied, k, changed)
		}
		k.accepted(6, now)
		if _, changed := k.save(); changed || k.served > 2 {
			t.Errorf("decided again: %+v", k)
		}
	}
}
