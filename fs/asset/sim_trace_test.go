package asset

import (
	"bufio"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

// A trace is what a program read: see testdata/traces.
type trace struct {
	name    string
	size    int64
	readers [][]traceRead
	after   map[int]cause  // what makes a reader come, where that is known
	present []ranges.Range // when the first comes
}

// cause is a read after whose end a reader begins, with the think time of its first.
type cause struct{ reader, read int }

// traceRead is a read of one reader.
type traceRead struct {
	think time.Duration // of the program, since its read before
	ranges.Range
}

// add appends a read, cut to the size.
func (t *trace) add(reader int, think time.Duration, off, n int64) {
	for len(t.readers) <= reader {
		t.readers = append(t.readers, nil)
	}
	r := ranges.Range{Start: min(off, t.size), End: min(off+n, t.size)}
	t.readers[reader] = append(t.readers[reader], traceRead{think, r})
}

// opened puts the request that an open costs, of an asset that nobody has listed, into
// the trace: a first read of its first byte.
func (t *trace) opened() *trace {
	o := &trace{t.name, t.size, slices.Clone(t.readers), maps.Clone(t.after), nil}
	first := 0
	for i, reads := range o.readers {
		if _, later := o.after[i]; !later && reads[0].think < o.readers[first][0].think {
			first = i
		}
	}
	reads := slices.Clone(o.readers[first])
	open := traceRead{think: reads[0].think, Range: ranges.Range{End: 1}}
	reads[0].think = 0
	o.readers[first] = append([]traceRead{open}, reads...)
	for i, c := range o.after {
		if c.reader == first {
			o.after[i] = cause{first, c.read + 1}
		}
	}
	return o
}

// distinct is the set of bytes that are read.
func (t *trace) distinct() ranges.Set {
	var s ranges.Set
	for _, reads := range t.readers {
		for _, r := range reads {
			s.Add(r.Range)
		}
	}
	return s
}

// recorded returns the traces of testdata/traces.
func recorded(t *testing.T) []*trace {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("testdata", "traces", "*.trace"))
	if err != nil {
		t.Fatal(err)
	}
	var all []*trace
	for _, name := range names {
		tr, err := readTrace(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, tr)
	}
	return all
}

// readTrace reads lines "READER THINK OFFSET LENGTH", think in microseconds, after
// comments of which "# size BYTES" counts, and "# after READER READ THINK": the
// reader comes so long after that read, counted from 0, ended.
func readTrace(name string) (*trace, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &trace{name: strings.TrimSuffix(filepath.Base(name), ".trace")}
	numbers := map[string]int{} // readers in the order of their first read
	var reads []cause           // in the order of their lines
	later := map[string][2]int64{}
	scanner := bufio.NewScanner(f)
	for n := 1; scanner.Scan(); n++ {
		fields := strings.Fields(scanner.Text())
		switch {
		case len(fields) == 0:
			continue
		case fields[0] == "#":
			if len(fields) >= 3 && fields[1] == "size" {
				if t.size, err = strconv.ParseInt(fields[2], 10, 64); err != nil {
					return nil, fmt.Errorf("line %d: %w", n, err)
				}
			}
			if len(fields) == 5 && fields[1] == "after" {
				var v [2]int64
				if _, err := fmt.Sscan(fields[3], &v[0]); err != nil {
					return nil, fmt.Errorf("line %d: %w", n, err)
				}
				if _, err := fmt.Sscan(fields[4], &v[1]); err != nil {
					return nil, fmt.Errorf("line %d: %w", n, err)
				}
				later[fields[2]] = v
			}
			continue
		case len(fields) != 4:
			return nil, fmt.Errorf("line %d: %d fields, want 4", n, len(fields))
		}
		var v [3]int64
		for i := range v {
			if v[i], err = strconv.ParseInt(fields[i+1], 10, 64); err != nil {
				return nil, fmt.Errorf("line %d: %w", n, err)
			}
		}
		reader, ok := numbers[fields[0]]
		if !ok {
			reader = len(numbers)
			numbers[fields[0]] = reader
		}
		t.add(reader, time.Duration(v[0])*time.Microsecond, v[1], v[2])
		reads = append(reads, cause{reader, len(t.readers[reader]) - 1})
	}
	if err := scanner.Err(); err != nil {
		return nil, err
	}
	t.after = map[int]cause{}
	for name, v := range later {
		reader, ok := numbers[name]
		if !ok || v[0] >= int64(len(reads)) {
			return nil, fmt.Errorf("# after %s %d: no such read", name, v[0])
		}
		t.after[reader] = reads[v[0]]
		t.readers[reader][0].think = time.Duration(v[1]) * time.Microsecond
	}
	if t.size <= 0 {
		return nil, fmt.Errorf("no size")
	}
	return t, nil
}
