package remote

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestParseRateLimit(t *testing.T) {
	for text, want := range map[string]string{
		"auto": "auto", "none": "none", "1/s": "1/s", "12/m": "12/m", "1/s,12/m": "1/s,12/m", "1/s, 100/h": "1/s,100/h",
		"3/10s": "3/10s", "5/600ms": "5/600ms", "12/60s": "12/m",
	} {
		l, err := ParseRateLimit(text)
		if err != nil || l.String() != want {
			t.Errorf("%q: %q, %v, want %q", text, l, err, want)
		}
	}
	for want, texts := range map[string]string{
		"is not a rate; write 1/s, 12/m,":                                    "|1|1/|/s|1/d|1/s,|1.5/s|12 a minute|unlimited|1/s,none|auto,1/s|1/S|1/s/s",
		"is out of range; write 1 to 10000 calls in 1ms to 1h, such as 12/m": "0/s|-1/s|1/0s|1/-5s|1/2h|10001/s|100000/s|99999999999999999999/s|-99999999999999999999/s|1/1us|1/s,1/2h",
	} {
		for text := range strings.SplitSeq(texts, "|") {
			if l, err := ParseRateLimit(text); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %q, %v, want %q", text, l, err, want)
			}
		}
	}
}

// An interval counts a tenth longer, a second at most. A request is worth the largest interval.
func TestRateWindow(t *testing.T) {
	for text, want := range map[string][2]time.Duration{
		"1/s":      {1100 * time.Millisecond, time.Second},
		"12/m":     {61 * time.Second, 5 * time.Second},
		"1/s,12/m": {1100 * time.Millisecond, 5 * time.Second},
		"6/600ms":  {660 * time.Millisecond, 100 * time.Millisecond},
	} {
		l, err := ParseRateLimit(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]time.Duration{l.Rates[0].window(), worth(l.Rates)}; got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestScheduleOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		ago := func(d time.Duration) time.Time { return now.Add(-d) }
		s := schedule{sent: []time.Time{ago(50 * time.Second), ago(20 * time.Second), ago(10 * time.Second)}}
		rate := Rate{3, time.Minute}
		for _, tc := range []struct {
			pending, ahead int
			want           time.Duration
		}{
			{0, 0, 11 * time.Second},
			{0, 1, 41 * time.Second},
			{0, 2, 51 * time.Second},
			{0, 3, (11 + 61) * time.Second}, // after the first of those that wait
			{1, 0, 41 * time.Second},
			{1, 2, (11 + 61) * time.Second},
			{0, 6, (11 + 61 + 61) * time.Second},
		} {
			s.pending = tc.pending
			if got := s.open(rate, now, tc.ahead).Sub(now); got != tc.want {
				t.Errorf("%d pending, %d ahead: open in %v, want %v", tc.pending, tc.ahead, got, tc.want)
			}
		}
		s.pending = 0
		if got := s.open(Rate{4, time.Minute}, now, 0); !got.Equal(now) {
			t.Errorf("one of four is free, open at %v", got)
		}
		if n := s.free(Rate{4, time.Minute}, now); n != 1 {
			t.Errorf("%d of four free, want 1", n)
		}
	})
}
