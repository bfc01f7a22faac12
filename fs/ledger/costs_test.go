package ledger

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/remote"
)

// Costs has what was downloaded and read until now, the most expensive program first, and each figure once.
func TestCosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(&memo{text: map[string]string{}})
		b.spent = map[string]remote.Spent{"cat": {Requests: 2, Bytes: 1e9}, "mpv": {Requests: 1, Bytes: 3e9}}
		b.served = 10e9
		want := Period{
			Requests: 3, Downloaded: 4e9, Cost: 4, Served: 10e9, Saved: 6,
			Programs: []Program{{"mpv", 1, 3e9, 3}, {"cat", 2, 1e9, 1}},
		}
		for range 2 {
			if got := b.Costs(); !reflect.DeepEqual(got, Costs{Mount: want, Today: want, Month: want, Ever: want}) {
				t.Errorf("%+v, want %+v four times", got, want)
			}
		}
	})
}

// What is left of a month may be downloaded, and in the next one all of it.
func TestMonthLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memo{text: map[string]string{"ledger": "1999-12-31 2000-01-01"}}
		for _, day := range []string{"1999-12-31", "2000-01-01"} {
			m.text["ledger."+day] = `{"programs":{"cat":{"requests":1,"bytes":100,"dollars":0}}}`
		}
		spent, allowed := map[string]remote.Spent{}, []int64{}
		l := New(Options{
			Notes: m, MaxPerMonth: 150, Log: slog.New(slog.DiscardHandler),
			Spent:  func() map[string]remote.Spent { return spent },
			Served: func() int64 { return 0 },
			Allow:  func(n int64) { allowed = append(allowed, n) },
		})
		if len(allowed) == 0 {
			t.Error("no limit until the first record")
		}
		l.record(time.Now())
		spent["cat"] = remote.Spent{Requests: 1, Bytes: 30}
		time.Sleep(31 * 24 * time.Hour)
		l.record(time.Now())
		if want := []int64{50, 120}; !reflect.DeepEqual(allowed, want) {
			t.Errorf("allowed %v, want %v", allowed, want)
		}
	})
}

// Figures are recorded at the end, too, and only if they are new; the log has one line when that begins to fail.
func TestRecordOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		writes := 0
		m := &memo{text: map[string]string{}, wrote: func() { writes++ }}
		b := open(m)
		b.o.Log = slog.New(slog.NewTextHandler(&log, nil))
		b.Start()
		synctest.Wait()
		b.spent["cat"] = remote.Spent{Requests: 1, Bytes: 7}
		b.Close()
		if !strings.Contains(m.text["ledger.2000-01-01"], `"bytes":7`) {
			t.Errorf("recorded %q", m.text)
		}
		before := writes
		if b.record(time.Now()) || writes != before {
			t.Errorf("%d writes of nothing new", writes-before)
		}
		full := errors.New("disk full")
		for _, m.err = range []error{full, full, nil, full} {
			b.spent["cat"] = remote.Spent{Requests: 1, Bytes: b.spent["cat"].Bytes + 1}
			b.record(time.Now())
		}
		if n := strings.Count(log.String(), "can't be recorded"); n != 2 {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
	})
}
