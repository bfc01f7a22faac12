package asset

import (
	"context"
	"io"
	"testing"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// plenty is a source all of whose bytes have come already.
type plenty struct{ size int64 }

func (p plenty) Open(context.Context, string, Request) (*Response, error) {
	return &Response{
		Info: Info{Name: "a.bin", Size: p.size, Header: true}, Ranged: true, End: p.size,
		Body: &come{p.size},
	}, nil
}

func (p plenty) Budget() Budget { return Budget{Available: 1, Worth: 5 * time.Second} }

// come is a body of bytes that have come.
type come struct{ left int64 }

func (c *come) Read(p []byte) (int, error) {
	if c.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), c.left)
	c.left -= n
	return int(n), nil
}

func (c *come) Stop() int  { return int(c.left) }
func (*come) Close() error { return nil }

func benchmarkRig(b *testing.B, size int64) *Reader {
	b.Helper()
	s := newTestStore(b, StoreOptions{Spool: spool.Options{Dry: true}}, Options{
		Source: plenty{size}, ReadAhead: mib,
		StallTimeout: time.Minute, RetryFor: time.Minute,
	})
	return s.Asset("re_1").Open()
}

func end(r *Reader) {
	r.Close()
	r.a.Close()
	if err := r.a.store.Close(); err != nil {
		panic(err)
	}
}

// BenchmarkStream measures what the engine costs per byte: a stream, a store in memory, and a reader of
// 1 MiB at a time.
func BenchmarkStream(b *testing.B) {
	const size = 64 * mib
	b.SetBytes(size)
	b.ReportAllocs()
	p := make([]byte, mib)
	for b.Loop() {
		b.StopTimer()
		r := benchmarkRig(b, size)
		b.StartTimer()
		for off := int64(0); off < size; off += mib {
			if n, err := r.ReadAt(b.Context(), p, off); n < mib || err != nil {
				b.Fatal(n, err)
			}
		}
		end(r)
	}
}

// BenchmarkReadAt measures a read of 4 KiB from the spool, while a stream stays open.
func BenchmarkReadAt(b *testing.B) {
	const size, read = 64 * mib, 16 * mib
	r := benchmarkRig(b, size)
	defer end(r)
	p := make([]byte, mib)
	for off := int64(0); off < read; off += mib {
		if n, err := r.ReadAt(b.Context(), p, off); n < mib || err != nil {
			b.Fatal(n, err)
		}
	}
	p = p[:4<<10]
	b.ReportAllocs()
	off := int64(0)
	for b.Loop() {
		if n, err := r.ReadAt(b.Context(), p, off); n < len(p) || err != nil {
			b.Fatal(n, err)
		}
		off = (off + int64(len(p))) % read
	}
}

// BenchmarkPlan measures a plan with as many streams as an asset may have, each with a waiter, and as
// many present runs.
func BenchmarkPlan(b *testing.B) {
	s := base()
	s.Limited, s.Worth, s.History = false, 250*time.Millisecond, &history{}
	var present ranges.Set
	for i := range int64(mostStreams) {
		at := i * 16 * mib
		present.Add(ranges.Range{Start: at, End: at + mib})
		s.History.add(ranges.Range{Start: at, End: at + mib})
		s.Streams = append(s.Streams, running(at, at+mib, 1e7))
		s.Waiters = append(s.Waiters, want(at+mib, at+mib+4096))
	}
	s.Present = &present
	b.ReportAllocs()
	for b.Loop() {
		Plan(s)
	}
}

// thousand returns a planner with a thousand waiters that are apart bytes apart: they wait for one
// stream, or for requests in many places.
func thousand(apart int64) *planner {
	s := base()
	s.Size, s.History = 1000*apart, &history{}
	s.Streams = []StreamState{running(0, 1000, 1e7)}
	for i := range int64(1000) {
		s.Waiters = append(s.Waiters, want(i*apart+block, i*apart+block+4096))
	}
	return &planner{Snapshot: s}
}

// BenchmarkPlanWaiters measures a plan with a thousand waiters.
func BenchmarkPlanWaiters(b *testing.B) {
	for name, apart := range map[string]int64{"one stream": 100 << 10, "scattered": 8 * mib} {
		b.Run(name, func(b *testing.B) {
			p := thousand(apart)
			s := p.Snapshot
			b.ReportAllocs()
			for b.Loop() {
				p.Snapshot = s
				p.plan()
			}
		})
	}
}

// TestPlanAllocatesOnce checks that a plan leaves no garbage: with a thousand waiters there is a plan for
// each of them.
func TestPlanAllocatesOnce(t *testing.T) {
	for _, apart := range []int64{100 << 10, 8 * mib} {
		p := thousand(apart)
		s := p.Snapshot
		if n := testing.AllocsPerRun(10, func() {
			p.Snapshot = s
			p.plan()
		}); n > 0 {
			t.Errorf("waiters %d apart: %v allocations a plan, want none", apart, n)
		}
	}
}
