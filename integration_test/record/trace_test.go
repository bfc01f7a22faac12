//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// line is a read of a thread, in milliseconds. The offset does not matter here.
func line(thread uint32, start, end int) read {
	return read{thread: thread, start: time.Duration(start) * time.Millisecond, end: time.Duration(end) * time.Millisecond, n: 1}
}

func TestAssignReaders(t *testing.T) {
	for _, tt := range []struct {
		name        string
		reads       []read
		independent bool
		want        string // READER:THINK, and @READ+THINK if it is known what came before
	}{
		{"one thread", []read{line(7, 0, 1), line(7, 3, 4)}, false, "0:0 0:2"},
		{"a process after another", []read{line(7, 0, 1), line(8, 5, 6), line(7, 8, 9)}, false, "0:0 0:4 0:2"},
		{"independent", []read{line(7, 0, 1), line(8, 5, 6)}, true, "0:0 1:5"},
		{"concurrent threads", []read{line(7, 0, 2), line(8, 1, 3), line(7, 4, 6), line(8, 5, 7)}, false, "0:0 1:1 0:2 1:2"},
		{"a second thread comes later", []read{line(7, 0, 2), line(7, 3, 6), line(8, 5, 7)}, false, "0:0 0:1 1:5@0+3"},
		{"read-ahead of a mapping", []read{line(7, 0, 1), line(7, 2, 4), line(7, 3, 5), line(7, 6, 7)}, false, "0:0 0:1 1:3@0+2 1:1"},
		{"not in order", []read{line(7, 3, 4), line(7, 0, 1)}, false, "0:0 0:2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, a := range assignReaders(tt.reads, tt.independent) {
				s := fmt.Sprintf("%d:%d", a.reader, a.think.Milliseconds())
				if a.after != nil {
					s += fmt.Sprintf("@%d+%d", a.after.read, a.after.think.Milliseconds())
				}
				got = append(got, s)
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("assignReaders: %s, want %s", got, tt.want)
			}
		})
	}
}

func TestMerge(t *testing.T) {
	const short, long = 10 * time.Microsecond, time.Second
	got := merge([]access{
		{0, 0, 0, 4, nil},
		{0, short, 4, 4, nil}, // contiguous
		{1, long, 8, 4, &cause{1, short}},
		{0, short, 8, 4, nil},  // too large when merged
		{0, long, 12, 2, nil},  // a long pause
		{0, short, 20, 4, nil}, // a gap
		{1, short, 12, 4, nil}, // contiguous for its reader
	}, 8)
	want := []access{
		{0, short, 0, 8, nil},
		{1, long + short, 8, 8, &cause{0, short}},
		{0, short, 8, 4, nil},
		{0, long, 12, 2, nil},
		{0, short, 20, 4, nil},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("merge:\n got %v\nwant %v", got, want)
	}
}

func TestSave(t *testing.T) {
	reads := make([]access, 1000)
	for i := range reads {
		reads[i] = access{off: int64(i) * 4096, n: 4096}
	}
	written := trace{headers: []string{"program cat", "size 4096000"}, reads: reads}
	name := filepath.Join(t.TempDir(), "cat.trace")
	if err := written.save(name, 8000); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got, limit := len(b), 8000; got > limit || got < limit/3 {
		t.Errorf("saved %d bytes, want as much as fits %d", got, limit)
	}
	tr, size, err := load(name)
	if err != nil {
		t.Fatal(err)
	}
	if sum := distinct(tr.reads); size != 4096000 || sum != size {
		t.Errorf("saved %d distinct bytes of %d, want all of 4096000", sum, size)
	}
	if err := written.save(name, 80); err == nil {
		t.Error("saved what does not fit")
	}
}

// TestRecorded checks the format of the traces in the repository.
func TestRecorded(t *testing.T) {
	names, err := filepath.Glob("../../fs/asset/testdata/traces/*.trace")
	if err != nil || len(names) == 0 {
		t.Fatalf("no traces: %v", err)
	}
	for _, name := range names {
		st, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		if st.Size() > 100_000 {
			t.Errorf("%s is %d bytes, want at most 100000", name, st.Size())
		}
		tr, _, err := load(name)
		if err != nil {
			t.Error(err)
			continue
		}
		head := strings.Join(tr.headers, "\n") + "\n"
		for _, key := range []string{"program ", "version ", "command ", "size ", "source ", "exit 0\n"} {
			if !strings.Contains(head, key) {
				t.Errorf("%s: no header %q", name, key)
			}
		}
	}
}
