package asset

import (
	"reflect"
	"testing"
	"time"

	"assetfs/fs/ranges"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// base is an asset of 1 GiB, known and open, with nothing present, no stream,
// and 12 requests a minute.
func base() Snapshot {
	return Snapshot{
		Now: now, Size: 1 << 30, Header: true, Ranging: RangeYes,
		Present: &ranges.Set{}, Requests: 12, Worth: 5 * time.Second, Limited: true, ReadAhead: 64 * mib, Readers: 1,
	}
}

func present(rs ...ranges.Range) *ranges.Set {
	s := ranges.Of(rs...)
	return &s
}

func want(start, end int64) WaiterState {
	return WaiterState{Need: ranges.Range{Start: start, End: end}, Since: now.Add(-together)}
}

// after lets w's reader have read up to end before.
func after(end int64, w WaiterState) WaiterState {
	w.Last = ranges.Range{Start: end - 1000, End: end}
	return w
}

// scattered returns the history of 20 reads far apart that cost a block each, and of a megabyte that was
// received in vain.
func scattered() *history {
	const n = 20
	h := &history{received: n*block + mib}
	for i := range int64(n) {
		h.add(ranges.Range{Start: i * 4 * mib, End: i*4*mib + 4096})
	}
	return h
}

// running is a stream that has delivered all it has brought.
func running(start, pos int64, speed float64) StreamState {
	return StreamState{Start: start, Pos: pos, Reach: pos, End: -1, Frontier: pos, Delivered: pos - start, Speed: speed, LastByte: now, Used: now}
}

func paused(s StreamState, used time.Duration) StreamState {
	s.Paused, s.Used = true, now.Add(-used)
	s.Frontier, s.Delivered = s.Pos-mib, 1
	return s
}

// planTest is a change of base and what Plan decides then.
type planTest struct {
	name string
	snap func(*Snapshot)
	want func(*Decision)
}

func TestPlan(t *testing.T) {
	checkPlans(t, []planTest{
		{"a first read opens a stream, aligned", func(s *Snapshot) {
			s.Waiters = []WaiterState{want(300<<10, 340<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 256 << 10, Least: 384 << 10}}
		}},
		{"bytes that are there are not asked for again by aligning", func(s *Snapshot) {
			s.Present = present(ranges.Range{End: 290 << 10})
			s.Waiters = []WaiterState{want(300<<10, 340<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 290 << 10, Least: 418 << 10}}
		}},
		{"without a validator a resumed stream overlaps", func(s *Snapshot) {
			s.Overlap = overlap
			s.Present = present(ranges.Range{End: 300 << 10})
			s.Waiters = []WaiterState{want(300<<10, 340<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300<<10 - overlap, Least: 428 << 10}}
		}},
		{"a request ends before a large present run", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 8 * mib, End: 8*mib + 1000}, ranges.Range{Start: 16 * mib, End: 17 * mib})
			s.Waiters = []WaiterState{want(0, 32<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{End: 16 * mib, Least: block}}
		}},
		{"the stream at the gap is waited for", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, mib, 1e8)}
			s.Waiters = []WaiterState{want(mib, mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{mib + mib/4}
		}},
		{"a gap in the read-ahead that comes soon is waited for", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e7)}
			s.Waiters = []WaiterState{want(18*mib, 18*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{20 * mib}
			d.Wake = now.Add(silence)
		}},
		{"a gap in the read-ahead that comes late is opened", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e5)}
			s.Waiters = []WaiterState{want(18*mib, 18*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{20 * mib}
			d.Open = []Opening{{Start: 18 * mib, Least: 18*mib + block}}
		}},
		{"a gap behind the read-ahead is opened, however fast the stream", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e10)}
			s.Waiters = []WaiterState{want(40*mib, 40*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{20 * mib}
			d.Open = []Opening{{Start: 40 * mib, Least: 40*mib + block}}
		}},
		{"a gap of 1 MiB is read over", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, mib, 1e7)}
			s.Waiters = []WaiterState{want(2*mib, 2*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{2*mib + 32<<10}
			d.Wake = now.Add(silence)
		}},
		{"but not if it comes late", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, mib, 1e5)}
			s.Waiters = []WaiterState{want(2*mib, 2*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{mib + mib/4}
			d.Open = []Opening{{Start: 2 * mib, Least: 2*mib + 32<<10 + 7*block}}
		}},
		{"unless a request would come later", func(s *Snapshot) {
			s.Requests, s.Next = 0, now.Add(30*time.Second)
			s.Streams = []StreamState{running(0, mib, 1e5)}
			s.Waiters = []WaiterState{want(2*mib, 2*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{2*mib + 32<<10}
			d.Wake = now.Add(silence)
		}},
		{"a stream that ends at present bytes before is not waited for", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: mib + 2*block, End: mib + 4*block})
			s.Streams = []StreamState{running(0, mib, 1e7)}
			s.Waiters = []WaiterState{want(mib+6*block, mib+6*block+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{mib + mib/4}
			d.Open = []Opening{{Start: mib + 6*block, Least: mib + 6*block + 29*block/4}}
		}},
		{"a silent stream is not waited for ahead of it", func(s *Snapshot) {
			s.Streams = []StreamState{running(0, 16*mib, 1e8)}
			s.Streams[0].LastByte = now.Add(-silence)
			s.Waiters = []WaiterState{want(18*mib, 18*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{20 * mib}
			d.Open = []Opening{{Start: 18 * mib, Least: 18*mib + block}}
		}},
		{"no byte is fetched because no request is left", func(s *Snapshot) {
			s.Requests, s.Next = 0, now.Add(30*time.Second)
			s.Streams = []StreamState{running(0, 16*mib, 1e9)}
			s.Waiters = []WaiterState{want(100*mib, 100*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{20 * mib}
			d.Wake = now.Add(30 * time.Second)
		}},
		{"one request joins the queue of others", func(s *Snapshot) {
			s.Requests, s.Queued, s.Next = 0, true, now.Add(30*time.Second)
			s.Waiters = []WaiterState{want(100*mib, 100*mib+32<<10), want(300*mib, 300*mib+32<<10)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 100 * mib, Least: 100*mib + block}}
			d.Wake = now.Add(30 * time.Second)
		}},
		{"but no second one", func(s *Snapshot) {
			s.Requests, s.Queued, s.Next = 0, true, now.Add(30*time.Second)
			s.Streams = []StreamState{{Opening: true, Start: 300 * mib, Pos: 300 * mib, Reach: 300 * mib, End: -1, LastByte: now}}
			s.Waiters = []WaiterState{want(100*mib, 100*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{300 * mib}
			d.Wake = now.Add(30 * time.Second)
		}},
		{"waiters close to each other share a request, and the oldest goes first", func(s *Snapshot) {
			s.Waiters = []WaiterState{want(300*mib, 300*mib+32<<10), want(100*mib, 100*mib+32<<10), want(101*mib, 101*mib+32<<10), want(500*mib, 500*mib+32<<10)}
			s.Waiters[0].Since, s.Waiters[2].Since = now.Add(-time.Second), now.Add(-2*time.Second)
			s.Requests = 2
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 100 * mib, End: 300 * mib, Least: 101*mib + 32<<10}, {Start: 300 * mib, Least: 300*mib + block}}
		}},
		{"requests made together end where the next one begins, whichever is first", func(s *Snapshot) {
			for i := range int64(4) {
				w := want((400-100*i)*mib, (400-100*i)*mib+128<<10)
				w.Since = now.Add(-time.Duration(1+i%2) * time.Second)
				s.Waiters = append(s.Waiters, w)
			}
		}, func(d *Decision) {
			d.Open = []Opening{
				{Start: 100 * mib, End: 200 * mib, Least: 100*mib + block},
				{Start: 300 * mib, End: 400 * mib, Least: 300*mib + block},
				{Start: 200 * mib, End: 300 * mib, Least: 200*mib + block},
				{Start: 400 * mib, Least: 400*mib + block},
			}
		}},
		{"beside many readers a request goes as far as evidence, without a limit", func(s *Snapshot) {
			s.Limited, s.Readers = false, crowd+1
			s.Waiters = []WaiterState{want(0, 128<<10), want(900*mib, 900*mib+128<<10)}
			for i := range int64(fewStreams) {
				s.Streams = append(s.Streams, running((100+i)*mib, (100+i)*mib+block, 1e7))
				s.Streams[i].End = (101 + i) * mib
			}
		}, func(d *Decision) {
			for i := range int64(fewStreams) {
				d.Limit[i] = (100+i)*mib + 2*block
			}
			d.Open = []Opening{{Start: 0, End: 2 * mib, Least: block}, {Start: 900 * mib, End: 902 * mib, Least: 900*mib + block}}
		}},
		{"a miss after which nothing is expected asks for a block", func(s *Snapshot) {
			s.History, s.Short = scattered(), 2
			s.Waiters = []WaiterState{after(1000, want(300*mib, 300*mib+4096))}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300 * mib, End: 300*mib + block, Least: 300*mib + block}}
		}},
		{"so does a small one that is its reader's first", func(s *Snapshot) {
			s.Short = 2
			s.Waiters = []WaiterState{want(300*mib, 300*mib+4096)}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300 * mib, End: 300*mib + block, Least: 300*mib + block}}
		}},
		{"one in the middle of a sequence has an open end", func(s *Snapshot) {
			s.History = scattered()
			s.History.add(ranges.Range{Start: 299 * mib, End: 300 * mib})
			s.Waiters = []WaiterState{after(300*mib, want(300*mib, 300*mib+32<<10))}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300 * mib, Sequence: mib}}
		}},
		{"a short skip is part of a sequence", func(s *Snapshot) {
			s.History = scattered()
			s.Waiters = []WaiterState{after(300*mib-500<<10, want(300*mib, 300*mib+32<<10))}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300 * mib, Least: 300*mib + block}}
		}},
		{"who reads backwards gets what lies before, by how far that went", func(s *Snapshot) {
			s.History = &history{received: mib}
			s.History.add(ranges.Range{Start: 300 * mib, End: 301 * mib})
			s.Present = present(ranges.Range{Start: 300 * mib, End: 301 * mib})
			s.Waiters = []WaiterState{want(300*mib-8192, 300*mib)}
			s.Waiters[0].Last = ranges.Range{Start: 300 * mib, End: 300*mib + 8192}
		}, func(d *Decision) {
			d.Open = []Opening{{Start: 300*mib - 15*block, End: 300 * mib, Least: 300 * mib}}
		}},
		{"without a limit a request that ends is followed by the next", func(s *Snapshot) {
			s.Limited, s.Worth = false, 250*time.Millisecond
			s.Streams = []StreamState{running(0, mib, 1e7)}
			s.Streams[0].End = mib + mib/8
		}, func(d *Decision) {
			d.Limit = []int64{mib + mib/4}
			d.Open = []Opening{{Start: mib + mib/8, Sequence: mib}}
		}},
		{"without Range a far seek waits", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Streams = []StreamState{running(0, 16*mib, 1e6)}
			s.Waiters = []WaiterState{want(900*mib, 900*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{900*mib + 32<<10}
			d.Wake = now.Add(silence)
		}},
		{"while Range is unknown a far seek waits for the header that tells", func(s *Snapshot) {
			s.Ranging = RangeUnknown
			s.Streams = []StreamState{{Opening: true, End: -1, LastByte: now}}
			s.Waiters = []WaiterState{want(900*mib, 900*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{0}
		}},
		{"a fifth stream replaces the paused one of longest ago", func(s *Snapshot) {
			s.Streams = []StreamState{
				paused(running(0, 10*mib, 1e7), 5*time.Second), paused(running(100*mib, 110*mib, 1e7), 9*time.Second),
				paused(running(200*mib, 210*mib, 1e7), 7*time.Second), paused(running(300*mib, 310*mib, 1e7), 6*time.Second),
			}
			s.Waiters = []WaiterState{want(500*mib, 500*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{10 * mib, 110 * mib, 210 * mib, 310 * mib}
			d.End = []bool{false, true, false, false}
			d.Open = []Opening{{Start: 500 * mib, Least: 500*mib + block}}
		}},
		{"but not one that has just served", func(s *Snapshot) {
			for i := range int64(4) {
				s.Streams = append(s.Streams, paused(running(i*100*mib, i*100*mib+10*mib, 1e7), 100*time.Millisecond))
			}
			s.Waiters = []WaiterState{want(500*mib, 500*mib+32<<10)}
		}, func(d *Decision) {
			d.Limit = []int64{10 * mib, 110 * mib, 210 * mib, 310 * mib}
			d.End = make([]bool, 4)
			d.Open = []Opening{{Start: 500 * mib, Least: 500*mib + block}}
		}},
		{"a stream that runs into present bytes ends", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 0, End: 3 * mib})
			s.Streams = []StreamState{running(0, 2*mib, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{2*mib + mib/2}
			d.End = []bool{true}
		}},
		{"a stream that runs into another's path ends", func(s *Snapshot) {
			s.Present = present(ranges.Range{Start: 0, End: 2*mib + 1000})
			s.Streams = []StreamState{running(0, 2*mib, 1e7), running(2*mib, 2*mib+1000, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{2*mib + mib/2, 2*mib + 1000 + block}
			d.End = []bool{true, false}
		}},
		{"a first contact reads nothing", func(s *Snapshot) {
			s.Readers = 0
			s.LastClose = now
			s.Streams = []StreamState{{End: 1 << 30, LastByte: now, Used: now, Paused: true}}
		}, func(d *Decision) {
			d.Limit = []int64{0}
			d.Wake = now.Add(linger)
		}},
		{"streams end some time after the last close", func(s *Snapshot) {
			s.Readers, s.LastClose = 0, now.Add(-linger)
			s.Streams = []StreamState{running(0, mib, 1e7)}
		}, func(d *Decision) {
			d.Limit = []int64{mib + mib/4}
			d.End = []bool{true}
		}},
		{"without Range they finish if that costs less than was paid", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Readers, s.LastClose, s.Cost = 0, now.Add(-linger), 600*mib
			s.Streams = []StreamState{running(0, 600*mib, 1e7)}
			s.Streams[0].End = 1 << 30
		}, func(d *Decision) {
			d.Limit = []int64{1 << 30}
		}},
		{"and so they do if an answer of everything may mean that there is no Range", func(s *Snapshot) {
			s.Ranging = RangeUnknown
			s.Readers, s.LastClose, s.Cost = 0, now.Add(-linger), 600*mib
			s.Streams = []StreamState{running(0, 600*mib, 1e7)}
			s.Streams[0].End = 1 << 30
		}, func(d *Decision) {
			d.Limit = []int64{1 << 30}
		}},
		{"without Range they end if it costs more", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Readers, s.LastClose, s.Cost = 0, now.Add(-linger), 100*mib
			s.Streams = []StreamState{running(0, 100*mib, 1e7)}
			s.Streams[0].End = 1 << 30
		}, func(d *Decision) {
			d.Limit = []int64{125 * mib}
			d.End = []bool{true}
		}},
		{"without Range a paused stream is kept alive, before Tomcat cuts it after 20 s", func(s *Snapshot) {
			s.Ranging = RangeNo
			s.Streams = []StreamState{paused(running(0, 10*mib, 1e7), time.Minute)}
			s.Streams[0].LastByte = now.Add(-15 * time.Second)
		}, func(d *Decision) {
			d.Limit = []int64{12 * mib}
		}},
		{"after a failure nothing opens before its time", func(s *Snapshot) {
			s.NotBefore = now.Add(time.Second)
			s.Waiters = []WaiterState{want(0, 1)}
		}, func(d *Decision) {
			d.Wake = now.Add(time.Second)
		}},
		{"an answer that nobody waits for any longer is awaited for a while", func(s *Snapshot) {
			s.Streams = []StreamState{{Opening: true, LastByte: now}}
		}, func(d *Decision) {
			d.Limit = []int64{0}
			d.Wake = now.Add(linger)
		}},
		{"and then given up: it may be queued behind a closed gate", func(s *Snapshot) {
			s.Streams = []StreamState{{Opening: true, LastByte: now.Add(-linger)}}
		}, func(d *Decision) {
			d.Limit = []int64{0}
			d.End = []bool{true}
		}},
		{"a listing asks for a head block", func(s *Snapshot) {
			s.Header, s.Size = false, -1
			s.Waiters = []WaiterState{{Header: true, Head: true, Background: true, Since: now}}
		}, func(d *Decision) {
			d.Open = []Opening{{End: block, Least: block, Background: true}}
		}},
	})
}

func checkPlans(t *testing.T, tests []planTest) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := base()
			tt.snap(&s)
			if s.History == nil { // what the streams have brought was read
				s.History = &history{}
				for _, st := range s.Streams {
					s.History.add(ranges.Range{Start: st.Start, End: st.Frontier})
					s.History.received += st.Pos - st.Start
				}
			}
			want := Decision{Limit: make([]int64, len(s.Streams)), End: make([]bool, len(s.Streams))}
			tt.want(&want)
			got := Plan(s)
			got.Serves = nil
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}
