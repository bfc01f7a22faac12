package remote

import (
	"encoding/json"
	"time"
)

const (
	// stretchMost is the last step that calls are spread by beside another client
	// of the account. Where refusals come longMany and more in a row, the account
	// allows less than one a second, and it is stretchLimit.
	stretchMost  = 3
	stretchLimit = 5
	longMany     = 3
	// gapMost bounds the distance all the same.
	gapMost = 10 * time.Second
	// cleanFor is how long no call must be refused before one step is taken
	// back. It doubles, up to cleanMost, when that was too early.
	cleanFor  = time.Minute
	cleanMost = 15 * time.Minute
	// manyLeast and manyMost are how many calls pass within a minute before
	// a limit of 12 a minute refuses one: a token bucket that was full lets twice as
	// many through.
	manyLeast = 10
	manyMost  = 24
	// probeFirst and probeMost bound how long a learnt rate holds before the
	// documented one is tried again; each failure doubles it.
	probeFirst = time.Hour
	probeMost  = 24 * time.Hour
)

// stretches are the steps by which calls are spread, as parts of their distance.
// Two clients at 2.9 have fallen into step for certain after one refusal: the
// one that was refused up to a second after the other's call asks again a second
// later, and so at least a second before the other's next.
var stretches = [stretchLimit + 1]float64{1, 1.9, 2.9, 4.3, 6.5, 9}

// learnt is what refusals have taught about a rate limit. There are two lessons.
// Two refusals in a row after ten or more calls went through within a minute mean
// that there is a limit by the minute as well. Any other means that somebody
// else uses the account: calls are then spread, by one step more for each bout
// of refusals. All who do that keep to the same few distances, so that they fall
// into step, each between the calls of the others, and stay there: in trials
// with two to four clients this gave fewer refusals and more calls than gaps
// that grow by halves, or are random.
type learnt struct {
	Stretch int           `json:"stretch,omitempty"` // index of stretches
	Clean   time.Time     `json:"clean"`             // since when no call was refused, or a step taken back
	Hold    time.Duration `json:"hold,omitempty"`    // how long that must last; 0: cleanFor
	Wait    time.Duration `json:"wait,omitempty"`    // how long the limit by the minute holds; 0: it is not known
	Until   time.Time     `json:"until"`             // when it ends

	trying bool // the last step taken back is yet to prove right
	dirty  bool // has to be recorded
}

// rates is what holds, given what the user asked for.
func (k *learnt) rates(limit RateLimit, now time.Time) []Rate {
	if limit.Auto && now.Before(k.Until) {
		return []Rate{onePerSecond, twelveMore}
	}
	return limit.Rates
}

// gap is how far apart calls are to be beside another client, 0 if there is none.
func (k *learnt) gap(rates []Rate) time.Duration {
	if k.Stretch == 0 || len(rates) == 0 {
		return 0
	}
	gap := worth(rates)
	gap += min(gap/slackShare, slackMost)
	return min(time.Duration(stretches[k.Stretch]*float64(gap)), max(gap, gapMost))
}

// refused learns from a refusal. passed is how many calls were answered within
// the last minute, before how many were refused in a row before this one. It
// returns what to say about it.
func (k *learnt) refused(limit RateLimit, passed, before int, now time.Time) (said string) {
	k.dirty, k.Clean = true, now
	if limit.Auto && before == 1 && k.Stretch <= 1 && passed >= manyLeast && passed <= manyMost && !now.Before(k.Until) {
		k.Wait = min(max(probeFirst, 2*k.Wait), probeMost)
		k.Until = now.Add(k.Wait)
		k.Stretch = 0 // the step that the first refusal has cost
		return "the server allows 12 calls a minute: they are kept for " + k.Wait.String()
	}
	switch {
	case before > 0 && (before < longMany || passed < longMany):
		return ""
	case len(limit.Rates) == 0:
		return "calls pause: the server refuses more for now"
	case before > 0:
		k.Stretch = min(k.Stretch+1, stretchLimit)
		return ""
	}
	if k.trying {
		k.Hold = min(2*max(k.Hold, cleanFor), cleanMost)
	}
	k.trying = false
	k.Stretch = max(k.Stretch, min(k.Stretch+1, stretchMost))
	return "refused within the limit, so somebody else may use this account: calls are spread"
}

// accepted learns from a call that was not refused; passed is as in refused.
func (k *learnt) accepted(passed int, now time.Time) {
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
	case k.Hold > 0:
		k.Hold, k.trying, k.dirty = 0, false, true
	}
}

// load takes over what an earlier process has learnt.
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
	// As if calls had gone on meanwhile.
	for old.Stretch > 0 && now.Sub(old.Clean) >= max(old.Hold, cleanFor) {
		old.Stretch--
		old.Clean = old.Clean.Add(max(old.Hold, cleanFor))
	}
	*k = old
}

// save returns what is to be recorded, if that has changed.
func (k *learnt) save() (text string, changed bool) {
	if !k.dirty {
		return "", false
	}
	k.dirty = false
	b, err := json.Marshal(k)
	return string(b), err == nil
}
