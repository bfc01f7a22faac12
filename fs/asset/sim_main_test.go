package asset

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	simOnly    = flag.String("sim", "", "replay traces whose name holds this and print the table; all: all")
	simVerbose = flag.Bool("sim.v", false, "list the requests of each replay")
	simUpdate  = flag.Bool("sim.update", false, "take the table for what TestTraces holds")
)

// TestTraces holds the table of testdata/table.txt, with some room: where readers run
// at the same time, a run differs from the next. The table itself is made and shown by
//
//	go test ./fs/asset -run TestTraces -v -sim all [-sim.update]
//
// What is wanted is not within reach for who does not know the trace where a line says
// so, and for these reasons:
//
// Requests, with a limit: a program may stop after any read. Who keeps 1.5 times the
// optimum's bytes at every one of them reads 20 MB backwards by 6 requests at least (each
// may hold half of what was read, and 1 MiB), where the optimum needs one; and each
// cluster of scattered reads begins as if it were the last. The column prudent shows what
// is reached so by who even knows the trace. Twice that and two is kept but for loop-find,
// ~ext4 and, by one, sqlite3-random-rows: it is seen late which places are read next.
//
// Requests, without a limit: they cost nothing then, bytes do, and time does not suffer.
// The optimum takes gaps of up to 1 MiB along: 131 MB for loop-find, where 57 do.
//
// Wait, with 1 a second: a request more is 1.1 s more, where all is 1 to 3 s. A PDF is
// begun at its start and then read at its end: 2 requests, unless all of it were fetched
// before anybody asks. With 12 a minute a thirteenth is a minute more.
func TestTraces(t *testing.T) {
	if testing.Short() || raceEnabled {
		t.Skip("replays all traces")
	}
	golden := filepath.Join("testdata", "table.txt")
	held, err := readTable(golden)
	if err != nil && !*simUpdate {
		t.Fatal(err)
	}
	table := newSimTable()
	for _, tr := range append(recorded(t), synthetic()...) {
		if *simOnly != "" && *simOnly != "all" && !strings.Contains(tr.name, *simOnly) {
			continue
		}
		for _, l := range simLinks() {
			got := simulate(t, tr, l)
			table.add(tr, l, got, optimum(tr.opened(), l), prudent(tr.opened(), l))
			if want, ok := held[tr.name+" "+l.name()]; ok && !*simUpdate {
				if len(tr.readers) > 8 { // whose order is by chance
					want.requests, want.waited = 2*want.requests, 2*want.waited
				}
				want.hold(t, tr.name+", "+l.name(), got)
			}
		}
	}
	table.Flush()
	if *simOnly != "" {
		t.Logf("\n%s%d fall short of what is wanted\n", table.text.String(), table.short)
	}
	if *simUpdate && *simOnly == "all" {
		if err := os.WriteFile(golden, table.text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// simLinks are the ways to the server that traces are replayed over.
func simLinks() []simLink {
	links := []simLink{{latency: 50 * time.Millisecond, speed: 10e6}}
	for _, limit := range simLimits {
		links = append(links, simLink{latency: 50 * time.Millisecond, speed: 10e6, ranged: true, limit: limit})
	}
	return links
}

func (l simLink) name() string {
	if !l.ranged {
		return "-"
	}
	return l.limit.name
}

// hold tells if got costs clearly more than want.
func (want outlay) hold(t *testing.T, name string, got outlay) {
	t.Helper()
	if got.requests > want.requests*5/4+3 {
		t.Errorf("%s: %d requests, were %d", name, got.requests, want.requests)
	}
	if got.bytes > want.bytes*11/10+mib {
		t.Errorf("%s: %d bytes, were %d", name, got.bytes, want.bytes)
	}
	if got.waited > want.waited*3/2+time.Second {
		t.Errorf("%s: waited %v, were %v", name, got.waited, want.waited)
	}
}

// readTable reads what a simTable has written.
func readTable(name string) (map[string]outlay, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	held := map[string]outlay{}
	for line := range bytes.Lines(text) {
		var trace, limit string
		var requests, bestRequests int
		var mb, bestMB, ratio, twice, waited float64
		_, err := fmt.Sscan(string(line), &trace, &limit, &requests, &bestRequests, &mb, &bestMB, &ratio, &twice, &waited)
		if err == nil {
			held[trace+" "+limit] = outlay{requests: requests, bytes: int64(mb * 1e6), waited: time.Duration(waited * float64(time.Second))}
		}
	}
	return held, nil
}
