package fs

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"assetfs/remote"
)

// CostStatus is what downloads have cost.
type CostStatus struct {
	Mount    PeriodCost `json:"mount"` // since it was mounted
	Today    PeriodCost `json:"today"` // in local time, of the spool, as all that follow
	Month    PeriodCost `json:"month"`
	Ever     PeriodCost `json:"ever"`
	MaxMonth int64      `json:"max_per_month_bytes"` // 0: no limit
}

// PeriodCost is the cost of some time. The figures of the programs sum to it.
type PeriodCost struct {
	Requests   int64         `json:"downloads"`
	Downloaded int64         `json:"bytes"`
	Cost       float64       `json:"dollars"`
	Served     int64         `json:"served"`
	Saved      float64       `json:"saved"`    // what Served would have cost beyond Cost
	Programs   []ProgramCost `json:"programs"` // the most expensive first
}

// ProgramCost is what one program has caused: its waiting read opened or drove a
// download.
type ProgramCost struct {
	Program    string  `json:"program"` // its command name; "assetfs": no program waited
	Requests   int64   `json:"downloads"`
	Downloaded int64   `json:"bytes"`
	Cost       float64 `json:"dollars"`
}

// spent is what was downloaded until now, in all and for whom.
func (f *FS) spent() map[string]remote.Spent { return f.client.Spent() }

// costStatus is what downloads have cost until now.
func (f *FS) costStatus() CostStatus {
	f.ledger.take(f.spent(), f.served.Load())
	mount, today, month, ever := f.ledger.sums()
	return CostStatus{
		Mount: f.period(mount), Today: f.period(today), Month: f.period(month), Ever: f.period(ever),
		MaxMonth: f.o.MaxPerMonth,
	}
}

func (f *FS) period(s spending) PeriodCost {
	sum := s.total()
	p := PeriodCost{
		Requests: sum.Requests, Downloaded: sum.Bytes, Cost: sum.Dollars,
		Served: s.Served, Saved: f.cost(max(0, s.Served-sum.Bytes)), Programs: []ProgramCost{},
	}
	for _, name := range slices.Sorted(maps.Keys(s.Programs)) {
		c := s.Programs[name]
		p.Programs = append(p.Programs, ProgramCost{name, c.Requests, c.Bytes, c.Dollars})
	}
	slices.SortStableFunc(p.Programs, func(a, b ProgramCost) int { return cmp.Compare(b.Downloaded, a.Downloaded) })
	return p
}

// keepLedger records what downloads cost until ctx ends.
func (f *FS) keepLedger(ctx context.Context) {
	tick := time.NewTicker(ledgerEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			f.recordCost()
		case <-ctx.Done():
			return
		}
	}
}

// recordCost writes the ledger. A new month has its whole allowance.
func (f *FS) recordCost() {
	f.ledger.take(f.spent(), f.served.Load())
	if f.ledger.flush(time.Now()) {
		f.allow()
	}
}

// allow lets the client download what is left of --max-per-month.
func (f *FS) allow() {
	if f.o.MaxPerMonth <= 0 {
		return
	}
	_, _, month, _ := f.ledger.sums()
	f.client.Allow(max(0, f.o.MaxPerMonth-month.total().Bytes))
}
