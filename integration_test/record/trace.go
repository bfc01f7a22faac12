//go:build linux

package main

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

const (
	// mergeThink is the longest time between reads that are merged: most of it is spent in
	// the kernel. mergeSize is the largest size that merged reads may have.
	mergeThink = 250 * time.Microsecond
	mergeSize  = 1 << 20
)

// access is a line of a trace.
type access struct {
	reader int
	think  time.Duration
	off, n int64
	after  *cause // for a reader's first read: the read before it, if known
}

// cause is the read that completed last before another, and how long before.
type cause struct {
	read  int
	think time.Duration
}

type trace struct {
	headers []string
	reads   []access
}

// assignReaders finds out which reads follow each other. Each thread is a reader. Where its own
// reads overlap, as with the kernel's read-ahead of mapped files, each follows the read that
// completed last. Threads whose reads never overlap count as one reader (processes that run one
// after the other, a library's opening thread), unless independent is set. The kernel's own
// threads, such as those of a loop device, are one reader.
func assignReaders(reads []read, independent bool) []access {
	slices.SortStableFunc(reads, func(a, b read) int { return cmp.Compare(a.start, b.start) })
	threads := map[uint32]uint32{} // thread -> the thread whose work it continues
	if !independent {
		threads = joinThreads(reads)
	}
	type lane struct {
		reader int
		end    time.Duration
	}
	lanes := map[uint32][]*lane{}
	readers := 0
	var accesses []access
	for i, r := range reads {
		thread := r.thread
		if t, ok := threads[thread]; ok {
			thread = t
		}
		var follows *lane
		for _, l := range lanes[thread] {
			if l.end <= r.start && (follows == nil || l.end > follows.end) {
				follows = l
			}
		}
		var after *cause
		if follows == nil {
			follows = &lane{reader: readers}
			readers++
			lanes[thread] = append(lanes[thread], follows)
			if !independent {
				after = lastBefore(reads[:i], r.start)
			}
		}
		accesses = append(accesses, access{follows.reader, r.start - follows.end, r.off, r.n, after})
		follows.end = r.end
	}
	return accesses
}

// lastBefore returns the read that completed last before t, nil if none did.
func lastBefore(reads []read, t time.Duration) (last *cause) {
	for i, r := range reads {
		if r.end <= t && (last == nil || t-r.end < last.think) {
			last = &cause{i, t - r.end}
		}
	}
	return last
}

// joinThreads finds threads that continue the work of another one: their reads never overlap.
// Each read takes a while, so reads of independent threads do overlap.
func joinThreads(reads []read) map[uint32]uint32 {
	var order []uint32
	byThread := map[uint32][]read{}
	for _, r := range reads {
		if byThread[r.thread] == nil {
			order = append(order, r.thread)
		}
		byThread[r.thread] = append(byThread[r.thread], r)
	}
	joined := map[uint32]uint32{}
	var heads []uint32
	for _, t := range order {
		i := slices.IndexFunc(heads, func(head uint32) bool { return !overlap(byThread[head], byThread[t]) })
		if i < 0 {
			heads = append(heads, t)
			continue
		}
		joined[t] = heads[i]
		byThread[heads[i]] = append(byThread[heads[i]], byThread[t]...)
	}
	return joined
}

func overlap(a, b []read) bool {
	return slices.ContainsFunc(a, func(x read) bool {
		return slices.ContainsFunc(b, func(y read) bool { return x.start < y.end && y.start < x.end })
	})
}

// save writes the trace. While it is longer than maxBytes, contiguous reads are merged, to at most
// 8 KiB, then 16 KiB and so on; the header says so. If that does not help, save fails: the
// recorded work must be shorter.
func (t trace) save(name string, maxBytes int) error {
	b := t.encode()
	for size := int64(8 << 10); len(b) > maxBytes && size <= mergeSize; size *= 2 {
		merged := trace{slices.Clone(t.headers), merge(t.reads, size)}
		merged.headers = append(merged.headers, fmt.Sprintf("merged %d reads: contiguous ones of a reader at most %v apart, up to %d bytes", len(t.reads), mergeThink, size))
		b = merged.encode()
	}
	if len(b) > maxBytes {
		return fmt.Errorf("%s: %d bytes; record shorter work", name, len(b))
	}
	return os.WriteFile(name, b, 0o644)
}

func (t trace) encode() []byte {
	var b bytes.Buffer
	for _, h := range t.headers {
		fmt.Fprintln(&b, "#", h)
	}
	for _, a := range t.reads {
		if a.after != nil {
			fmt.Fprintln(&b, "# after", a.reader, a.after.read, a.after.think.Microseconds())
		}
	}
	for _, a := range t.reads {
		fmt.Fprintln(&b, a.reader, a.think.Microseconds(), a.off, a.n)
	}
	return b.Bytes()
}

// merge merges contiguous reads of up to size bytes in all. The time between them is added to the
// time before the first.
func merge(reads []access, size int64) []access {
	var merged []access
	last := map[int]int{} // reader -> its last read in merged
	var place []int       // index of each read in merged
	for _, a := range reads {
		if a.after != nil {
			a.after = &cause{place[a.after.read], a.after.think}
		}
		if i, ok := last[a.reader]; ok {
			m := &merged[i]
			if m.off+m.n == a.off && m.n+a.n <= size && a.think <= mergeThink {
				m.n += a.n
				m.think += a.think
				place = append(place, i)
				continue
			}
		}
		place = append(place, len(merged))
		last[a.reader] = len(merged)
		merged = append(merged, a)
	}
	return merged
}

// load reads a trace, for the summary.
func load(name string) (t trace, size int64, err error) {
	f, err := os.Open(name)
	if err != nil {
		return t, 0, err
	}
	defer f.Close()
	size = -1
	s := bufio.NewScanner(f)
	for s.Scan() {
		line := s.Text()
		if header, ok := strings.CutPrefix(line, "# "); ok {
			t.headers = append(t.headers, header)
			if v, ok := strings.CutPrefix(header, "size "); ok {
				size, err = strconv.ParseInt(v, 10, 64)
				if err != nil {
					return t, 0, fmt.Errorf("%s: %w", name, err)
				}
			}
			continue
		}
		var a access
		var think int64
		if _, err := fmt.Sscan(line, &a.reader, &think, &a.off, &a.n); err != nil {
			return t, 0, fmt.Errorf("%s: %q: %w", name, line, err)
		}
		a.think = time.Duration(think) * time.Microsecond
		if a.off < 0 || a.n <= 0 || a.off > math.MaxInt64-a.n || a.off+a.n > size {
			return t, 0, fmt.Errorf("%s: %q is not within %d bytes", name, line, size)
		}
		t.reads = append(t.reads, a)
	}
	return t, size, s.Err()
}

func printSummary(w io.Writer, names []string) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(tw, "trace\treads\treaders\tread\tdistinct\tsize\t")
	for _, name := range names {
		t, size, err := load(name)
		if err != nil {
			return err
		}
		var sum int64
		readers := map[int]bool{}
		for _, a := range t.reads {
			sum += a.n
			readers[a.reader] = true
		}
		fmt.Fprintf(tw, "%s\t%d\t%d\t%d\t%d\t%d\t\n", strings.TrimSuffix(filepath.Base(name), ".trace"), len(t.reads), len(readers), sum, distinct(t.reads), size)
	}
	return tw.Flush()
}

// distinct counts the bytes that were read, each once.
func distinct(reads []access) (sum int64) {
	sorted := slices.SortedFunc(slices.Values(reads), func(a, b access) int { return cmp.Compare(a.off, b.off) })
	end := int64(0)
	for _, a := range sorted {
		sum += max(0, a.off+a.n-max(end, a.off))
		end = max(end, a.off+a.n)
	}
	return sum
}
