package asset

import (
	"testing"
	"time"
)

func TestRangeIsKnownPerAsset(t *testing.T) {
	t.Run("200 to what covers all says nothing", func(t *testing.T) {
		test(t, &fakeServer{size: 200 * mib, ranged: true, etag: true, plain: func(_ int, r Request) bool { return r.Start == 0 }}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.read(rd, 0, 32<<10)
			r.cat(rd, 199*mib, 200*mib)
			r.spent(2, 4*mib)
		})
	})
	t.Run("an asset without it harms no other, over restarts too", func(t *testing.T) {
		test(t, &fakeServer{size: 64 * mib, etag: true}, func(r *rig) {
			ranged := &rig{t: t, server: &fakeServer{size: 64 * mib, ranged: true, etag: true, rate: 100 * mib}, store: r.store, Asset: r.store.Asset("re_2")}
			r.store.engine.Source = byID{"re_1": r.server, "re_2": ranged.server}
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.read(rd, 40*mib, 1000)
			ranged.contact()
			rd2 := ranged.Open()
			ranged.read(rd2, 40*mib, 1000)
			ranged.spent(2, 4*mib)
			if got, want := [2]Ranging{r.Info().Ranging, ranged.Info().Ranging}, [2]Ranging{RangeNo, RangeYes}; got != want {
				t.Errorf("Range of both: %v, want %v", got, want)
			}
			rd2.Close()
			rd.Close()
			r.restart()
			if r.Info().Ranging != RangeNo {
				t.Error("not kept")
			}
		})
	})
	t.Run("one answer without it is not believed", func(t *testing.T) {
		test(t, &fakeServer{size: 200 * mib, ranged: true, etag: true, plain: func(n int, _ Request) bool { return n%2 == 1 }}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			for _, off := range []int64{0, 100 * mib, 50 * mib, 150 * mib} {
				r.cat(rd, off, off+mib)
			}
			r.spent(7, 12*mib)
		})
	})
	t.Run("nor while validators differ", func(t *testing.T) {
		test(t, &fakeServer{size: 64 * mib, ranged: true, validators: perAnswer, plain: func(n int, _ Request) bool { return n%2 == 1 }}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			for _, off := range []int64{0, 40 * mib, 20 * mib, 50 * mib} {
				r.cat(rd, off, off+mib)
			}
			r.spent(16, 16*mib)
		})
	})
	t.Run("two are", func(t *testing.T) {
		test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true, plain: func(n int, _ Request) bool { return n > 0 }}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, mib)
			r.cat(rd, 50*mib, 51*mib)
			r.spent(3, 68*mib)
		})
	})
}

func TestDoubtfulContentRange(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true, shift: 100}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		r.cat(rd, 50*mib, 51*mib) // wrong bytes are found out, and asked for without Range
		r.cat(rd, 20*mib, 21*mib)
		if r.Status().Version != 0 {
			t.Error("took it for a change")
		}
		r.spent(4, 70*mib)
	})
}

// TestPieces has a server that answers any Range with so many bytes at most, as in many
// an introduction to streaming video.
func TestPieces(t *testing.T) {
	const size = 10*mib + 100
	for name, c := range map[string]struct {
		etag, unsized bool
		most          int64
	}{
		"validators":    {true, false, 1e6},
		"no validators": {false, false, 1e6},
		"small":         {true, false, 64 << 10},
		"size untold":   {false, true, 1e6},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: size, ranged: true, etag: c.etag, unsized: c.unsized, most: c.most}, func(r *rig) {
				r.contact()
				rd := r.Open()
				defer rd.Close()
				bytes := int64(size + 2*mib)
				if c.unsized {
					bytes += size // what is behind the last byte only a request for all tells
				} else {
					r.cat(rd, size-1000, size)
					r.spent(int(2+2*block/c.most), 2*block+max(c.most, block))
				}
				r.cat(rd, 0, size)
				r.read(rd, size, 1000)
				r.spent(int(size/c.most)+2*size/mib, bytes)
				if r.Info().Size != size || r.Info().Misranged != c.unsized {
					t.Errorf("%+v", r.Info())
				}
			})
		})
	}
}

// TestWrongTotal has parts of the known content begin to tell another size. The same content has the same size, so
// it is the total that is wrong.
func TestWrongTotal(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		r.set(func(f *fakeServer) { f.surplus = 1 })
		r.read(rd, 40*mib, 4096)
		if r.Status().Version != 0 || r.Info().Size != 64*mib {
			t.Errorf("content %d of %d bytes", r.Status().Version, r.Info().Size)
		}
	})
	// Unless what is asked for without Range tells the same size.
	test(t, &fakeServer{size: 64 * mib, ranged: true, etag: true}, func(r *rig) {
		r.contact()
		rd := r.Open()
		r.cat(rd, 0, mib)
		rd.Close()
		time.Sleep(time.Minute)
		rd = r.Open()
		defer rd.Close()
		r.set(func(f *fakeServer) { f.size = 48 * mib })
		r.fails(rd, 40*mib, 4096, ErrChanged)
		if r.Status().Version != 1 || r.Info().Size != 48*mib {
			t.Errorf("content %d of %d bytes", r.Status().Version, r.Info().Size)
		}
	})
}
