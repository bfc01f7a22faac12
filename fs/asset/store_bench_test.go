package asset

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
	d, err := openKeep(root, keep{})
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	for i := range n {
		f := d.Asset(fmt.Sprintf("re_%018d", i))
		f.change(func(m *facts) {
			m.name, m.info.Name = fmt.Sprintf("video %d.mp4", i), fmt.Sprintf("video %d.mp4", i)
			m.info.Size, m.info.Type, m.info.ModTime, m.info.ETag = 1<<30, "video/mp4", now, `"0123456789abcdef"`
			m.info.LastModified, m.info.Header = "Tue, 24 Nov 2026 03:00:00 GMT", true
		})
		if err := f.write([]byte("head"), 0); err != nil {
			b.Fatal(err)
		}
	}
	// What Close does, without 10 000 syncs.
	d.mu.Lock()
	for f := range d.pending {
		f.unsynced.Clear()
	}
	clear(d.pending)
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
	var d *Store
	for b.Loop() {
		var err error
		if d, err = openKeep(root, keep{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if n := len(d.all()); n != 10000 {
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

// BenchmarkPwrite is what BenchmarkPut is to be compared with.
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

func BenchmarkPut(b *testing.B) {
	for _, size := range []int64{64 * kib, mib} {
		b.Run(fmt.Sprintf("%dKiB", size/kib), func(b *testing.B) {
			d, err := openKeep(b.TempDir(), keep{Size: 1 << 40, MinFree: 1})
			if err != nil {
				b.Fatal(err)
			}
			p := content("a", 0, span(0, size))
			b.SetBytes(size)
			f, off := d.Asset("a"), int64(0)
			f.acquire()
			for b.Loop() {
				if err := f.write(p, off); err != nil {
					b.Fatal(err)
				}
				if off += size; off >= benchFile {
					b.StopTimer()
					if err := resetNow(f); err != nil {
						b.Fatal(err)
					}
					off = 0
					b.StartTimer()
				}
			}
			if err := resetNow(f); err != nil {
				b.Fatal(err)
			}
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func BenchmarkStored(b *testing.B) {
	for _, size := range []int64{4 * kib, 128 * kib, mib} {
		b.Run(fmt.Sprintf("%dKiB", size/kib), func(b *testing.B) {
			d, err := openKeep(b.TempDir(), keep{})
			if err != nil {
				b.Fatal(err)
			}
			f, p := d.Asset("a"), make([]byte, 64*mib)
			if err := f.write(p, 0); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(size)
			off := int64(0)
			for b.Loop() {
				if _, err := f.readAt(p[:size], off); err != nil {
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
