package ledger

import (
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/remote"
)

// memo is a spool's notes.
type memo struct {
	text  map[string]string
	err   error
	wrote func() // is called at the end of SetNote, if there is one
}

func (m *memo) Note(name string) string { return m.text[name] }

func (m *memo) SetNote(name, value string) error {
	if m.err == nil {
		m.text[name] = value
	}
	if m.wrote != nil {
		m.wrote()
	}
	return m.err
}

// bookkeeper drives a ledger as a mount does.
type bookkeeper struct {
	*Ledger
	spent  map[string]remote.Spent
	served int64
	shift  int // of the clock, in days
}

func open(m *memo) *bookkeeper {
	b := &bookkeeper{spent: map[string]remote.Spent{}}
	b.Ledger = New(Options{
		Notes: m, PricePerGB: 1, Log: slog.New(slog.DiscardHandler),
		Spent:  func() map[string]remote.Spent { return b.spent },
		Served: func() int64 { return b.served },
	})
	return b
}

// sums are what was spent by this mount, today, this month and ever.
func (b *bookkeeper) sums() (mount, today, month, ever spending) {
	now := time.Now()
	return b.mount, b.sumLocked(now.Format(dayFormat)), b.sumLocked(now.Format(monthFormat)), b.sumLocked("")
}

// buys has a program download n bytes by one request.
func (b *bookkeeper) buys(program string, n int64) {
	s := b.spent[program]
	b.spent[program] = remote.Spent{Requests: s.Requests + 1, Bytes: s.Bytes + n}
	b.take(time.Now().AddDate(0, 0, b.shift))
}

func (b *bookkeeper) check(t *testing.T, what string, want ...int64) {
	t.Helper()
	mount, today, month, ever := b.sums()
	got := []int64{mount.total().Bytes, today.total().Bytes, month.total().Bytes, ever.total().Bytes}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: mount, today, month, ever are %v, want %v", what, got, want)
	}
}

// What was spent is found again by day, month and program, by whichever process.
func TestLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Time begins on 2000-01-01 there, in UTC.
		m := &memo{text: map[string]string{}}
		b := open(m)
		b.check(t, "new", 0, 0, 0, 0)
		b.buys("cat", 100)
		b.buys("", 5)
		b.check(t, "first day", 105, 105, 105, 105)
		b.flush()
		b.buys("mpv", 1000) // and is killed
		b = open(m)
		b.check(t, "after a kill", 0, 105, 105, 105)
		time.Sleep(24 * time.Hour)
		b.buys("cat", 10)
		b.record(time.Now())
		if b.month != "2000-01-" {
			t.Errorf("on the second day the month is %s", b.month)
		}
		b.buys("cat", 20)
		b.check(t, "second day", 30, 30, 135, 135)
		b.flush()
		time.Sleep(40 * 24 * time.Hour)
		b.record(time.Now())
		if b.month != "2000-02-" {
			t.Errorf("in February the month is %s", b.month)
		}
		b.buys("ffprobe", 7)
		b.check(t, "next month", 37, 7, 7, 142)
		b.flush()
		b = open(m)
		b.check(t, "next process", 0, 7, 7, 142)
		_, _, _, ever := b.sums()
		want := map[string]charge{"cat": {3, 130, 130e-9}, "assetfs": {1, 5, 5e-9}, "ffprobe": {1, 7, 7e-9}}
		for program, w := range want {
			if g := ever.Programs[program]; g.Requests != w.Requests || g.Bytes != w.Bytes || g.Dollars < w.Dollars*0.999 || g.Dollars > w.Dollars*1.001 {
				t.Errorf("%s has spent %+v, want %+v", program, g, w)
			}
		}
		if len(ever.Programs) != len(want) {
			t.Errorf("programs %+v, want %+v", ever.Programs, want)
		}
	})
}

// What can't be written is kept, and written later, on its own day.
func TestLedgerDiskFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memo{text: map[string]string{}, err: errors.New("disk full")}
		b := open(m)
		b.buys("cat", 100)
		b.flush()
		time.Sleep(24 * time.Hour)
		b.flush()
		b.buys("cat", 1)
		b.check(t, "disk full", 101, 1, 101, 101)
		m.err = nil
		b.flush()
		b.flush()
		b = open(m)
		b.check(t, "written later", 0, 1, 101, 101)
	})
}

// A clock that is set back loses nothing, nor does a note that can't be read harm others.
func TestLedgerClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memo{text: map[string]string{
			"ledger":            "1970-01-01 2030-01-01",
			"ledger.1970-01-01": `{"programs":{"cat":{"requests":1,"bytes":1}}}`,
			"ledger.2030-01-01": `{"programs":{"cat":{"requests":1,"bytes":2}}}`,
			"ledger.2000-01-01": `{"served":9,"programs":{"cat":{"requests":1,"bytes":4}}}`,
			"ledger.2000-01-02": `{`,
		}}
		b := open(m)
		b.check(t, "wrong clocks", 0, 4, 4, 7)
		b.buys("cat", 8)
		b.flush()
		b.shift = -1
		b.buys("cat", 16)
		b.flush()
		b = open(m)
		b.check(t, "set back", 0, 12, 12, 31)
	})
}

// An estimate that shrinks takes nothing back, and is not counted twice; programs
// beyond many are one.
func TestLedgerSums(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := open(&memo{text: map[string]string{}})
		for _, bytes := range []int64{100, 90, 100, 120, 110} {
			b.spent, b.served = map[string]remote.Spent{"cat": {Requests: 1, Bytes: bytes}}, 50
			b.take(time.Now())
		}
		b.check(t, "estimates", 120, 120, 120, 120)
		for i := range 3 * mostPrograms {
			b.buys(strings.Repeat("x", i+1), 1)
		}
		b.buys("cat", 17) // on from 110; it was among the first
		_, today, _, _ := b.sums()
		if n := len(today.Programs); n > mostPrograms+1 || today.total().Bytes != 127+3*mostPrograms || today.Served != 50 {
			t.Errorf("%d programs, %+v", n, today.total())
		}
		if cat := today.Programs["cat"].Bytes; cat != 127 {
			t.Errorf("cat has %d bytes of its 127", cat)
		}
	})
}

// What comes while a day is recorded is not lost.
func TestLedgerGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &memo{text: map[string]string{}}
		l := open(m)
		l.buys("cat", 100)
		m.wrote = func() {
			m.wrote = nil
			l.buys("cat", 10) // as a status does, which asks what was spent
		}
		l.flush()
		mount, _, _, ever := l.sums()
		if mount.total().Bytes != 110 || ever.total().Bytes != 110 {
			t.Errorf("of 110 bytes %d are this mount's and %d ever", mount.total().Bytes, ever.total().Bytes)
		}
		l.flush()
		_, _, _, ever = open(m).sums()
		if ever.total().Bytes != 110 {
			t.Errorf("of 110 bytes %d are found again", ever.total().Bytes)
		}
	})
}

// A ledger wakes up once a second, at the full second, while nothing is spent.
func TestLedgerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(300 * time.Millisecond)
		var served, looks atomic.Int64
		l := New(Options{
			Notes: &memo{text: map[string]string{}}, Log: slog.New(slog.DiscardHandler),
			Served: served.Load,
			Spent: func() map[string]remote.Spent {
				if now := time.Now(); served.Load() == 0 && looks.Add(1) > 1 && !now.Equal(now.Truncate(time.Second)) {
					t.Errorf("woke up at %v", now)
				}
				return nil
			},
		})
		l.Start()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if n := looks.Load(); n != 11 {
			t.Errorf("looked %d times in 10 s", n)
		}
		served.Add(1) // the end may come at any time
		l.Close()
	})
}

// While something is spent it is recorded several times a second.
func TestLedgerKeepsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var served, looks atomic.Int64
		l := New(Options{
			Notes: &memo{text: map[string]string{}}, Log: slog.New(slog.DiscardHandler),
			Served: served.Load, Spent: func() map[string]remote.Spent { looks.Add(1); return nil },
		})
		l.Start()
		for range 100 {
			served.Add(1)
			time.Sleep(100 * time.Millisecond)
		}
		if n := looks.Load(); n < 30 {
			t.Errorf("looked %d times in 10 s of reading", n)
		}
		l.Close()
	})
}

// What a socket holds counts for the program that downloads. If another one reads it, it is
// still paid once.
func TestLedgerOtherReader(t *testing.T) {
	t.Parallel()
	b := open(&memo{text: map[string]string{}})
	for _, step := range []struct{ opener, reader, want int64 }{
		{100, 0, 100}, // in the socket
		{0, 100, 100}, // read by the other
		{0, 150, 150},
		{30, 150, 180},
	} {
		b.spent = map[string]remote.Spent{"opener": {Bytes: step.opener}, "reader": {Bytes: step.reader}}
		b.record(time.Now())
		if mount, _, _, _ := b.sums(); mount.total().Bytes != step.want {
			t.Errorf("%+v: %d bytes", step, mount.total().Bytes)
		}
	}
}
