package asset

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

func TestUnframed(t *testing.T) {
	const size, end = 5*mib + 77, 2 * mib
	t.Run("whole, and nothing says so", func(t *testing.T) {
		test(t, &fakeServer{size: size, noLength: true, unframed: true}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, size/(128<<10)*(128<<10))
			r.fails(rd, size/(128<<10)*(128<<10), 128<<10, wrongLength(size, -1, 0))
			r.read(rd, size-1000, 1000)
			if whole := r.Status().Whole; whole || r.Info().Size != -1 {
				t.Errorf("whole %v, size %d", whole, r.Info().Size)
			}
			r.spent(2, size+64<<10)
		})
	})
	t.Run("ends early, size known, Range", func(t *testing.T) {
		test(t, &fakeServer{size: size, ranged: true, noLength: true, unframed: true, endAt: end, plain: func(n int, _ Request) bool { return n == 0 }}, func(r *rig) {
			r.Learn(Info{Size: size})
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, size)
			r.spent(2, size+overlap)
		})
	})
	t.Run("ends early, size unknown, Range", func(t *testing.T) {
		test(t, &fakeServer{size: size, ranged: true, noLength: true, unframed: true, endAt: end, plain: func(n int, _ Request) bool { return n == 0 }}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, size)
			r.spent(2, size+overlap)
		})
	})
	t.Run("ends early, size known, no Range", func(t *testing.T) {
		test(t, &fakeServer{size: size, noLength: true, unframed: true, endAt: end}, func(r *rig) {
			r.Learn(Info{Size: size})
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, end)
			for range 5 {
				r.fails(rd, end, 1000, wrongLength(end, size, 0))
			}
			r.spent(4, 4*end)
		})
	})
}

// TestMetadataSizeIsAPromise uses a metadata call that tells another size than the download. Readers that
// were told it get an error, and the next open the right size.
func TestMetadataSizeIsAPromise(t *testing.T) {
	const size = 3*mib + 5
	for _, told := range []int64{size - mib, size + mib, 1} {
		for name, s := range map[string]*fakeServer{
			"length":  {size: size},
			"Range":   {size: size, ranged: true},
			"chunked": {size: size, noLength: true},
		} {
			t.Run(fmt.Sprintf("%s, told %d", name, told-size), func(t *testing.T) {
				test(t, &fakeServer{size: size, ranged: s.ranged, noLength: s.noLength}, func(r *rig) {
					r.Learn(Info{Size: told})
					rd := r.Open()
					failed := false
					for off := int64(0); off < told && !failed; off += 128 << 10 {
						_, err := rd.ReadAt(context.Background(), make([]byte, 128<<10), off)
						failed = err != nil
					}
					if !failed && name != "chunked" {
						t.Error("read all that was told, and no error")
					}
					rd.Close()
					// A body without length shows what it is only at its end.
					for range 3 {
						r.contact()
						rd = r.Open()
						_, err := rd.ReadAt(context.Background(), make([]byte, 1000), max(0, r.Info().Size-1))
						rd.Close()
						if err == nil {
							break
						}
						time.Sleep(rememberFor)
						r.Learn(Info{Size: told})
					}
					r.contact()
					rd = r.Open()
					defer rd.Close()
					r.cat(rd, 0, size)
					synctest.Wait() // the stream may not have met the end that tells the size
					if got := r.Info().Size; got != size {
						t.Errorf("size %d, want %d", got, size)
					}
				})
			})
		}
	}
}

func TestSizeBeyondAllFileSystems(t *testing.T) {
	test(t, &fakeServer{size: 10}, func(r *rig) {
		r.server.size = maxSize + 1
		if _, err := r.Contact(context.Background(), Contact{}); err == nil {
			t.Error("no error")
		}
		r.Learn(Info{Size: maxSize + 1})
		if got := r.Info().Size; got != -1 {
			t.Errorf("size %d", got)
		}
		r.server.size = 10
	})
}

// TestEmptyBody: a body that ends before its first byte is far more often that of a broken server than of an
// asset that has become empty. It is not believed, however often it comes, and costs nothing that is there.
func TestEmptyBody(t *testing.T) {
	for name, known := range map[string]Info{"size unknown": {Size: -1}, "size known": {Size: 4 * mib}} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: 4 * mib, noLength: true}, func(r *rig) {
				r.Learn(known)
				rd := r.Open()
				r.cat(rd, 0, mib)
				rd.Close()
				time.Sleep(time.Minute)
				r.set(func(f *fakeServer) { f.size = 0 })
				rd = r.Open()
				defer rd.Close()
				for range 5 {
					r.fails(rd, 3*mib, 1000, wrongLength(0, r.leastLocked(), 0))
					time.Sleep(rememberFor)
				}
				if s := r.Status(); s.Present < mib || s.Version != 0 {
					t.Errorf("%d bytes of content %d", s.Present, s.Version)
				}
				r.spent(6, 5*mib)
			})
		})
	}
}

// TestEndsWhereItShould: a body without length that ends at the size that is known is all right.
func TestEndsWhereItShould(t *testing.T) {
	for _, unframed := range []bool{true, false} {
		test(t, &fakeServer{size: 4 * mib, noLength: true, unframed: unframed}, func(r *rig) {
			r.Learn(Info{Size: 4 * mib})
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, 4*mib)
			synctest.Wait()
			time.Sleep(time.Minute)
			if s := r.Status(); !s.Whole || s.LastError != nil {
				t.Errorf("unframed %v: whole %v, error %v", unframed, s.Whole, s.LastError)
			}
			r.spent(1, 4*mib)
		})
	}
}
