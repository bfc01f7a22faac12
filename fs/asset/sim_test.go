package asset

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"text/tabwriter"
	"time"

	"assetfs/fs/spool"
)

// simulate replays a trace through an Asset, closed-loop and in virtual time:
// each reader reads, waits, thinks and reads on. The asset has not been seen before.
func simulate(t *testing.T, tr *trace, l simLink) (out outlay) {
	t.Helper()
	return simulateTimes(t, tr, l, 1)
}

// simulateTimes does that with several assets of one type, one after the other, and returns the cost of
// the last one.
func simulateTimes(t *testing.T, tr *trace, l simLink, times int) (out outlay) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ranging := RangeNo
		if l.ranged {
			ranging = RangeYes
		}
		store := newSimStore(t, ranging)
		defer store.close()
		for n := range times {
			out = simulateAsset(t, tr, l, store, fmt.Sprint("re_", n))
		}
	})
	return out
}

// newSimStore is a store that keeps no bytes.
func newSimStore(t *testing.T, ranging Ranging) *testStore {
	store := newTestStore(t, StoreOptions{Spool: spool.Options{Dry: true}}, Options{})
	store.ranging = ranging
	return store
}

func simulateAsset(t *testing.T, tr *trace, l simLink, store *testStore, id string) (out outlay) {
	t.Helper()
	server := &simServer{simLink: l, size: tr.size, began: time.Now()}
	store.Serve(&Options{
		Source: server, ReadAhead: 64 * mib,
		StallTimeout: time.Hour, RetryFor: time.Hour,
	})
	a := store.Asset(id)
	if len(tr.present) > 0 {
		if _, err := a.Contact(t.Context(), Contact{}); err != nil {
			t.Fatal(err)
		}
		for _, r := range tr.present {
			if err := a.write(make([]byte, r.Len()), r.Start); err != nil {
				t.Fatal(err)
			}
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	r := newReplay(a, tr)
	for i := range tr.readers {
		wg.Go(func() {
			waited, err := r.reader(i)
			if err != nil {
				t.Errorf("%s: %v", tr.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			out.waited += waited
		})
	}
	wg.Wait()
	r.close()
	time.Sleep(linger + time.Second)
	synctest.Wait()
	a.Close()
	out.requests, out.bytes, out.streams = len(server.requests), server.bytes, server.most
	out.twice = out.bytes - server.received.Len()
	if *simVerbose {
		for i, r := range server.requests {
			t.Logf("%v %d-%d (%d)", server.times[i].Round(time.Millisecond), r.Start, r.End, r.End-r.Start)
		}
	}
	return out
}

// replay lets the readers of a trace read.
type replay struct {
	*trace
	a       *Asset
	handles []*Reader               // a reader that comes because of another one's read uses that one's
	causes  []map[int]chan struct{} // by reader and read: closed when it has ended
}

func newReplay(a *Asset, tr *trace) *replay {
	r := &replay{trace: tr, a: a, handles: make([]*Reader, len(tr.readers)), causes: make([]map[int]chan struct{}, len(tr.readers))}
	for _, c := range tr.after {
		if r.causes[c.reader] == nil {
			r.causes[c.reader] = map[int]chan struct{}{}
		}
		if r.causes[c.reader][c.read] == nil {
			r.causes[c.reader][c.read] = make(chan struct{})
		}
	}
	return r
}

// close closes the handles that several readers used.
func (r *replay) close() {
	if len(r.after) == 0 {
		return
	}
	for i, rd := range r.handles {
		if _, shared := r.after[i]; !shared {
			rd.Close()
		}
	}
}

// reader reads as one reader of the trace did, and returns how long it waited.
func (r *replay) reader(i int) (waited time.Duration, err error) {
	var rd *Reader
	if c, ok := r.after[i]; ok {
		<-r.causes[c.reader][c.read]
		rd = r.handles[c.reader]
	}
	var buf []byte
	for n, read := range r.readers[i] {
		time.Sleep(read.think)
		start := time.Now()
		if rd == nil {
			if _, err := r.a.Contact(context.Background(), Contact{}); err != nil {
				return waited, err
			}
			rd = r.a.Open()
			if len(r.after) == 0 {
				defer rd.Close()
			}
		}
		r.handles[i] = rd
		buf = slices.Grow(buf[:0], int(read.Len()))[:read.Len()]
		if got, err := rd.ReadAt(context.Background(), buf, read.Start); err != nil || int64(got) != read.Len() {
			return waited, fmt.Errorf("read of %v: %d bytes, %w", read.Range, got, err)
		}
		waited += time.Since(start)
		if c := r.causes[i][n]; c != nil {
			close(c)
		}
	}
	return waited, nil
}

// simTable has one line a trace and limit, with the optimum and the ratio to it, and
// tells where more than wanted was spent: 1.5 times the optimum's bytes and 1 MiB, or
// 1.05 times the asset; twice its requests and two; 1.3 times its wait. In brackets stands
// what is not so compared with what anybody must spend who doesn't know the trace.
type simTable struct {
	*tabwriter.Writer
	text   bytes.Buffer
	short  int // lines that tell so
	within int // of them, those that are above the bound, too
}

func newSimTable() *simTable {
	s := &simTable{}
	s.Writer = tabwriter.NewWriter(&s.text, 0, 0, 1, ' ', tabwriter.AlignRight)
	fmt.Fprintln(s, "trace\tlimit\trequests\toptimum\tbound\tMB\toptimum\tratio\ttwice\twait s\toptimum\tbound\tratio\tstreams\tagain\tMB\twait s\t above\t")
	return s
}

func (s *simTable) add(tr *trace, l simLink, got, again outlay) {
	tr = tr.opened()
	best := optimum(tr, l)
	least := best
	requests, waited := prefixBound(tr, l)
	least.requests, least.waited = max(best.requests, requests), max(best.waited, waited)
	var above []string
	if float64(got.bytes) > 1.5*float64(best.bytes)+mib || float64(got.bytes) > 1.05*float64(tr.size) {
		above = append(above, "bytes")
	}
	switch {
	case got.requests > 2*least.requests+2:
		above = append(above, "requests")
	case got.requests > 2*best.requests+2:
		above = append(above, "(requests)")
	}
	switch {
	case got.waited > least.waited*13/10:
		above = append(above, "wait")
	case got.waited > best.waited*13/10:
		above = append(above, "(wait)")
	}
	if len(above) > 0 {
		s.short++
	}
	if slices.ContainsFunc(above, func(what string) bool { return what[0] != '(' }) {
		s.within++
	}
	fmt.Fprintf(s, "%s\t%s\t%d\t%d\t%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t%d\t%.2f\t%.2f\t %s\t\n", tr.name, l.name(), got.requests, best.requests, requests,
		float64(got.bytes)/1e6, float64(best.bytes)/1e6, float64(got.bytes)/float64(best.bytes), float64(got.twice)/1e6,
		got.waited.Seconds(), best.waited.Seconds(), waited.Seconds(), got.waited.Seconds()/best.waited.Seconds(), got.streams,
		again.requests, float64(again.bytes)/1e6, again.waited.Seconds(), strings.Join(above, " "))
}
