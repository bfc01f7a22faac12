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
// A line says what is above the optimum by more than is wanted, in brackets if it is not by
// more above the bound: what nobody can do who does not know the trace (prefixBound). The
// columns from again on are for the third asset of its type that is read so.
//
// What is out of reach in the other lines, too, though the bound does not prove it:
//
// Requests, with a limit: reads here and there, loop-find, ~ext4, sqlite3-random-rows and
// random-200, begin as if each was the last: it is seen late which places are read next.
// Of random-200, which asks for 200 places by chance, who spends all that he may has
// about 160 misses to wait for, the optimum 72.
//
// Requests, without a limit: they cost nothing then, bytes do, and time does not suffer.
// The optimum takes gaps of up to 1 MiB along: 131 MB for loop-find, where 45 do.
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
			got, again := simulate(t, tr, l), outlay{}
			crowd := len(tr.readers) > 8
			if !crowd {
				again = simulateTimes(t, tr, l, 3)
			}
			table.add(tr, l, got, again)
			if want, ok := held[tr.name+" "+l.name()]; ok && !*simUpdate {
				if crowd { // whose order is by chance
					want[0].requests, want[0].waited = 2*want[0].requests, 2*want[0].waited
				}
				want[0].hold(t, tr.name+", "+l.name(), got)
				want[1].hold(t, tr.name+", "+l.name()+", again", again)
			}
		}
	}
	table.Flush()
	if *simOnly != "" {
		t.Logf("\n%s%d fall short of what is wanted, %d by more than who does not know the trace must\n", table.text.String(), table.short, table.within)
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

// hold fails the test if got costs clearly more than want.
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

// readTable reads what a simTable has written: the first time, and again.
func readTable(name string) (map[string][2]outlay, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	held := map[string][2]outlay{}
	for line := range bytes.Lines(text) {
		var trace, limit string
		var n struct{ requests, best, bound, streams, again int }
		var mb, bestMB, ratio, twice, againMB float64
		var waited, best, bound, waitRatio, again float64
		_, err := fmt.Sscan(string(line), &trace, &limit, &n.requests, &n.best, &n.bound, &mb, &bestMB, &ratio, &twice,
			&waited, &best, &bound, &waitRatio, &n.streams, &n.again, &againMB, &again)
		if err == nil {
			held[trace+" "+limit] = [2]outlay{
				{requests: n.requests, bytes: int64(mb * 1e6), waited: seconds(waited)},
				{requests: n.again, bytes: int64(againMB * 1e6), waited: seconds(again)},
			}
		}
	}
	return held, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
