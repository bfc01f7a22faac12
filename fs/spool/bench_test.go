package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// known makes a spool of n assets of which bytes are present, and closes it.
func known(b *testing.B, root string, n int) {
	b.Helper()
	d, err := Open(root, baseURL, Options{})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for i := range n {
		f := d.File(fmt.Sprintf("re_%018d", i))
		f.Update(func(m *Meta) {
			m.Name, m.Original = fmt.Sprintf("video %d.mp4", i), fmt.Sprintf("video %d.mp4", i)
			m.Size, m.Type, m.ModTime, m.ETag, m.Learnt = 1<<30, "video/mp4", now, `"0123456789abcdef"`, `"0123456789abcdef"`
			m.LastModified, m.Resolved = "Tue, 24 Nov 2026 03:00:00 GMT", true
		})
		if err := f.WriteAt([]byte("head"), 0); err != nil {
			b.Fatal(err)
		}
	}
	// What Close does, without 10 000 syncs.
	d.mu.Lock()
	for f := range d.unsynced {
		f.unsynced.Clear()
		f.fresh.Clear()
	}
	clear(d.unsynced)
	d.mu.Unlock()
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkOpen10000(b *testing.B) {
	root := b.TempDir()
	known(b, root, 10000)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var d *Dir
	for b.Loop() {
		var err error
		if d, err = Open(root, baseURL, Options{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if n := len(d.Known()); n != 10000 {
			b.Fatalf("%d assets", n)
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if err := d.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/1e6, "heap-MB")
}

// BenchmarkPwrite is what BenchmarkWriteAt is to be compared with.
func BenchmarkPwrite(b *testing.B) {
	for _, size := range []int64{64 * kib, mib} {
		b.Run(fmt.Sprintf("%dKiB", size/kib), func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "f"))
			if err != nil {
				b.Fatal(err)
			}
			p := content("a", 0, span(0, size))
			b.SetBytes(size)
			off := int64(0)
			for b.Loop() {
				if _, err := f.WriteAt(p, off); err != nil {
					b.Fatal(err)
				}
				if off += size; off >= benchFile {
					b.StopTimer()
					if err := f.Truncate(0); err != nil {
						b.Fatal(err)
					}
					off = 0
					b.StartTimer()
				}
			}
			if err := f.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

// benchFile is how long a file gets before it is written anew: below what is
// synced while it is streamed.
const benchFile = 128 * mib

func BenchmarkWriteAt(b *testing.B) {
	for _, size := range []int64{64 * kib, mib} {
		b.Run(fmt.Sprintf("%dKiB", size/kib), func(b *testing.B) {
			d, err := Open(b.TempDir(), baseURL, Options{Size: 1 << 40, MinFree: 1})
			if err != nil {
				b.Fatal(err)
			}
			p := content("a", 0, span(0, size))
			b.SetBytes(size)
			f, off := d.File("a"), int64(0)
			f.Acquire()
			for b.Loop() {
				if err := f.WriteAt(p, off); err != nil {
					b.Fatal(err)
				}
				if off += size; off >= benchFile {
					b.StopTimer()
					if err := f.Reset(); err != nil {
						b.Fatal(err)
					}
					off = 0
					b.StartTimer()
				}
			}
			if err := f.Reset(); err != nil {
				b.Fatal(err)
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkReadAt(b *testing.B) {
	for _, size := range []int64{4 * kib, 128 * kib, mib} {
		b.Run(fmt.Sprintf("%dKiB", size/kib), func(b *testing.B) {
			d, err := Open(b.TempDir(), baseURL, Options{})
			if err != nil {
				b.Fatal(err)
			}
			f, p := d.File("a"), make([]byte, 64*mib)
			if err := f.WriteAt(p, 0); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			off := int64(0)
			for b.Loop() {
				if _, err := f.ReadAt(p[:size], off); err != nil {
					b.Fatal(err)
				}
				off = (off + size) % int64(len(p))
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}
