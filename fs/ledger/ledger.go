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
	// OwnProgram is for whom assetfs downloads what no program waits for: names
	// for a listing, say.
	OwnProgram = "assetfs"
	// otherPrograms are those beyond the first mostPrograms of a day.
	otherPrograms = "others"
	mostPrograms  = 50
	// every is how often what is new is recorded: a killed process has lost
	// less than a second of it.
	every = 250 * time.Millisecond
	// noteLedger is the spool's note of the first and the last day, and with a
	// day behind it that of this day. Days are those of the local time.
	noteLedger = "ledger"
	dayFormat  = "2006-01-02"
	// daysMost bounds the days that are looked for: a clock may have been wrong.
	daysMost = 100 * 366
)

// spending is what programs have caused by their downloads, and what was read.
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

// add adds what a program has caused.
func (s *spending) add(program string, c charge) {
	if s.Programs == nil {
		s.Programs = map[string]charge{}
	}
	if _, known := s.Programs[program]; !known && len(s.Programs) >= mostPrograms {
		program = otherPrograms
	}
	s.Programs[program] = s.Programs[program].plus(c)
}

// plus returns the sum of s and t.
func (s spending) plus(t spending) spending {
	sum := spending{Served: s.Served + t.Served, Programs: maps.Clone(s.Programs)}
	for program, c := range t.Programs {
		if sum.Programs == nil {
			sum.Programs = map[string]charge{}
		}
		sum.Programs[program] = sum.Programs[program].plus(c)
	}
	return sum
}

// total is the sum over all programs.
func (s spending) total() charge {
	var sum charge
	for _, c := range s.Programs {
		sum = sum.plus(c)
	}
	return sum
}

// Options say what a Ledger is made of. All are required, but for the limit.
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

// A Ledger adds up by day what the downloads of a spool have cost. Methods may be
// called concurrently.
type Ledger struct {
	o    Options
	lost bool // the last flush failed

	end    chan struct{}  // closed by Close
	keeper sync.WaitGroup // records what is new

	mu       sync.Mutex // guards what follows; no I/O under it
	today    string
	day      spending
	earlier  spending // on other days of this month
	past     spending // on all other days, these included
	seen     map[string]remote.Spent
	served   int64
	mount    spending // by this mount
	recorded bool     // day has been written as it is
	unsaved  map[string]spending
}

// New reads what the spool tells of earlier days, and allows what is left of this
// month.
func New(o Options) *Ledger {
	l := &Ledger{o: o, seen: map[string]remote.Spent{}, unsaved: map[string]spending{}, recorded: true, end: make(chan struct{})}
	l.begin(time.Now())
	l.allow()
	return l
}

// Start has what downloads cost recorded now and then. Close ends it.
func (l *Ledger) Start() {
	l.keeper.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				l.record()
			case <-l.end:
				return
			}
		}
	})
}

// Close records what came until now.
func (l *Ledger) Close() {
	close(l.end)
	l.keeper.Wait()
	l.record()
}

// begin makes now's day today.
func (l *Ledger) begin(now time.Time) {
	today, month := now.Format(dayFormat), now.Format("2006-01-")
	days := l.load()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.recorded { // it has come since the last flush
		l.unsaved[l.today] = spending{l.day.Served, maps.Clone(l.day.Programs)}
		l.recorded = true
	}
	maps.Copy(days, l.unsaved)
	l.today, l.day, l.earlier, l.past = today, days[today], spending{}, spending{}
	delete(days, today)
	for date, s := range days {
		l.past = l.past.plus(s)
		if strings.HasPrefix(date, month) {
			l.earlier = l.earlier.plus(s)
		}
	}
	l.day.Programs = maps.Clone(l.day.Programs)
}

// load reads all days from the spool.
func (l *Ledger) load() map[string]spending {
	days := map[string]spending{}
	first, last, _ := strings.Cut(l.o.Notes.Note(noteLedger), " ")
	date, err := time.Parse(dayFormat, first)
	if err != nil {
		return days // there is none yet
	}
	for range daysMost {
		name := date.Format(dayFormat)
		var s spending
		if text := l.o.Notes.Note(noteLedger + "." + name); text != "" && json.Unmarshal([]byte(text), &s) == nil {
			days[name] = s
		}
		if name >= last {
			break
		}
		date = date.AddDate(0, 0, 1)
	}
	return days
}

// take adds what has come since it was called last.
func (l *Ledger) take() {
	spent, served := l.o.Spent(), l.o.Served()
	l.mu.Lock()
	defer l.mu.Unlock()
	for program, now := range spent {
		was := l.seen[program]
		// What the kernel holds is an estimate, which may shrink.
		c := charge{Requests: max(0, now.Requests-was.Requests), Bytes: max(0, now.Bytes-was.Bytes)}
		if c == (charge{}) {
			continue
		}
		c.Dollars = l.Cost(c.Bytes)
		l.seen[program] = remote.Spent{Requests: was.Requests + c.Requests, Bytes: was.Bytes + c.Bytes}
		l.day.add(cmp.Or(program, OwnProgram), c)
		l.mount.add(cmp.Or(program, OwnProgram), c)
		l.recorded = false
	}
	if n := served - l.served; n > 0 {
		l.served = served
		l.day.Served += n
		l.mount.Served += n
		l.recorded = false
	}
}

// flush records what is new. It tells whether a new month has begun.
func (l *Ledger) flush(now time.Time) (newMonth bool) {
	today := now.Format(dayFormat)
	l.mu.Lock()
	if !l.recorded {
		l.unsaved[l.today] = spending{l.day.Served, maps.Clone(l.day.Programs)}
		l.recorded = true
	}
	was, unsaved := l.today, maps.Clone(l.unsaved)
	l.mu.Unlock()
	for _, date := range slices.Sorted(maps.Keys(unsaved)) {
		if !l.save(date, unsaved[date]) {
			break
		}
		l.mu.Lock()
		delete(l.unsaved, date)
		l.mu.Unlock()
	}
	if today == was {
		return false
	}
	l.begin(now)
	return today[:len("2006-01")] != was[:len("2006-01")]
}

// save writes one day to the spool.
func (l *Ledger) save(date string, s spending) bool {
	text, err := json.Marshal(s)
	if err == nil {
		err = l.o.Notes.SetNote(noteLedger+"."+date, string(text))
	}
	first, last, known := strings.Cut(l.o.Notes.Note(noteLedger), " ")
	if !known {
		first, last = date, date
	}
	if err == nil {
		err = l.o.Notes.SetNote(noteLedger, min(first, date)+" "+max(last, date))
	}
	if err != nil && !l.lost {
		l.o.Log.Warn("what downloads cost is not recorded for now", "error", err)
	}
	l.lost = err != nil
	return !l.lost
}
