package remote

import (
	"strings"
	"testing"
	"time"
)

// Records that we can't have written do no harm.
func TestLoadLearnt(t *testing.T) {
	now := time.Unix(1e9, 0)
	for _, text := range []string{
		"", "{", "[]", `{"stretch":99,"hold":-5,"wait":-5}`, `{"stretch":99,"hold":9000000000000000000,"wait":9000000000000000000,"clean":"2001-09-09T01:46:40Z"}`,
		`{"stretch":-1,"until":"2100-01-01T00:00:00Z","clean":"2100-01-01T00:00:00Z"}`,
	} {
		var k learnt
		k.load(text, now)
		if r := k.rates(AutoRateLimit(), now); len(r) > 2 || k.Stretch < 0 || k.Stretch > stretchLimit || k.Hold < 0 || k.Hold > cleanMost ||
			k.Wait < 0 || k.Wait > probeMost || k.Until.After(now.Add(probeMost)) || k.Clean.After(now) {
			t.Errorf("%q: %+v", text, k)
		}
		if _, changed := k.save(); changed {
			t.Errorf("%q is to be saved", text)
		}
	}
}

// While assetfs was not running, steps were taken back as if it had been.
func TestLoadLater(t *testing.T) {
	began := time.Unix(1e9, 0)
	var k learnt
	for range 3 {
		k.refused(AutoRateLimit(), 0, 0, began)
	}
	k.Hold = 2 * cleanFor
	text, changed := k.save()
	if _, again := k.save(); !changed || again {
		t.Errorf("to be saved: %v, %v", changed, again)
	}
	for later, want := range map[time.Duration]learnt{
		0:            {Stretch: 3, Hold: 2 * cleanFor, Clean: began},
		5 * cleanFor: {Stretch: 1, Hold: 2 * cleanFor, Clean: began.Add(4 * cleanFor)},
		time.Hour:    {Clean: began.Add(6 * cleanFor)},
	} {
		var got learnt
		got.load(text, began.Add(later))
		if got.Stretch != want.Stretch || got.Hold != want.Hold || !got.Clean.Equal(want.Clean) {
			t.Errorf("after %v: %+v, want %+v", later, got, want)
		}
	}
}

// What was learnt about the documented limits means nothing for one that the user has given, nor for none.
func TestLearntOnlyForAuto(t *testing.T) {
	now := time.Unix(1e9, 0)
	k := learnt{Until: now.Add(time.Hour), Stretch: 3}
	own := RateLimit{Rates: []Rate{{5, time.Second}}}
	if got := rateList(k.rates(own, now)); got != own.String() {
		t.Errorf("%s, want %v", got, own)
	}
	if gap := k.gap(nil); gap != 0 {
		t.Errorf("calls without a limit are %v apart", gap)
	}
	if said := k.refused(RateLimit{}, 0, 0, now); !strings.Contains(said, "calls pause") || k.Stretch != 3 {
		t.Errorf("%q, %+v", said, k)
	}
}
