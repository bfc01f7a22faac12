package catalog

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/asset"
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

// TestPace takes the pace from what is not too long ago.
func TestPace(t *testing.T) {
	now := time.Unix(1e9, 0)
	ago := func(seconds ...int) (times []time.Time) {
		for _, s := range seconds {
			times = append(times, now.Add(-time.Duration(s)*time.Second))
		}
		return times
	}
	for _, tc := range []struct {
		times []time.Time
		want  float64
	}{
		{nil, 0},
		{ago(5), 0},
		{ago(10, 5), 0.1},
		{ago(20, 15, 10, 5), 0.15},
		{ago(3600, 130, 10, 5), 0.1},
		{ago(3600, 5), 0},
		{ago(0, 0), 1000},
	} {
		if got := pace(tc.times, now); got != tc.want {
			t.Errorf("%v: %v, want %v", tc.times, got, tc.want)
		}
	}
}

// TestNamesToComeAreThose counts only what has no name yet.
func TestNamesToComeAreThose(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b := newBook()
		for _, id := range ids(10)[2:] {
			b.names[id] = id + ".bin"
		}
		r := start(t, newServer(ids(10)...).limited(), b, nil, ids(10)...)
		defer r.Close()
		r.s.setAway(true)
		go func() { _ = r.AwaitNames(t.Context()) }()
		synctest.Wait()
		if left, _ := r.Coming(); left != 2 {
			t.Errorf("%d names come, want 2", left)
		}
	})
}

// TestListingEndsPause: a listing asks at once, however long the sweep would have paused after calls that could not
// be made.
func TestListingEndsPause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) {
			for range 8 { // the last one 13 s after the first
				a.callErrs = append(a.callErrs, ErrNotNow)
			}
		})
		r := start(t, s, newBook(), byMetadata, "re_1")
		defer r.Close()
		time.Sleep(15 * time.Second)
		r.expectCounts(8, 0)
		if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != latency {
			t.Errorf("it took %v", took)
		}
		r.expect("file-1.bin")
	})
}

// TestWhatIsAsked: a sweep asks only about what is lacking.
func TestWhatIsAsked(t *testing.T) {
	now := time.Unix(1e9, 0)
	for name, c := range map[string]struct {
		o            func(*Options)
		info         asset.Info
		name         string // recorded
		uploading    bool
		calls, heads int
	}{
		"nothing is known":                   {info: asset.Info{Size: -1}, calls: 1, heads: 1},
		"its name is":                        {info: asset.Info{Size: -1}, name: "a", calls: 1},
		"its header is, without a size":      {info: asset.Info{Size: -1, ModTime: now, Header: true}, calls: 1},
		"its header is, without a time":      {info: asset.Info{Size: 5, Header: true}, calls: 1},
		"all is":                             {info: asset.Info{Size: 5, ModTime: now, Header: true}},
		"it is being uploaded":               {info: asset.Info{Size: -1}, uploading: true, calls: 1},
		"by metadata: nothing is known":      {o: byMetadata, info: asset.Info{Size: -1}, calls: 1},
		"by metadata: all but its name":      {o: byMetadata, info: asset.Info{Size: 5, ModTime: now}, calls: 1},
		"by metadata: its header is":         {o: byMetadata, info: asset.Info{Size: 5, ModTime: now, Header: true}},
		"by metadata: its own name is":       {o: byMetadata, info: asset.Info{Size: 5, ModTime: now, Name: "a"}},
		"by metadata: its name is, no size":  {o: byMetadata, info: asset.Info{Size: -1, ModTime: now, Name: "a"}, calls: 1},
		"by metadata: it is being uploaded":  {o: byMetadata, info: asset.Info{Size: -1}, uploading: true, calls: 1},
		"by metadata: its header, no length": {o: byMetadata, info: asset.Info{Size: -1, ModTime: now, Header: true}, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, b := newServer("re_1"), newBook()
				if c.uploading {
					s.set("re_1", func(a *remote) { a.ready = time.Now().Add(time.Hour) })
				}
				if c.name != "" {
					b.names["re_1"] = c.name
				}
				r := start(t, s, b, c.o)
				defer r.Close()
				r.meet("re_1")
				e := r.engine("re_1")
				e.mu.Lock()
				e.info = c.info
				e.mu.Unlock()
				e.learnt()
				r.SetList([]string{"re_1"})
				synctest.Wait()
				time.Sleep(time.Second)
				_ = r.AwaitNames(t.Context())
				time.Sleep(time.Second)
				r.expectCounts(c.calls, c.heads)
				time.Sleep(10 * time.Minute) // an upload may end, but only metadata tells for nothing
				if n := s.heads.count(); n != c.heads {
					t.Errorf("%d downloads later, want %d", n, c.heads)
				}
			})
		})
	}
}
