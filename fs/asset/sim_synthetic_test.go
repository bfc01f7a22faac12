package asset

import (
	"math/rand/v2"
	"time"
)

// synthetic are traces of the kinds of reading that there are.
func synthetic() []*trace {
	var all []*trace
	kind := func(name string, size int64, f func(t *trace)) {
		t := &trace{name: "~" + name, size: size}
		f(t)
		all = append(all, t)
	}
	const k, gib = 1 << 10, 1 << 30
	seq := func(t *trace, reader int, from, to, n int64, think time.Duration) {
		for ; from < to; from += n {
			t.add(reader, think, from, min(n, to-from))
		}
	}
	kind("cat", 64*mib, func(t *trace) { seq(t, 0, 0, t.size, 128*k, 0) })
	kind("head-10M", gib, func(t *trace) { seq(t, 0, 0, 10*mib, 128*k, 0) })
	kind("five", 5*gib, func(t *trace) {
		for _, at := range []int64{3, 1, 4, 2, 0} {
			t.add(0, 0, at*gib+500*k*at, 4*k)
		}
	})
	kind("random-10", 5*gib, func(t *trace) {
		r := rand.New(rand.NewPCG(1, 1))
		for range 10 {
			t.add(0, 0, r.Int64N(t.size), 4*k)
		}
	})
	kind("random-8x8", 2*gib, func(t *trace) {
		r := rand.New(rand.NewPCG(2, 1))
		for i := range 64 {
			t.add(i%8, time.Millisecond, r.Int64N(t.size), 4*k)
		}
	})
	kind("readers-8", 48*mib, func(t *trace) {
		r := rand.New(rand.NewPCG(3, 1))
		for i := range 8 {
			seq(t, i, r.Int64N(t.size), t.size, 128*k, 0)
		}
	})
	kind("readers-64", 192*mib, func(t *trace) {
		r := rand.New(rand.NewPCG(4, 1))
		for i := range 64 {
			at := r.Int64N(t.size - 3*mib)
			seq(t, i, at, at+2*mib, 64*k, 2*time.Millisecond)
		}
	})
	kind("tail-6M", 100*mib, func(t *trace) {
		for at := t.size - 8*k; at > t.size-6*mib; at -= 8 * k {
			t.add(0, 0, at, 8*k)
		}
		seq(t, 0, t.size-6*mib, t.size, 8*k, 0)
	})
	kind("tac", 100*mib, func(t *trace) {
		for at := t.size - 16*k; at >= 0; at -= 16 * k {
			t.add(0, 100*time.Microsecond, at, 16*k)
		}
	})
	kind("film", 200*mib, func(t *trace) {
		t.add(0, 0, 0, 64*k)
		seq(t, 0, t.size-200*k, t.size, 32*k, 0)
		seq(t, 0, 64*k, 10*mib, 32*k, 5*time.Millisecond)
		for _, at := range []int64{50, 150, 100} {
			seq(t, 0, at*mib, (at+10)*mib, 32*k, 5*time.Millisecond)
		}
	})
	kind("ffmpeg-ss", 200*mib, func(t *trace) {
		t.add(0, 0, 0, 32*k)
		seq(t, 0, t.size-1500*k, t.size, 32*k, 0)
		seq(t, 0, 90*mib, 92*mib, 32*k, time.Millisecond)
	})
	kind("pdf", 8200*k, func(t *trace) {
		r := rand.New(rand.NewPCG(5, 1))
		t.add(0, 0, 0, k)
		t.add(0, 0, t.size-k, k)
		seq(t, 0, t.size-60*k, t.size, 4*k, 0)
		for range 200 {
			at := r.Int64N(t.size)
			seq(t, 0, at, at+r.Int64N(200*k), 4*k, 100*time.Microsecond)
		}
	})
	kind("hops-100K", 100*mib, func(t *trace) {
		for at := int64(0); at < t.size; at += 100 * k {
			t.add(0, 0, at, 10*k)
		}
	})
	kind("hops-5M", 200*mib, func(t *trace) {
		for at := int64(0); at < t.size; at += 5 * mib {
			t.add(0, 0, at, 10*k)
		}
	})
	kind("unzip", 60*mib, func(t *trace) {
		t.add(0, 0, t.size-64*k, 64*k)
		for at := int64(0); at < t.size-64*k; at += 3 * mib {
			seq(t, 0, at, min(t.size-64*k, at+mib), 32*k, time.Millisecond)
		}
	})
	kind("ext4", 256*mib, func(t *trace) {
		r := rand.New(rand.NewPCG(6, 1))
		t.add(0, 0, k, k)
		t.add(0, 0, 4*k, 4*k)
		for g := range int64(2) {
			at := g * 128 * mib
			seq(t, 0, at+mib, at+9*mib, 4*k, 0)
		}
		for range 300 {
			t.add(0, 0, r.Int64N(t.size/4)/4096*4096+64*mib, 4*k)
		}
	})
	return all
}
