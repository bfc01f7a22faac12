package catalog

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// TestUnlistedMeanwhile: no download is made for the name of an asset that has left the list.
func TestUnlistedMeanwhile(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newServer(ids(10)...).limited(), newBook(), nil, ids(10)...)
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		heads := r.s.heads.count()
		r.SetList(ids(1))
		time.Sleep(time.Minute)
		if now := r.s.heads.count(); heads == 10 || now != heads {
			t.Errorf("%d downloads, and %d after the others have left the list", heads, now)
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
