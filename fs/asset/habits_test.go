package asset

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// Servers with the habits that SERVERS.md lists. Each test counts what they cost.

// fails reads n bytes at off and wants an error of the kind of want.
func (r *rig) fails(rd *Reader, off, n int64, want error) {
	r.t.Helper()
	got, err := rd.ReadAt(context.Background(), make([]byte, n), off)
	var length *LengthError
	switch {
	case err == nil:
		r.t.Fatalf("read %d at %d: %d bytes and no error, want %v", n, off, got, want)
	case errors.As(want, &length) && errors.As(err, &length):
	case !errors.Is(err, want):
		r.t.Fatalf("read %d at %d: error is %v, want %v", n, off, err, want)
	}
}

func perAnswer(n, _ int) (string, string) { return fmt.Sprintf(`"%d"`, n), "" }
func inTurns(n, _ int) (string, string)   { return fmt.Sprintf(`"%d"`, n%2), "" }
func dateNow(n, _ int) (string, string)   { return "", fmt.Sprint("date ", n) }
func unquoted(_, v int) (string, string)  { return fmt.Sprint("v", v), "" }
func afterRestart(n, _ int) (string, string) {
	return fmt.Sprintf(`"run %d"`, n/2), ""
}

func TestWanderingValidators(t *testing.T) {
	const size = 64 * mib
	for name, c := range map[string]struct {
		validators func(n, version int) (string, string)
		extra      int // requests that compare
	}{
		"ETag differs per answer":                    {perAnswer, 3},
		"ETags in turns":                             {inTurns, 2},
		"date differs per answer":                    {dateNow, 3},
		"ETag differs after a restart of the server": {afterRestart, 3},
		"ETag without quotes":                        {unquoted, 0},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: size, ranged: true, validators: c.validators}, func(r *rig) {
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, mib)
				offsets := []int64{50 * mib, 20 * mib, 40 * mib, 10 * mib, 30 * mib}
				for _, off := range offsets {
					r.cat(rd, off, off+mib)
				}
				// As much as with a validator that stays, and what is compared.
				r.spent(1+len(offsets)+c.extra, 28*mib+int64(c.extra)*(block+32<<10))
				if r.Version() != 0 {
					t.Error("took it for a change")
				}
			})
		})
	}
}

// TestWanderingIsRemembered restarts with what was learnt.
func TestWanderingIsRemembered(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, validators: perAnswer}, func(r *rig) {
		r.contact()
		rd := r.Open()
		for off := int64(0); off < 50*mib; off += 10 * mib {
			r.cat(rd, off, off+mib)
		}
		rd.Close()
		r.Close()
		if !r.Info().Validators.Wanders {
			t.Fatalf("validators %+v", r.Info().Validators)
		}
		r.start()
		before := len(r.server.requests)
		rd = r.Open()
		defer rd.Close()
		r.cat(rd, 60*mib, 61*mib)
		r.spent(before+1, 64*mib)
	})
}

// TestUnknownValidatorStoresNothing changes the content and gives it another
// validator: no byte of it may be given to the old reader, wherever it reads.
func TestUnknownValidatorStoresNothing(t *testing.T) {
	versions := func(_, v int) (string, string) { return fmt.Sprintf(`"%d"`, v), "" }
	for name, c := range map[string]*fakeServer{
		"strong":    {validators: versions},
		"weak":      {validators: func(_, v int) (string, string) { return fmt.Sprintf(`W/"%d"`, v), "" }},
		"unquoted":  {validators: unquoted},
		"date":      {validators: func(_, v int) (string, string) { return "", fmt.Sprint("date ", v) }},
		"vanishing": {validators: func(_, v int) (string, string) { return []string{`"a"`, "", ""}[v], "" }},
		"no Range":  {validators: versions, plain: func(int, Request) bool { return true }},
	} {
		for _, off := range []int64{8 * mib, 50 * mib} {
			t.Run(fmt.Sprintf("%s at %d", name, off), func(t *testing.T) {
				test(t, &fakeServer{size: 64 * mib, ranged: true, validators: c.validators, plain: c.plain}, func(r *rig) {
					r.contact()
					rd := r.Open()
					defer rd.Close()
					r.cat(rd, 0, mib)
					time.Sleep(time.Minute)
					r.server.mu.Lock()
					r.server.version++
					r.server.cutAfter = mib
					r.server.mu.Unlock()
					r.mu.Lock()
					for _, s := range r.streams {
						s.endLocked()
					}
					r.mu.Unlock()
					synctest.Wait()
					r.server.mu.Lock()
					r.server.cutAfter = 0
					r.server.mu.Unlock()
					r.fails(rd, off, 1000, ErrChanged)
					again := r.Open()
					defer again.Close()
					r.contact()
					again.Close()
					again = r.Open()
					r.cat(again, off, off+mib)
					r.cat(again, 0, mib)
				})
			})
		}
	}
}

// TestStaleValidator has a server that sends the old ETag with new bytes for a
// while: a later request finds out, though the bytes right before it are new.
func TestStaleValidator(t *testing.T) {
	var stale bool
	test(t, &fakeServer{size: 64 * mib, ranged: true, validators: func(_, v int) (string, string) {
		if stale {
			v = 0
		}
		return fmt.Sprintf(`"%d"`, v), ""
	}}, func(r *rig) {
		stale = true
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, 128<<10)
		r.server.mu.Lock()
		r.server.version++
		r.server.mu.Unlock()
		p := make([]byte, 1000)
		if _, err := rd.ReadAt(context.Background(), p, 50*mib); err != nil {
			t.Fatal(err) // nothing tells yet
		}
		time.Sleep(10 * time.Second)
		stale = false
		r.fails(rd, 60*mib, 1000, ErrChanged)
	})
}

// TestStrongChange believes a strong ETag that was stable and changes together
// with the date, though the bytes before are the same.
func TestStrongChange(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, validators: func(n, _ int) (string, string) {
		return fmt.Sprintf(`"%d"`, n/2), fmt.Sprint("date ", n/2)
	}}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		r.cat(rd, 20*mib, 21*mib)
		r.fails(rd, 50*mib, 1, ErrChanged)
		r.spent(3, 8*mib)
	})
}

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
			ranged := newRig(t, &fakeServer{size: 64 * mib, ranged: true, etag: true})
			o := *ranged.o
			o.Host = r.o.Host
			ranged.Close()
			ranged.Asset = New("re_2", ranged.store, &o)
			defer ranged.Close()
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.read(rd, 40*mib, 1000)
			ranged.contact()
			rd2 := ranged.Open()
			defer rd2.Close()
			ranged.read(rd2, 40*mib, 1000)
			ranged.spent(2, 4*mib)
			if got, want := [2]Ranging{r.Info().Ranging, ranged.Info().Ranging}, [2]Ranging{RangeNo, RangeYes}; got != want {
				t.Errorf("Range of both: %v, want %v", got, want)
			}
			if r.store.Info().Ranging != RangeNo {
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
		if r.Version() != 0 {
			t.Error("took it for a change")
		}
		r.spent(4, 70*mib)
	})
}

func TestUnframed(t *testing.T) {
	const size, end = 5*mib + 77, 2 * mib
	t.Run("whole, and nothing says so", func(t *testing.T) {
		test(t, &fakeServer{size: size, noLength: true, unframed: true}, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, size/(128<<10)*(128<<10))
			r.fails(rd, size/(128<<10)*(128<<10), 128<<10, &LengthError{})
			r.read(rd, size-1000, 1000)
			if _, whole := r.State(); whole || r.Info().Size != -1 {
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
				r.fails(rd, end, 1000, &LengthError{})
			}
			r.spent(4, 4*end)
		})
	})
}

// TestMetadataSizeIsAPromise has a metadata call tell another size than the
// download. Who has been told it gets an error, the next open the truth.
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
		if got := r.Info().Size; got != -1 || r.store.Info().Size != -1 {
			t.Errorf("size %d", got)
		}
		r.server.size = 10
	})
}

func TestRetryCounts(t *testing.T) {
	const after = 30 * time.Second
	for name, c := range map[string]struct {
		err  *apiError
		want int           // requests within the minute
		took time.Duration // at least
	}{
		"permanent":                    {&apiError{status: 402}, 1, 0},
		"three in all":                 {&apiError{status: 400, tries: 3}, 3, 0},
		"Retry-After holds":            {&apiError{status: 503, temp: true, after: after}, 2, after},
		"Retry-After, and three alone": {&apiError{status: 503, tries: 3, after: after}, 2, after},
	} {
		t.Run(name, func(t *testing.T) {
			failures := make([]error, 100)
			for i := range failures {
				failures[i] = c.err
			}
			test(t, &fakeServer{size: mib, failures: failures}, func(r *rig) {
				start := time.Now()
				for range 3 { // what was learnt holds for all
					_, err := r.Contact(context.Background(), Contact{Patience: 35 * time.Second})
					if !errors.Is(err, c.err) {
						t.Fatalf("error is %v", err)
					}
					if c.took > 0 {
						break
					}
				}
				if took := time.Since(start); took < c.took || len(r.server.requests) != c.want {
					t.Errorf("%d requests, took %v; want %d, at least %v", len(r.server.requests), took, c.want, c.took)
				}
				r.server.failures = nil
				time.Sleep(max(rememberFor, after))
				r.contact()
			})
		})
	}
}

// TestQueueIsNotRetrying has a read fail once and then wait for its turn longer
// than it would retry.
func TestQueueIsNotRetrying(t *testing.T) {
	test(t, &fakeServer{size: mib, ranged: true, perMin: 2, failures: []error{errServer}}, func(r *rig) {
		r.server.times = append(r.server.times, time.Now())
		if _, err := r.Contact(context.Background(), Contact{Patience: 5 * time.Second}); err != nil {
			t.Error(err)
		}
		r.spent(2, 0)
	})
}

// TestCrowdedGivesWay reads two assets of a server that serves one download at a
// time.
func TestCrowdedGivesWay(t *testing.T) {
	for name, c := range map[string]struct {
		ranged bool
		read   int64 // of the first asset
		gives  bool
	}{
		"Range":                {true, mib, true},
		"no Range, below half": {false, mib, false},
		"no Range, above half": {false, 20 * mib, true},
	} {
		t.Run(name, func(t *testing.T) {
			test(t, &fakeServer{size: 64 * mib, ranged: c.ranged, etag: true, single: true}, func(r *rig) {
				second := &rig{t: t, server: r.server, store: newStore(r.server.size)}
				o := *r.o
				o.RetryFor = 10 * time.Second
				second.Asset = New("re_2", second.store, &o)
				defer second.Close()
				r.contact()
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, c.read)
				time.Sleep(linger)
				_, err := second.Contact(context.Background(), Contact{})
				if gave := err == nil; gave != c.gives {
					t.Errorf("gave way %v, error %v", gave, err)
				}
				if !c.gives {
					return
				}
				r.spent(3, 64*mib)
				time.Sleep(2 * linger)
				if c.ranged {
					r.cat(rd, c.read, c.read+8*mib) // and the first goes on
				}
			})
		})
	}
}

// TestStallWatch lets the watchdog fire at every moment of a stream's life.
func TestStallWatch(t *testing.T) {
	for seed := range 20 {
		test(t, &fakeServer{size: 8 * mib, ranged: true, rate: mib / 4}, func(r *rig) {
			r.o.StallTimeout = time.Duration(330+seed) * time.Millisecond // little longer than a read takes
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, 2*mib)
			time.Sleep(time.Minute) // paused is no stall
			r.cat(rd, 2*mib, 4*mib)
			r.spent(1, 8*mib)
		})
	}
}
