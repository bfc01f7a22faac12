package ledger

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// Costs is what downloads have cost.
type Costs struct {
	Mount    Period `json:"mount"` // since it was mounted
	Today    Period `json:"today"` // in local time, of the spool, as all that follow
	Month    Period `json:"month"`
	Ever     Period `json:"ever"`
	MaxMonth int64  `json:"max_per_month_bytes"` // 0: no limit
}

// Period is the cost of a span of time. The figures of Programs add up to it.
type Period struct {
	Requests   int64     `json:"downloads"`
	Downloaded int64     `json:"bytes"`
	Cost       float64   `json:"dollars"`
	Served     int64     `json:"served"`
	Saved      float64   `json:"saved"`    // what Served would have cost beyond Cost
	Programs   []Program `json:"programs"` // the most expensive first
}

// Program is what one program has caused: it waited when a download was opened or continued.
type Program struct {
	Program    string  `json:"program"` // its command name; "assetfs": no program waited
	Requests   int64   `json:"downloads"`
	Downloaded int64   `json:"bytes"`
	Cost       float64 `json:"dollars"`
}

// Cost is the price of n bytes in dollars. A GB is 10^9 bytes, as bills count.
func (l *Ledger) Cost(n int64) float64 { return float64(n) / 1e9 * l.o.PricePerGB }

// Costs is what downloads have cost until now.
func (l *Ledger) Costs() Costs {
	now := time.Now()
	l.take(now)
	l.mu.Lock()
	defer l.mu.Unlock()
	return Costs{
		Mount: l.period(l.mount), Today: l.period(l.sumLocked(now.Format(dayFormat))),
		Month: l.period(l.sumLocked(now.Format(monthFormat))), Ever: l.period(l.sumLocked("")),
		MaxMonth: l.o.MaxPerMonth,
	}
}

func (l *Ledger) period(s spending) Period {
	sum := s.total()
	p := Period{
		Requests: sum.Requests, Downloaded: sum.Bytes, Cost: sum.Dollars,
		Served: s.Served, Saved: l.Cost(max(0, s.Served-sum.Bytes)), Programs: []Program{},
	}
	for _, name := range slices.Sorted(maps.Keys(s.Programs)) {
		c := s.Programs[name]
		p.Programs = append(p.Programs, Program{name, c.Requests, c.Bytes, c.Dollars})
	}
	slices.SortStableFunc(p.Programs, func(a, b Program) int { return cmp.Compare(b.Downloaded, a.Downloaded) })
	return p
}
