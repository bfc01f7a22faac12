package remote

import (
	"encoding/json"
	"time"
)

const (
	// stretchMost is the last step by which calls are spread beside another client of
	// the account. With longMany or more refusals in a row the account allows less than
	// one call a second, and stretchLimit is the last step. So it does with so many series of
	// refusals in spite of stretchMost, each with fewer than fewGood calls before it.
	stretchMost  = 3
	stretchLimit = 5
	longMany     = 3
	fewGood      = 6
	// gapMost bounds the distance between calls in any case.
	gapMost = 10 * time.Second
	// cleanFor is how long no call must be refused before one step is taken back. If
	// that was too early, it doubles, up to cleanMost.
	cleanFor  = time.Minute
	cleanMost = 15 * time.Minute
	// manyLeast and manyMost are how many calls within a minute pass before a limit of
	// 12 a minute refuses one. A full token bucket lets twice as many through.
	manyLeast = 10
	manyMost  = 24
	// probeFirst and probeMost bound how long a learnt rate is kept before the
	// documented one is tried again; each failure doubles it.
	probeFirst = time.Hour
	probeMost  = 24 * time.Hour
	// probeShared is probeFirst if several clients share the calls, so that nobody can count
	// them: that may be wrong.
	probeShared = 10 * time.Minute
)

// stretches are the factors by which the distance of calls grows, step by step. At 2.9 two
// clients are certain to alternate after one refusal: the refused one asked at most a second
// after the other's call, so it asks again, a second later, at least a second before the
// other's next call.
var stretches = [stretchLimit + 1]float64{1, 1.9, 2.9, 4.3, 6.5, 9}

// learnt is what refusals have taught about a rate limit. There are two lessons. Two
// refusals in a row after ten or more calls within a minute mean that there is also a limit
// per minute. Any other refusal means that somebody else uses the account: calls are then
// spread, by one step more for each series of refusals. Clients that do so use the same few
// distances, so they end up alternating, and stay so. In trials with two to four clients
// this gave fewer refusals and more calls than distances that grow by half, or at random.
// If even the largest distance does not help, both are true.
type learnt struct {
	Stretch int           `json:"stretch,omitempty"` // index of stretches
	Clean   time.Time     `json:"clean"`             // when a call was last refused or a step taken back
	Hold    time.Duration `json:"hold,omitempty"`    // how long after Clean a step is taken back; 0: cleanFor
	Wait    time.Duration `json:"wait,omitempty"`    // how long the limit per minute is kept; 0: none is known
	Until   time.Time     `json:"until"`             // when that ends

	good   int  // calls answered since the last refusal
	bad    int  // series of refusals with fewer than fewGood calls between them
	trying bool // a step was taken back, and may have been too early
	dirty  bool // must be saved

	served, denied int       // calls since the limit per minute was learnt
	reviewed       time.Time // Until at the last review
}

// rates returns the rates to keep, given the limit that the user asked for.
func (k *learnt) rates(limit RateLimit, now time.Time) []Rate {
	if limit.Auto && now.Before(k.Until) {
		return []Rate{onePerSecond, twelveMore}
	}
	return limit.Rates
}

// gap returns the distance of calls beside another client, 0 if there is none. Without any, but
// only just, calls are spread evenly: a burst would fill the window of both.
func (k *learnt) gap(rates []Rate) time.Duration {
	if k.Stretch == 0 && !k.trying {
		return 0
	}
	gap := worth(rates)
	gap += min(gap/slackShare, slackMost)
	return min(time.Duration(stretches[k.Stretch]*float64(gap)), max(gap, gapMost))
}

// refused learns from a refusal. passed is how many calls were answered within the last
// minute, before is how many were refused in a row before this one. It returns what to log.
func (k *learnt) refused(limit RateLimit, passed, before int, now time.Time) (said string) {
	k.dirty, k.Clean = true, now
	k.denied++
	mayLearn := limit.Auto && !now.Before(k.Until)
	if mayLearn && before == 1 && k.Stretch <= 1 && passed >= manyLeast && passed <= manyMost {
		k.keep(min(max(probeFirst, 2*k.Wait), probeMost), now)
		k.Stretch = 0 // undo the step of the first refusal
		return "the server allows 12 calls a minute: this limit is kept for " + k.Wait.String()
	}
	if k.good >= fewGood {
		k.bad = 0
	}
	if before == 0 {
		k.bad++
	}
	k.good = 0
	long := before >= longMany && (passed >= longMany || k.Wait > 0) || before == 0 && k.bad >= longMany && k.Stretch >= stretchMost
	if mayLearn && long && (k.Stretch == stretchLimit || k.Wait > 0) {
		k.keep(min(max(probeShared, 2*k.Wait), probeMost), now)
		k.Stretch = stretchMost
		return "the account seems to allow 12 calls a minute to several clients: this limit is kept for " + k.Wait.String()
	}
	switch {
	case before > 0 && !long:
		return ""
	case len(limit.Rates) == 0:
		return "calls pause: the server refuses more for now"
	case long:
		k.Stretch = min(k.Stretch+1, stretchLimit)
		return ""
	}
	if k.trying {
		k.Hold = min(2*max(k.Hold, cleanFor), cleanMost)
	}
	k.trying = false
	k.Stretch = max(k.Stretch, min(k.Stretch+1, stretchMost))
	return "refused within the limit, so somebody else may be using this account: calls are spread out"
}

// keep keeps the limit per minute for a time.
func (k *learnt) keep(wait time.Duration, now time.Time) {
	k.Wait, k.Until = wait, now.Add(wait)
	k.served, k.denied = 0, 0
}

// review decides, when it is time to try the documented limit again, whether that makes sense.
// Beside another client it does not as long as few calls are refused. If many are, the lesson was
// wrong.
func (k *learnt) review(now time.Time) {
	if k.Wait == 0 || now.Before(k.Until) || k.reviewed.Equal(k.Until) {
		return
	}
	k.reviewed, k.dirty = k.Until, true
	switch {
	case k.Stretch == 0: // nobody else is there
	case 4*k.denied <= k.served:
		k.Until = now.Add(k.Wait)
	case k.Wait < probeFirst:
		k.Wait = 0
	}
	k.served, k.denied = 0, 0
}

// accepted learns from a call that was not refused; passed is as in refused.
func (k *learnt) accepted(passed int, now time.Time) {
	k.good++
	k.review(now)
	k.served++
	if k.Wait > 0 && !now.Before(k.Until) && passed > manyMost {
		k.Wait, k.dirty = 0, true // the documented limit holds after all
	}
	if now.Sub(k.Clean) < max(k.Hold, cleanFor) {
		return
	}
	switch {
	case k.Stretch > 0:
		k.Stretch--
		k.Clean, k.trying, k.dirty = now, true, true
	case k.Hold > 0 || k.trying:
		k.Hold, k.trying, k.dirty = 0, false, true
	}
}

// load restores what an earlier process has learnt.
func (k *learnt) load(text string, now time.Time) {
	var old learnt
	if json.Unmarshal([]byte(text), &old) != nil {
		return
	}
	old.Stretch = min(max(0, old.Stretch), stretchLimit)
	old.Hold = min(max(0, old.Hold), cleanMost)
	old.Wait = min(max(0, old.Wait), probeMost)
	if old.Clean.After(now) {
		old.Clean = now
	}
	if old.Until.After(now.Add(probeMost)) {
		old.Until = now // the clock was set back
	}
	// As if calls had gone on in the meantime.
	for old.Stretch > 0 && now.Sub(old.Clean) >= max(old.Hold, cleanFor) {
		old.Stretch--
		old.Clean = old.Clean.Add(max(old.Hold, cleanFor))
	}
	if now.Sub(old.Clean) >= max(old.Hold, cleanFor) {
		old.Hold = 0
	}
	*k = old
}

// save returns what to record, if that has changed.
func (k *learnt) save() (text string, changed bool) {
	if !k.dirty {
		return "", false
	}
	k.dirty = false
	b, err := json.Marshal(k)
	return string(b), err == nil
}
