package catalog

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// lookup looks name up, and fails unless it finds the asset with that ID ("": none) in that time.
func (r *rig) lookup(name, id string, want time.Duration) {
	r.t.Helper()
	var a *Asset
	var err error
	took := since(func() { a, err = r.Lookup(r.t.Context(), name) })
	got := ""
	if a != nil {
		got = a.ID
	}
	if got != id || err != nil || took != want {
		r.t.Errorf("lookup of %q: %q, %v after %v, want %q after %v", name, got, err, took, id, want)
	}
}

// TestNameNobodyListed is `mpv MNT/film.mp4` right after the mount.
func TestNameNobodyListed(t *testing.T) {
	for _, o := range []func(*Options){nil, byMetadata} {
		bubble(t, func(t *testing.T) {
			r := start(t, newServer(ids(3)...).limited(), newBook(), o, ids(3)...)
			defer r.Close()
			r.lookup("file-3.bin", "re_3", 2*interval+latency)
			r.lookup("file-1.bin", "re_1", 0)
			r.lookup("file-1.srt", "", 0) // nothing is left to be found out
		})
	}
}

// TestSidecars looks up names that nothing has: all wait once, together.
func TestSidecars(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newServer(ids(50)...).limited(), newBook(), nil, ids(50)...)
		defer r.Close()
		const all = 4*interval + latency // the next answer would come after 5 s
		var wg sync.WaitGroup
		for _, name := range []string{"file-1.srt", "file-1.ass", "film.mp4"} {
			wg.Go(func() { r.lookup(name, "", all) })
		}
		wg.Go(func() {
			time.Sleep(2 * time.Second)
			r.lookup("cover.jpg", "", all-2*time.Second)
		})
		wg.Wait()
		for range 100 {
			r.lookup("file-1.srt", "", 0)
			time.Sleep(100 * time.Millisecond)
		}
		r.lookup("file-9.bin", "re_9", 0) // found by now

		// A list with more in it may have the name; one with less has not.
		r.SetList(ids(40))
		r.lookup("file-1.srt", "", 0)
		r.SetList(append(ids(40), "re_51"))
		if took := since(func() { _, _ = r.Lookup(t.Context(), "file-1.srt") }); took < 3*time.Second || took > 5*time.Second {
			t.Errorf("with a longer list it waits %v", took)
		}
		r.lookup("file-1.srt", "", 0)
	})
}

// TestCrawlers looks up what desktops do: no wait, and no request.
func TestCrawlers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newServer(ids(3)...).limited(), newBook(), nil, ids(3)...)
		defer r.Close()
		for _, name := range []string{
			".DS_Store", "._film.mp4", ".Trash-1000", ".hidden", ".git", ".", "..", "autorun.inf", "AutoRun.inf", "desktop.ini", "Thumbs.db",
			"System Volume Information", "$RECYCLE.BIN", "lost+found",
		} {
			r.lookup(name, "", 0)
		}
		time.Sleep(time.Minute)
		r.expectCounts(3, 0)
		for _, name := range []string{"film.mp4", ".DS_Store", "re_", "re_1x", ""} {
			if a, err := r.LookupID(t.Context(), name); a != nil || err != nil {
				t.Errorf("%q is taken for an ID: %v, %v", name, a, err)
			}
		}
		r.expectCounts(3, 0)
	})
}

// TestListedID looks listed IDs up, without waiting or a request.
func TestListedID(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(3)...).limited()
		s.setAway(true)
		r := start(t, s, newBook(), nil, ids(3)...)
		defer r.Close()
		r.lookup("re_2", "re_2", 0)
		if a, err := r.LookupID(t.Context(), "re_3"); a == nil || err != nil {
			t.Errorf("%v, %v", a, err)
		}
		r.expectCounts(0, 0)
	})
}

// TestUnlistedID looks up IDs that nobody listed.
func TestUnlistedID(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options func(*Options)
		change  func(*server)
		want    error
		within  time.Duration
		shown   []string
	}{
		{"by header", nil, func(*server) {}, nil, latency, []string{"file-1.bin"}},
		{"by metadata", byMetadata, func(*server) {}, nil, latency, []string{"file-1.bin"}},
		{"none there", nil, func(s *server) { s.set("re_1", func(a *remote) { a.headErr = ErrNotFound }) }, ErrNotFound, latency, nil},
		{"uploading", byMetadata, func(s *server) { s.set("re_1", func(a *remote) { a.callErr = ErrUploading }) }, nil, latency, []string{"re_1"}},
		{"away", nil, func(s *server) { s.setAway(true) }, ErrNotNow, latency, nil},
		{"slow", nil, func(s *server) { s.set("re_1", func(a *remote) { a.latency = time.Hour }) }, ErrSlow, 5 * time.Second, nil},
		{"no slot", nil, func(s *server) { s.heads.free = time.Now().Add(time.Hour) }, nil, 5 * time.Second, nil},
		{"no slot of metadata", byMetadata, func(s *server) { s.calls.free = time.Now().Add(time.Hour) }, nil, 5 * time.Second, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer("re_1")
				tc.change(s)
				r := start(t, s, newBook(), tc.options)
				defer r.Close()
				took := since(func() {
					a, err := r.Lookup(t.Context(), "re_1")
					if (a != nil) != (tc.want == nil) || !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
						t.Errorf("%v, %v, want %v", a, err, tc.want)
					}
				})
				if took != tc.within {
					t.Errorf("took %v, want %v", took, tc.within)
				}
				r.expect(tc.shown...)
				r.SetList(nil)
				r.expect(tc.shown...) // what was looked up stays
			})
		})
	}
}

// TestUnlistedIDLater looks up an ID while there is no slot: it is listed once
// somebody has found out that it is there, and never if it is not.
func TestUnlistedIDLater(t *testing.T) {
	for name, headErr := range map[string]error{"there": nil, "stat": nil, "none there": ErrNotFound} {
		bubble(t, func(t *testing.T) {
			s := newServer("re_1")
			s.heads.free = time.Now().Add(time.Minute)
			s.set("re_1", func(a *remote) { a.headErr = headErr })
			r := start(t, s, newBook(), nil)
			defer r.Close()
			a, err := r.LookupID(t.Context(), "re_1")
			if a == nil || err != nil || r.Listed("re_1") != nil {
				t.Fatalf("%s: %v, %v, listed %v", name, a, err, r.Listed("re_1"))
			}
			r.expect()
			find := r.Contact
			if name == "stat" {
				find = r.Stat
			}
			err = find(t.Context(), a)
			if !errors.Is(err, headErr) || (err == nil) != (headErr == nil) {
				t.Errorf("%s: %v", name, err)
			}
			switch {
			case err != nil:
				r.expect()
			case r.Listed("re_1") == nil:
				t.Errorf("%s: it is not listed", name)
			}
		})
	}
}

// TestUnlistedSize: what the header of an ID does not tell is asked for in the background, after the program
// that looked has had its turn.
func TestUnlistedSize(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.noLength = true })
		r := start(t, s, newBook(), nil)
		defer r.Close()
		a, err := r.LookupID(t.Context(), "re_1")
		if a == nil || err != nil {
			t.Fatal(a, err)
		}
		r.expectCounts(0, 1)
		time.Sleep(lookAgain + latency)
		r.expectCounts(1, 1)
		if size := a.Info().Size; size < 0 {
			t.Errorf("its size is %d", size)
		}
	})
}

// TestKnownUnlistedID looks up what the spool knows: no network.
func TestKnownUnlistedID(t *testing.T) {
	for _, o := range []func(*Options){nil, byMetadata} {
		bubble(t, func(t *testing.T) {
			s, b := newServer("re_1"), newBook()
			b.names["re_1"] = "old.bin"
			s.setAway(true)
			r := start(t, s, b, o)
			defer r.Close()
			a, _ := s.get("re_1")
			r.engine("re_1").header(a)
			r.lookup("old.bin", "", 0)
			r.lookup("re_1", "re_1", 0)
			r.lookup("old.bin", "re_1", 0)
			r.expectCounts(0, 0)
		})
	}
}

// TestLookupInterrupted ends waits.
func TestLookupInterrupted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(20)...).limited()
		s.set("re_30", func(a *remote) { a.latency = time.Hour })
		r := start(t, s, newBook(), nil, ids(20)...)
		defer r.Close()
		for _, name := range []string{"film.mp4", "re_30"} {
			ctx, interrupted := interruptAfter(t, time.Second)
			if a, err := r.Lookup(ctx, name); a != nil || !errors.Is(err, interrupted) {
				t.Errorf("%s: %v, %v", name, a, err)
			}
		}
	})
}

// TestLookupBehindSlow: the asset with the name answers, but one before it in the list hangs.
func TestLookupBehindSlow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(2)...)
		s.set("re_1", func(a *remote) { a.latency = time.Hour })
		r := start(t, s, newBook(), nil, ids(2)...)
		defer r.Close()
		r.lookup("file-2.bin", "re_2", 5*time.Second)
	})
}
