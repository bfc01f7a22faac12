package catalog

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// fair is how long n requests may take under the documented limit.
func fair(n int) time.Duration {
	return time.Duration(float64(n-1)*float64(interval)*1.15) + 3*time.Second
}

// TestFromTheMountOn: nobody asks for anything. Only free calls are made, one at a time and at the pace of
// the limit, and no download.
func TestFromTheMountOn(t *testing.T) {
	for _, o := range []func(*Options){nil, byMetadata} {
		bubble(t, func(t *testing.T) {
			s := newServer(ids(200)...).limited()
			r := start(t, s, newBook(), o, ids(200)...)
			defer r.Close()
			time.Sleep(fair(200))
			r.expectCounts(200, 0)
			if s.calls.refused != 0 {
				t.Errorf("%d calls refused", s.calls.refused)
			}
			for _, e := range r.Entries() {
				if i := e.Facts().Info(); i.Size < 0 || i.ModTime.IsZero() {
					t.Fatalf("nothing known of %s", e.ID)
				}
			}
			want := "re_200"
			if o != nil {
				want = "file-200.bin"
			}
			if got := r.shown()[199]; got != want {
				t.Errorf("the last is called %s, want %s", got, want)
			}
			time.Sleep(time.Hour)
			r.expectCounts(200, 0)
		})
	}
}

// TestLongListing is `ls -l` of 1, 20 and 200 IDs under the documented limits.
func TestLongListing(t *testing.T) {
	for _, n := range []int{1, 20, 200} {
		longListing(t, n, nil)
		longListing(t, n, byMetadata)
	}
}

func longListing(t *testing.T, n int, o func(*Options)) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(n)...).limited()
		r := start(t, s, newBook(), o, ids(n)...)
		defer r.Close()
		took := since(func() {
			if err := r.AwaitNames(t.Context()); err != nil {
				t.Error(err)
			}
			for _, e := range r.Entries() {
				if err := r.Stat(t.Context(), e.Asset); err != nil {
					t.Errorf("stat %s: %v", e.ID, err)
				}
			}
		})
		t.Logf("%d IDs, by metadata %v: all sizes after %v, %v are allowed", n, o != nil, took, fair(n))
		if took > fair(n) {
			t.Errorf("took %v, want %v", took, fair(n))
		}
		time.Sleep(fair(n) - took)
		heads := n
		if o != nil {
			heads = 0
		}
		r.expectCounts(n, heads)
		if s.calls.refused+s.heads.refused != 0 {
			t.Errorf("%d and %d refused", s.calls.refused, s.heads.refused)
		}
		if last := ids(n)[n-1]; slices.Contains(r.shown(), last) {
			t.Errorf("not all names are known: %q", r.shown())
		}
	})
}

// TestReaderBesideListing lets a reader come while a listing resolves names.
func TestReaderBesideListing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(50)...).limited()
		r := start(t, s, newBook(), nil, ids(50)...)
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		for range 10 {
			time.Sleep(777 * time.Millisecond)
			if took := since(func() { _ = s.heads.enter(t.Context(), false) }); took > interval*3/2 {
				t.Errorf("the reader waited %v", took)
			}
		}
	})
}

// TestStatBeforeSweep: a stat of the last asset goes before the sweep.
func TestStatBeforeSweep(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(50)...).limited()
		r := start(t, s, newBook(), nil, ids(50)...)
		defer r.Close()
		time.Sleep(5 * time.Second)
		if took := since(func() { _ = r.Stat(t.Context(), r.Listed("re_50")) }); took > interval+latency {
			t.Errorf("the stat waited %v", took)
		}
	})
}

// TestAtOnce has no limit: several calls run at a time to hide latency.
func TestAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(80)...)
		r := start(t, s, newBook(), nil, ids(80)...)
		defer r.Close()
		if took, want := since(func() { _ = r.AwaitNames(t.Context()) }), 80/atOnce*latency; took != want {
			t.Errorf("took %v, want %v", took, want)
		}
		r.expectCounts(80, 80)
	})
}

// TestListingWaits checks how long a listing waits.
func TestListingWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(2)...)
		r := start(t, s, newBook(), nil, ids(2)...)
		defer r.Close()
		step := func(what string, want time.Duration) {
			t.Helper()
			if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != want {
				t.Errorf("%s: waited %v, want %v", what, took, want)
			}
		}
		step("two", latency)
		step("none", 0)
		s.set("re_3", func(a *remote) { a.headErr = errServer })
		r.SetList(ids(3))
		step("one that fails", latency)
		step("one that has failed", 0)
		s.set("re_4", func(a *remote) { a.latency = time.Hour })
		r.SetList(ids(4))
		step("one that hangs", 5*time.Second)
		s.heads.mu.Lock()
		s.heads.interval, s.heads.free = time.Minute, time.Now().Add(time.Minute)
		s.heads.mu.Unlock()
		s.set("re_4", func(a *remote) { a.headErr = errServer })
		time.Sleep(time.Hour)
		synctest.Wait()
		s.heads.mu.Lock()
		s.heads.free = time.Now().Add(time.Minute)
		s.heads.mu.Unlock()
		s.set("re_5", func(*remote) {})
		r.SetList([]string{"re_1", "re_5"})
		step("no slot in time", 0)
		s.heads.mu.Lock()
		s.heads.free = time.Now().Add(2 * time.Second)
		s.heads.mu.Unlock()
		r.SetList([]string{"re_1", "re_5"})
		time.Sleep(10 * time.Minute) // nothing waits for names any more
		s.setAway(true)
		r.SetList(ids(6))
		step("the host away", 0)
	})
}

// TestCopyOfTheTree lists the root and then the links, as cp -r does, and reads only then. It waits once, not
// twice, and no download only for a name comes between. If nobody reads, the search for names goes on.
func TestCopyOfTheTree(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(20)...).limited()
		r := start(t, s, newBook(), nil, ids(20)...)
		defer r.Close()
		root := since(func() { _ = r.AwaitNames(t.Context()) })
		if root < 4*time.Second || root > 5*time.Second {
			t.Errorf("the root: waited %v", root)
		}
		if took := since(func() { _ = r.Links().AwaitNames(t.Context()) }); took > 100*time.Millisecond {
			t.Errorf("the links: waited %v", took)
		}
		before := s.heads.count()
		time.Sleep(firstRead - time.Millisecond)
		if got := s.heads.count(); got != before {
			t.Errorf("%d downloads right after the listing", got-before)
		}
		time.Sleep(time.Minute)
		if got := s.heads.count(); got != 20 {
			t.Errorf("%d downloads, want 20", got)
		}
	})
	bubble(t, func(t *testing.T) { // the links alone
		r := start(t, newServer(ids(20)...).limited(), newBook(), nil, ids(20)...)
		defer r.Close()
		time.Sleep(time.Minute)
		if took := since(func() { _ = r.Links().AwaitNames(t.Context()) }); took < 4*time.Second || took > 5*time.Second {
			t.Errorf("the links alone: waited %v", took)
		}
	})
}

// TestListingInterrupted ends a listing's wait.
func TestListingInterrupted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(9)...).limited()
		r := start(t, s, newBook(), nil, ids(9)...)
		defer r.Close()
		ctx, interrupted := interruptAfter(t, time.Second)
		if err := r.AwaitNames(ctx); !errors.Is(err, interrupted) {
			t.Errorf("got %v", err)
		}
	})
}

// TestFailuresAreForgiven counts requests for an asset that can't be had.
func TestFailuresAreForgiven(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.callErr, a.headErr = errServer, errServer })
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		for range 3 {
			_ = r.AwaitNames(t.Context())
		}
		r.expectCounts(1, 1)
		if err := errOf(r.Listed("re_1")); !errors.Is(err, errServer) {
			t.Errorf("its error is %v", err)
		}
		time.Sleep(2 * forgive) // by itself nothing is tried again
		r.expectCounts(1, 1)
		_ = r.AwaitNames(t.Context())
		r.expectCounts(2, 2)
		r.Forget()
		_ = r.AwaitNames(t.Context())
		r.expectCounts(3, 3)
		s.set("re_1", func(a *remote) { a.callErr, a.headErr = nil, nil })
		r.Forget()
		time.Sleep(time.Second)
		r.expect("file-1.bin") // by itself, since somebody has asked for names
		r.expectCounts(4, 4)
	})
}

// TestAway: the host can't be reached for an hour.
func TestAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(20)...).limited()
		s.setAway(true)
		r := start(t, s, newBook(), nil, ids(20)...)
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		time.Sleep(time.Hour)
		r.expectCounts(0, 0)
		s.setAway(false)
		time.Sleep(fair(20))
		if slices.Contains(r.shown(), "re_20") {
			t.Errorf("it did not go on by itself: %q", r.shown())
		}
		r.expectCounts(20, 20)
	})
}

// TestNotNow lets calls fail although they seemed possible: they are tried again, less and less often, and no
// asset counts as failed.
func TestNotNow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(5)...)
		for _, id := range ids(5) {
			s.set(id, func(a *remote) { a.headErr = ErrNotNow })
		}
		r := start(t, s, newBook(), nil, ids(5)...)
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		time.Sleep(time.Hour)
		if n := s.heads.count(); n < 60 || n > 60*atOnce {
			t.Errorf("%d downloads tried in an hour", n)
		}
		for _, id := range ids(5) {
			s.set(id, func(a *remote) { a.headErr = nil })
		}
		time.Sleep(pauseMost + time.Second)
		r.expect("file-1.bin", "file-2.bin", "file-3.bin", "file-4.bin", "file-5.bin")
	})
}

// TestOneNotNow lets that happen always, but to one asset only: others are not delayed.
func TestOneNotNow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(5)...).limited()
		s.set("re_1", func(a *remote) { a.headErr = ErrNotNow })
		r := start(t, s, newBook(), nil, ids(5)...)
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		time.Sleep(10 * time.Second)
		r.expect("re_1", "file-2.bin", "file-3.bin", "file-4.bin", "file-5.bin")
	})
}

// TestStuck lets no call succeed, as without a key: nobody waits for names, whether it is a listing or a name that nothing
// has. When that has ended, all names come.
func TestStuck(t *testing.T) {
	for _, o := range []func(*Options){nil, byMetadata} {
		for _, s := range []*server{newServer(ids(50)...), newServer(ids(50)...).limited()} {
			bubble(t, func(t *testing.T) {
				stuck := func(err error) {
					for _, id := range ids(50) {
						s.set(id, func(a *remote) { a.callErr, a.headErr = err, err })
					}
				}
				stuck(ErrStuck)
				r := start(t, s, newBook(), func(options *Options) {
					options.ListWait = time.Hour
					if o != nil {
						o(options)
					}
				}, ids(50)...)
				defer r.Close()
				for range 5 {
					took := since(func() {
						_ = r.AwaitNames(t.Context())
						if a, err := r.Lookup(t.Context(), "film.mp4"); a != nil || err != nil {
							t.Errorf("lookup: %v, %v", a, err)
						}
						_ = r.Links().AwaitNames(t.Context())
						if err := r.Stat(t.Context(), r.Listed("re_50")); !errors.Is(err, ErrStuck) {
							t.Errorf("stat: %v", err)
						}
					})
					if most := 5 * (s.calls.interval + latency); took > most { // the fake lets each of five wait for a turn and an answer
						t.Errorf("with a limit of %v it took %v", s.calls.interval, took)
					}
					time.Sleep(3 * time.Second)
				}
				stuck(nil)
				r.Forget()
				time.Sleep(fair(50))
				if slices.Contains(r.shown(), "re_50") {
					t.Errorf("names don't come: %q", r.shown())
				}
			})
		}
	}
}

// TestStatStuck lets metadata refuse the key. The header, if there is one, still tells the size.
func TestStatStuck(t *testing.T) {
	for _, header := range []error{nil, ErrStuck} {
		bubble(t, func(t *testing.T) {
			s := newServer("re_1")
			s.set("re_1", func(a *remote) { a.callErr, a.headErr = ErrStuck, header })
			r := start(t, s, newBook(), nil, "re_1")
			defer r.Close()
			if err := r.Stat(t.Context(), r.Listed("re_1")); !errors.Is(err, header) || (err == nil) != (header == nil) {
				t.Errorf("got %v, want %v", err, header)
			}
		})
	}
}

// TestNoCall uses an API without metadata calls.
func TestNoCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(20)...).limited()
		for _, id := range ids(20) {
			s.set(id, func(a *remote) { a.callErr = ErrNoCall })
		}
		r := start(t, s, newBook(), nil, ids(20)...)
		defer r.Close()
		time.Sleep(time.Minute)
		r.expectCounts(1, 0)
		if err := r.Stat(t.Context(), r.Listed("re_9")); err != nil {
			t.Error(err)
		}
		r.expectCounts(1, 1)
		r.Forget()
		time.Sleep(time.Minute)
		r.expectCounts(2, 1)
	})
}

// TestMetadataSaysNothing lets a sweep's requests succeed but say nothing.
func TestMetadataSaysNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.size, a.modTime, a.noLength = -1, time.Time{}, true })
		r := start(t, s, newBook(), func(o *Options) {
			facts := o.Facts
			o.Facts = func(id string, learnt func()) Facts { return mute{facts(id, learnt).(*engine)} }
		}, "re_1")
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		time.Sleep(time.Minute)
		r.expectCounts(1, 1)
	})
}

// TestUploads follows unfinished uploads until they are ready.
func TestUploads(t *testing.T) {
	for _, o := range []func(*Options){nil, byMetadata} {
		bubble(t, func(t *testing.T) {
			s := newServer(ids(2)...)
			s.set("re_2", func(a *remote) { a.ready = time.Now().Add(10 * time.Minute) })
			r := start(t, s, newBook(), o, ids(2)...)
			defer r.Close()
			time.Sleep(time.Second)
			_ = r.AwaitNames(t.Context())
			r.expect("file-1.bin", "re_2")
			up := r.Listed("re_2")
			if err := r.Stat(t.Context(), up); !errors.Is(err, ErrUploading) {
				t.Errorf("stat: %v", err)
			}
			if err := r.Contact(t.Context(), up); !errors.Is(err, ErrUploading) {
				t.Errorf("open: %v", err)
			}
			if !errors.Is(errOf(up), ErrUploading) {
				t.Errorf("its error is %v", errOf(up))
			}
			before := s.calls.count()
			for range 100 { // a shell loop of listings
				time.Sleep(100 * time.Millisecond)
				_ = r.AwaitNames(t.Context())
			}
			if n := s.calls.count() - before; n < 4 || n > 6 {
				t.Errorf("asked %d times in 10 s of listings, want once in 2 s", n)
			}
			before = s.calls.count()
			time.Sleep(9 * time.Minute)
			if n := s.calls.count() - before; n < 3 || n > 8 {
				t.Errorf("asked %d times in 9 min without listings", n)
			}
			r.expect("file-1.bin", "re_2")
			time.Sleep(pollMost + time.Minute)
			r.expect("file-1.bin", "file-2.bin")
			if err := r.Stat(t.Context(), up); err != nil {
				t.Errorf("stat: %v", err)
			}
		})
	}
}

// TestUploadFirstMetByDownload has a listing ask for the download of an
// unfinished upload before metadata has told of it.
func TestUploadFirstMetByDownload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.ready = time.Now().Add(25 * time.Second) })
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		r.expectCounts(1, 1)
		time.Sleep(time.Minute)
		r.expect("file-1.bin")
		r.expectCounts(3, 2)
	})
}

// TestUploadRemembered: the engine remembers that the download failed before.
func TestUploadRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.ready, a.headErr = time.Now().Add(15*time.Second), errServer })
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		time.Sleep(31 * time.Second) // metadata has told that it is ready, and the download has failed
		s.set("re_1", func(a *remote) { a.headErr = nil })
		r.expect("re_1")
		time.Sleep(time.Minute)
		r.expect("file-1.bin")
		r.expectCounts(3, 3)
	})
}

// TestClose ends running calls.
func TestClose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(20)...)
		for _, id := range ids(20) {
			s.set(id, func(a *remote) { a.latency = time.Hour })
		}
		r := start(t, s, newBook(), nil, ids(20)...)
		_ = r.AwaitNames(t.Context())
		if took := since(r.Close); took > time.Second {
			t.Errorf("closing took %v", took)
		}
		r.SetList(ids(21)) // nothing starts any more
		_ = r.AwaitNames(t.Context())
		if err := r.Stat(t.Context(), r.Listed("re_21")); err == nil {
			t.Error("a stat after the end succeeds")
		}
	})
}

// TestNamesToCome checks that the pace of names is reported while they come, and not afterwards.
func TestNamesToCome(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(200)...).limited()
		r := start(t, s, newBook(), byMetadata, ids(200)...)
		defer r.Close()
		time.Sleep(100 * time.Second)
		named := 0
		for _, e := range r.Entries() {
			if _, own := e.Asset.Name(); own {
				named++
			}
		}
		left, pace := r.Coming()
		if want := 1 / interval.Seconds(); left == 0 || left > 201-named || pace < 0.8*want || pace > 1.3*want {
			t.Errorf("after 100 s %d are named, %d come, %.2f a second; want %.2f a second", named, left, pace, want)
		}
		time.Sleep(fair(200))
		if left, pace := r.Coming(); left != 0 || pace != 0 {
			t.Errorf("in the end %d come, %.2f a second", left, pace)
		}
	})
}
