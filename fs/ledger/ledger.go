// Package ledger adds up what the downloads of a spool have cost, by day and by
// program.
package ledger

import (
	"cmp"
	"encoding/json"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"assetfs/remote"
)

const (
	// OwnProgram stands for downloads that no program waits for, such as those for the
	// names of a listing.
	OwnProgram = "assetfs"
	// otherPrograms stands for all programs of a day after the first mostPrograms.
	otherPrograms = "others"
	mostPrograms  = 50
	// every is how often new figures are recorded while there are any, so that a killed process
	// loses less than a second of them. Otherwise they are looked for at each full second, as
	// everything that watches does, so that an idle process wakes up once a second.
	every = 250 * time.Millisecond
	// noteLedger is the name of the spool's note with the first and the last day. With a dot
	// and a day after it, it is the note of that day. Days are in local time.
	noteLedger = "ledger"
	dayFormat  = "2006-01-02"
	// monthFormat formats the month that a day's name begins with.
	monthFormat = "2006-01-"
	// daysMost limits how many days are looked for, in case a clock was wrong.
	daysMost = 100 * 366
)

// spending is what programs have caused by downloads, and how much was read.
type spending struct {
	Served   int64             `json:"served,omitempty"` // bytes
	Programs map[string]charge `json:"programs,omitempty"`
}

// charge is what one program has caused.
type charge struct {
	Requests int64   `json:"requests"`
	Bytes    int64   `json:"bytes"`
	Dollars  float64 `json:"dollars"`
}

func (c charge) plus(d charge) charge {
	return charge{c.Requests + d.Requests, c.Bytes + d.Bytes, c.Dollars + d.Dollars}
}

// add adds what a program has caused. Programs after the first most of them are counted
// together; with 0 all are counted separately.
func (s *spending) add(program string, c charge, most int) {
	if s.Programs == nil {
		s.Programs = map[string]charge{}
	}
	if _, known := s.Programs[program]; !known && most > 0 && len(s.Programs) >= most {
		program = otherPrograms
	}
	s.Programs[program] = s.Programs[program].plus(c)
}

// total is the sum over all programs.
func (s spending) total() charge {
	var sum charge
	for _, c := range s.Programs {
		sum = sum.plus(c)
	}
	return sum
}

// Options configure a Ledger. All are required, except for the limit.
type Options struct {
	// Notes are the spool's, where days are recorded.
	Notes interface {
		Note(name string) string
		SetNote(name, value string) error
	}
	PricePerGB  float64 // dollars
	MaxPerMonth int64   // bytes that may be downloaded in a month of local time; 0: no limit

	Spent  func() map[string]remote.Spent // what this process has downloaded until now, by program
	Served func() int64                   // and what was read, in bytes
	Allow  func(bytes int64)              // lets so much be downloaded from now on

	Log *slog.Logger
}

// A Ledger adds up, day by day, what the downloads of a spool have cost. Methods may be called
// concurrently.
type Ledger struct {
	o     Options
	lost  bool   // the last flush failed
	month string // for which Allow was called last

	end    chan struct{}  // closed by Close
	keeper sync.WaitGroup // records what is new

	mu      sync.Mutex // guards what follows; no I/O under it
	days    map[string]*spending
	unsaved map[string]bool // of days, that have not been recorded as they are
	mount   spending        // by this mount
	seen    map[string]remote.Spent
	served  int64
}

// New reads earlier days from the spool, and allows what is left of this month.
func New(o Options) *Ledger {
	l := &Ledger{o: o, days: map[string]*spending{}, unsaved: map[string]bool{}, seen: map[string]remote.Spent{}, end: make(chan struct{})}
	l.load()
	l.allow(time.Now())
	return l
}

// Start begins to record costs regularly. Close ends that.
func (l *Ledger) Start() {
	l.keeper.Go(func() {
		for {
			now := time.Now()
			wait := now.Truncate(time.Second).Add(time.Second).Sub(now)
			if l.record(now) {
				wait = min(wait, every)
			}
			select {
			case <-time.After(wait):
			case <-l.end:
				return
			}
		}
	})
}

// Close records the last figures.
func (l *Ledger) Close() {
	close(l.end)
	l.keeper.Wait()
	l.record(time.Now())
}

// load reads all days from the spool.
func (l *Ledger) load() {
	first, last, _ := strings.Cut(l.o.Notes.Note(noteLedger), " ")
	date, err := time.Parse(dayFormat, first)
	if err != nil {
		return // there is none yet
	}
	for range daysMost {
		name := date.Format(dayFormat)
		var s spending
		if json.Unmarshal([]byte(l.o.Notes.Note(noteLedger+"."+name)), &s) == nil { // "" if nothing was spent
			l.days[name] = &s
		}
		if name >= last {
			break
		}
		date = date.AddDate(0, 0, 1)
	}
}

// take adds what has come since the last call, and reports whether anything has.
func (l *Ledger) take(now time.Time) (found bool) {
	spent, served := l.o.Spent(), l.o.Served()
	l.mu.Lock()
	defer l.mu.Unlock()
	today := now.Format(dayFormat)
	day := l.days[today]
	if day == nil {
		day = &spending{}
		l.days[today] = day
	}
	// What sockets hold is an estimate, which may fall. It moves to another program when that
	// one reads on, and must not be paid by both.
	var unpaid int64
	for program, now := range spent {
		unpaid += now.Bytes - l.seen[program].Bytes
	}
	for program, now := range spent {
		was := l.seen[program]
		c := charge{Requests: max(0, now.Requests-was.Requests), Bytes: max(0, min(unpaid, now.Bytes-was.Bytes))}
		unpaid -= c.Bytes
		if c == (charge{}) {
			continue
		}
		c.Dollars = l.Cost(c.Bytes)
		l.seen[program] = remote.Spent{Requests: was.Requests + c.Requests, Bytes: was.Bytes + c.Bytes}
		day.add(cmp.Or(program, OwnProgram), c, mostPrograms)
		l.mount.add(cmp.Or(program, OwnProgram), c, mostPrograms)
		l.unsaved[today], found = true, true
	}
	if n := served - l.served; n > 0 {
		l.served = served
		day.Served += n
		l.mount.Served += n
		l.unsaved[today], found = true, true
	}
	return found
}

// record writes new figures, and reports whether there were any. A new month starts with its whole
// limit.
func (l *Ledger) record(now time.Time) (found bool) {
	found = l.take(now)
	l.flush()
	if now.Format(monthFormat) != l.month {
		l.allow(now)
	}
	return found
}

// allow permits downloads of what is left of this month.
func (l *Ledger) allow(now time.Time) {
	l.month = now.Format(monthFormat)
	if l.o.MaxPerMonth > 0 {
		l.mu.Lock()
		spent := l.sumLocked(l.month).total().Bytes
		l.mu.Unlock()
		l.o.Allow(max(0, l.o.MaxPerMonth-spent))
	}
}

// flush writes the days that have changed.
func (l *Ledger) flush() {
	l.mu.Lock()
	dates, texts := slices.Sorted(maps.Keys(l.unsaved)), map[string][]byte{}
	for _, date := range dates {
		texts[date], _ = json.Marshal(l.days[date]) // of numbers and names
	}
	clear(l.unsaved)
	l.mu.Unlock()
	for i, date := range dates {
		err := l.save(date, string(texts[date]))
		if err != nil && !l.lost {
			l.o.Log.Warn("the cost of downloads can't be recorded now", "error", err)
		}
		if l.lost = err != nil; l.lost {
			l.mu.Lock()
			for _, date := range dates[i:] {
				l.unsaved[date] = true
			}
			l.mu.Unlock()
			return
		}
	}
}

// save writes one day to the spool.
func (l *Ledger) save(date, text string) error {
	if err := l.o.Notes.SetNote(noteLedger+"."+date, text); err != nil {
		return err
	}
	first, last, known := strings.Cut(l.o.Notes.Note(noteLedger), " ")
	if !known {
		first, last = date, date
	}
	return l.o.Notes.SetNote(noteLedger, min(first, date)+" "+max(last, date))
}

// sumLocked returns the sum of the days whose names begin with prefix.
func (l *Ledger) sumLocked(prefix string) spending {
	var sum spending
	for date, s := range l.days {
		if strings.HasPrefix(date, prefix) {
			sum.Served += s.Served
			for program, c := range s.Programs {
				sum.add(program, c, 0)
			}
		}
	}
	return sum
}
