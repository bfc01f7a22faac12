package remote

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rate allows N calls in any span of Per.
type Rate struct {
	N   int
	Per time.Duration
}

const (
	// slackShare and slackMost say how much longer than the server's an interval is
	// taken to be. Requests may arrive closer together than they were sent.
	slackShare = 10
	slackMost  = time.Second
	// rateMost bounds N, and perMost bounds Per, because times are kept over restarts.
	rateMost = 10_000
	perMost  = time.Hour
)

// window returns the span in which at most N calls are written.
func (r Rate) window() time.Duration { return r.Per + min(r.Per/slackShare, slackMost) }

// interval returns the time in which the rate earns one call.
func (r Rate) interval() time.Duration { return r.Per / time.Duration(r.N) }

// String writes r as ParseRateLimit reads it.
func (r Rate) String() string {
	for _, u := range units {
		if r.Per == u.per {
			return strconv.Itoa(r.N) + "/" + u.name
		}
	}
	return strconv.Itoa(r.N) + "/" + r.Per.String()
}

var units = []struct {
	name string
	per  time.Duration
}{{"s", time.Second}, {"m", time.Minute}, {"h", time.Hour}}

// RateLimit says how many calls may be made. The zero value is no limit.
type RateLimit struct {
	Rates []Rate // each of them must allow a call
	Auto  bool   // other rates may be learnt from refusals (API.md, 2 and 4)
}

// The two documented forms of the limit on downloads.
var (
	onePerSecond = Rate{1, time.Second}
	twelveMore   = Rate{12, time.Minute}
)

// AutoRateLimit starts with the documented limit of one call a second.
func AutoRateLimit() RateLimit { return RateLimit{Rates: []Rate{onePerSecond}, Auto: true} }

// ParseRateLimit reads "auto", "none", or rates such as "1/s,12/m": a count, and s, m, h or
// a duration.
func ParseRateLimit(text string) (RateLimit, error) {
	switch text {
	case "auto":
		return AutoRateLimit(), nil
	case "none":
		return RateLimit{}, nil
	}
	var l RateLimit
	for part := range strings.SplitSeq(text, ",") {
		r, ok := parseRate(strings.TrimSpace(part))
		switch {
		case !ok:
			return RateLimit{}, fmt.Errorf("%q is not a rate; write 1/s, 12/m, 1/s,12/m, none or auto", part)
		case r.N < 1 || r.N > rateMost || r.Per < time.Millisecond || r.Per > perMost:
			return RateLimit{}, fmt.Errorf("%q is out of range; write 1 to %d calls in 1ms to 1h, such as 12/m, or none", part, rateMost)
		}
		l.Rates = append(l.Rates, r)
	}
	return l, nil
}

// parseRate reads a rate, which may be out of range.
func parseRate(s string) (Rate, bool) {
	count, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return Rate{}, false
	}
	for _, u := range units {
		if unit == u.name {
			return Rate{n, u.per}, true
		}
	}
	per, err := time.ParseDuration(unit)
	return Rate{n, per}, err == nil
}

// String writes l as ParseRateLimit reads it.
func (l RateLimit) String() string {
	switch {
	case l.Auto:
		return "auto"
	case len(l.Rates) == 0:
		return "none"
	}
	return rateList(l.Rates)
}

func rateList(rates []Rate) string {
	var parts []string
	for _, r := range rates {
		parts = append(parts, r.String())
	}
	return strings.Join(parts, ",")
}

// worth returns the time that earns one call, which is how long a call is worth waiting
// for. It is 0 without a limit.
func worth(rates []Rate) time.Duration {
	most := time.Duration(0)
	for _, r := range rates {
		most = max(most, r.interval())
	}
	return most
}

// A schedule holds when calls were written, in order, and how many are about to be. It
// computes when further ones may be.
type schedule struct {
	sent    []time.Time
	pending int // slots handed out and not written yet
}

// open returns when one more call may be written under rate r, after ahead waiting calls.
// It is exact if nothing is pending, and otherwise a lower bound.
func (s *schedule) open(r Rate, now time.Time, ahead int) time.Time {
	return s.left(r, now, len(s.sent)+s.pending+ahead-r.N)
}

// openBackground is like open, for a call that nobody waits for. Under a rate of three or
// more it leaves a third to readers. It may use that third only so late that the j-th
// reader's call waits for at most j intervals.
func (s *schedule) openBackground(r Rate, now time.Time, ahead int) time.Time {
	at := s.open(r, now, ahead)
	for j := range r.N / 3 {
		wait := time.Duration(j+1) * r.interval()
		at = later(at, s.open(r, now, ahead+j+1).Add(-wait))
	}
	return at
}

// left returns when call number i, written or to come, has left the window of r.
func (s *schedule) left(r Rate, now time.Time, i int) time.Time {
	switch {
	case i < 0:
		return now
	case i < len(s.sent):
		return later(now, s.sent[i].Add(r.window()))
	}
	// It will be written as soon as the call r.N before it leaves the window.
	rounds := (i-len(s.sent))/r.N + 1
	return s.left(r, now, i-rounds*r.N).Add(time.Duration(rounds) * r.window())
}

// free returns how many more calls rate r allows now.
func (s *schedule) free(r Rate, now time.Time) int {
	n := r.N - s.pending
	for i := len(s.sent) - 1; i >= 0 && now.Sub(s.sent[i]) < r.window(); i-- {
		n--
	}
	return n
}

// forget drops the calls that have left the windows of all rates.
func (s *schedule) forget(rates []Rate, now time.Time) {
	longest := time.Minute // learnt looks back that far
	for _, r := range rates {
		longest = max(longest, r.window())
	}
	s.sent = slices.DeleteFunc(s.sent, func(t time.Time) bool { return now.Sub(t) >= longest })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// noLimit is how many calls are available without a limit.
const noLimit = math.MaxInt
