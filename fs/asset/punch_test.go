package asset

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// TestFilm streams an asset 16 times as large as the spool may be to one reader.
func TestFilm(t *testing.T) {
	const limit, size, piece = 4 * mib, 64 * mib, 128 * kib
	root := t.TempDir()
	var punches atomic.Int64
	d := open(t, root, keep{Size: limit, Fault: func(point, _ string) error {
		if point == "punched" {
			punches.Add(1)
		}
		return nil
	}})
	f := d.Asset("film")
	f.acquire()
	f.change(func(m *facts) { m.info.Size = size })
	for pos := int64(0); pos < size; pos += piece {
		put(t, f, span(pos, pos+piece))
		if got := d.held(); got > limit {
			t.Fatalf("%d bytes held at %d", got, pos)
		}
		p := make([]byte, piece)
		if _, err := f.readAt(p, pos); err != nil || !bytes.Equal(p, content("film", 0, span(pos, pos+piece))) {
			t.Fatalf("read at %d: %v", pos, err)
		}
		f.setSpan(span(max(0, pos-mib), maxSize))
	}
	if got := diskUsage(t, root); got > limit+64*kib {
		t.Errorf("%d bytes on the disk, limit %d", got, limit)
	}
	check(t, f)
	if got, most := punches.Load(), int64(size/(limit/8)); got == 0 || got > most {
		t.Errorf("room was made %d times, at most %d wanted", got, most)
	}
	f.release()
	d.abandon()
	d = open(t, root, keep{Size: limit})
	check(t, d.Asset("film"))
	if n := d.Asset("film").Status().Present; n < limit/4 {
		t.Errorf("%d bytes after a kill", n)
	}
}

// TestUnalignedFilm does the same in odd pieces, so that blocks are shared.
func TestUnalignedFilm(t *testing.T) {
	const limit, size = 256 * kib, 2 * mib
	root := t.TempDir()
	d := open(t, root, keep{Size: limit})
	f := d.Asset("film")
	f.acquire()
	rnd := rand.New(rand.NewPCG(1, 1))
	for pos := int64(0); pos < size; {
		end := pos + 1 + rnd.Int64N(20*kib)
		put(t, f, span(pos, end))
		f.setSpan(span(max(0, pos-32*kib+rnd.Int64N(100)), maxSize))
		if d.held() > limit {
			t.Fatalf("%d bytes held", d.held())
		}
		check(t, f)
		pos = end
	}
	if got := diskUsage(t, root); got > limit+8*kib {
		t.Errorf("%d bytes on the disk, limit %d", got, limit)
	}
}

// TestPunchAndRewrite writes a range again while it is being punched out: the write waits.
func TestPunchAndRewrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var f *Asset
		r := span(0, 64*kib)
		wrote := make(chan error, 1)
		d := open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
			if point == "punch" {
				go func() { wrote <- f.write(content("a", 0, r), 0) }()
				synctest.Wait() // it has done all it can
				if len(wrote) > 0 {
					t.Error("the write did not wait")
				}
				if _, err := f.readAt(make([]byte, 10), 0); !errors.Is(err, ErrAbsent) {
					t.Errorf("read of what is being punched out: %v", err)
				}
			}
			return nil
		}})
		f = d.Asset("a")
		f.acquire()
		put(t, f, r)
		f.setSpan(span(64*kib, maxSize))
		freed := d.punchBehind(f, mib)
		if freed != 64*kib {
			t.Errorf("%d bytes freed", freed)
		}
		if err := <-wrote; err != nil {
			t.Fatal(err)
		}
		if !f.presentNow(r) {
			t.Errorf("present: %v", spooled(f))
		}
		check(t, f)
		d.abandon()
	})
}

// TestReadDuringPunch removes bytes between the check for them and the read.
func TestReadDuringPunch(t *testing.T) {
	for what, goes := range map[string]func(d *Store, f *Asset){
		"punched": func(d *Store, f *Asset) {
			d.punchBehind(f, mib)
		},
		"evicted": func(_ *Store, f *Asset) {
			f.release()
			f.evict()
			f.acquire()
		},
		"reset and written": func(_ *Store, f *Asset) {
			if err := errors.Join(resetNow(f), f.write(content("a", 1, span(0, 8192)), 0)); err != nil {
				t.Error(err)
			}
		},
	} {
		var f *Asset
		var d *Store
		reads := 0
		d = open(t, t.TempDir(), keep{Fault: func(point, _ string) error {
			if point == "read" {
				if reads++; reads == 1 {
					goes(d, f)
				}
			}
			return nil
		}})
		f = d.Asset("a")
		f.acquire()
		put(t, f, span(0, 8192))
		f.setSpan(span(8192, maxSize))
		p := make([]byte, 8192)
		switch _, err := f.readAt(p, 0); {
		case err == nil && !bytes.Equal(p, content("a", f.Status().Version, span(0, 8192))):
			t.Errorf("%s: wrong bytes", what)
		case err == nil && f.Status().Present == 0:
			t.Errorf("%s: nothing happened to the read", what)
		case err != nil && !errors.Is(err, ErrAbsent):
			t.Errorf("%s: %v", what, err)
		}
		d.abandon()
	}
}

// TestWholeInUse checks that a whole asset in use keeps its bytes: the kernel may be reading its file.
func TestWholeInUse(t *testing.T) {
	d := open(t, t.TempDir(), keep{Size: 128 * kib})
	f := d.Asset("a")
	f.acquire()
	f.change(func(m *facts) { m.info.Size = 100 * kib })
	put(t, f, span(0, 100*kib))
	f.setSpan(span(100*kib, maxSize))
	if err := d.Asset("b").write(make([]byte, 64*kib), 0); !errors.Is(err, ErrNoSpace) {
		t.Errorf("write: %v", err)
	}
	if !f.whole() {
		t.Errorf("left: %v", spooled(f))
	}
	f.release()
	put(t, d.Asset("b"), span(0, 64*kib))
}

// TestReadWhilePunched removes bytes between the check for them and the read.
func TestReadWhilePunched(t *testing.T) {
	d := open(t, t.TempDir(), keep{})
	f := d.Asset("a")
	f.acquire()
	const size = 8 * mib
	put(t, f, span(0, size))
	put(t, f, span(size+4096, size+8192))
	f.change(func(m *facts) { m.info.Size = size + 8192 })
	f.setSpan(span(size, maxSize))
	done := make(chan struct{})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 1))
			p := make([]byte, 64*kib)
			for {
				select {
				case <-done:
					return
				default:
				}
				off := rnd.Int64N(size - int64(len(p)))
				if _, err := f.readAt(p, off); err == nil && !bytes.Equal(p, content("a", 0, span(off, off+int64(len(p))))) {
					t.Errorf("wrong bytes at %d", off)
					return
				} else if err != nil && !errors.Is(err, ErrAbsent) {
					t.Error(err)
				}
			}
		})
	}
	for f.Status().Present > 8192 {
		d.punchBehind(f, 128*kib)
	}
	close(done)
	wg.Wait()
}
