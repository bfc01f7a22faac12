package catalog

import (
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/asset"
)

// TestClashes lists assets of given names together.
func TestClashes(t *testing.T) {
	long := strings.Repeat("x", 255)
	for _, tc := range []struct {
		name  string
		names []string // of re_1, re_2, ...
		want  []string
	}{
		{"different", []string{"a.mp4", "b.mp4"}, []string{"a.mp4", "b.mp4"}},
		{"the same", []string{"a.mp4", "a.mp4", "a.mp4"}, []string{"a.mp4", "a (re_2).mp4", "a (re_3).mp4"}},
		{"but for case", []string{"a.mp4", "A.MP4"}, []string{"a.mp4", "A (re_2).MP4"}},
		{"but for normal form", []string{"\u00e4", "a\u0308"}, []string{"\u00e4", "\u00e4 (re_2)"}},
		{"without extension", []string{"a", "a"}, []string{"a", "a (re_2)"}},
		{"a sentence", []string{"a. And so on", "a. And so on"}, []string{"a. And so on", "a. And so on (re_2)"}},
		{"255 bytes", []string{long, long}, []string{long, long[:248] + " (re_2)"}},
		{"by-id", []string{"by-id", "By-ID"}, []string{"by-id (re_1)", "By-ID (re_2)"}},
		{"an ID", []string{"re_2", "x"}, []string{"re_2 (re_1)", "x"}},
		{"an ID in capitals", []string{"RE_2", "x"}, []string{"RE_2 (re_1)", "x"}},
		{"an unknown ID", []string{"re_77"}, []string{"re_77 (re_1)"}},
		{"its own ID", []string{"re_1"}, []string{"re_1"}},
		{"none", []string{""}, []string{"re_1.mp4"}},
		{"a dash", []string{"-rf", "-rf"}, []string{"_-rf", "_-rf (re_2)"}},
		{"what the second would be called", []string{"a (re_2).mp4", "a.mp4", "a.mp4"}, []string{"a (re_2).mp4", "a.mp4", "a (re_3).mp4"}},
		{"both that and its own", []string{"a (re_3)", "a", "a"}, []string{"a (re_3)", "a", "re_3"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer(ids(len(tc.names))...)
				for i, name := range tc.names {
					s.set(ids(i + 1)[i], func(a *remote) { a.name = name })
				}
				b := newBook()
				r := start(t, s, b, nil, ids(len(tc.names))...)
				for _, id := range ids(len(tc.names)) { // the media type comes with the header
					e := r.engine(id)
					e.mu.Lock()
					e.info.Type = "video/mp4"
					e.mu.Unlock()
				}
				if err := r.AwaitNames(t.Context()); err != nil {
					t.Fatal(err)
				}
				r.expect(tc.want...)
				r.Close()
				again := start(t, s, b, nil, ids(len(tc.names))...)
				again.expect(tc.want...)
				again.Close()
			})
		})
	}
}

// TestPatternChanged lists an ID that an earlier mount, to which it was none, has given as a name. With a
// pattern that all names match, all are called by their ID.
func TestPatternChanged(t *testing.T) {
	for n, pattern := range []string{"re_[0-9]+|clip.*", ".+", "re_[0-9]+|clip.*"} {
		bubble(t, func(t *testing.T) {
			s, b := newServer("re_1", "re_2", "clip"), newBook()
			s.set("re_1", func(a *remote) { a.name = "clip" })
			r := start(t, s, b, nil, "re_1", "re_2")
			_ = r.AwaitNames(t.Context())
			r.expect("clip", "file-2.bin")
			r.Close()
			other := func(o *Options) {
				o.Pattern, o.Fold = regexp.MustCompile("^(?:"+pattern+")$"), n == 2
			}
			s.setAway(true)
			r = start(t, s, b, other, "re_1", "re_2", "clip")
			r.expect("re_1", "file-2.bin", "clip")
			r.lookup("clip", "clip", 0)
			r.lookup("re_1", "re_1", 0)
			r.Close()
			s.setAway(false)
			r = start(t, s, b, nil, "re_1", "re_2")
			r.expect("clip", "file-2.bin")
			r.Close()
		})
	}
}

// TestNamesStay gives names in one order, and lists in another.
func TestNamesStay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(3)...)
		for _, id := range ids(3) {
			s.set(id, func(a *remote) { a.name = "a.mp4" })
		}
		b := newBook()
		r := start(t, s, b, nil, "re_2")
		_ = r.AwaitNames(t.Context())
		r.SetList([]string{"re_1", "re_2"})
		_ = r.AwaitNames(t.Context())
		r.expect("a (re_1).mp4", "a.mp4")
		r.Close()
		r = start(t, s, b, nil, "re_3", "re_1")
		_ = r.AwaitNames(t.Context())
		r.expect("a (re_3).mp4", "a (re_1).mp4")
		if r.Known("a.mp4") != nil {
			t.Error("an asset that is not listed is found by its name")
		}
		r.Close()
	})
}

// slowBook calls during when names are recorded.
type slowBook struct {
	*book
	during func()
}

func (b slowBook) SetNames(names map[string]string) {
	b.during()
	b.book.SetNames(names)
}

// TestListingWhileRecording: a listing that comes while names are being recorded for another one waits for them.
func TestListingWhileRecording(t *testing.T) {
	bubble(t, func(t *testing.T) {
		b, recorded := newBook(), false
		var r *rig
		r = start(t, newServer("re_1"), b, func(o *Options) {
			o.Names = slowBook{b, func() {
				if recorded = true; !r.news() {
					t.Error("there is nothing to wait for")
				}
			}}
		}, "re_1")
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		r.expect("file-1.bin")
		if !recorded || r.news() {
			t.Errorf("recorded: %v, more to come: %v", recorded, r.news())
		}
	})
}

// TestUnlistedWhileAsked takes an asset from the list while its name is on the way.
func TestUnlistedWhileAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(2)...)
		for _, id := range ids(2) {
			s.set(id, func(a *remote) { a.name, a.latency = "a.mp4", time.Second })
		}
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		go func() { _ = r.AwaitNames(t.Context()) }()
		time.Sleep(time.Second / 2)
		r.SetList([]string{"re_2"})
		_ = r.AwaitNames(t.Context())
		r.expect("a.mp4")
	})
}

// TestOrderOfList lets answers come in another order than the list.
func TestOrderOfList(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(4)...)
		for i, id := range ids(4) {
			s.set(id, func(a *remote) { a.name, a.latency = "a.mp4", time.Duration(4-i)*time.Second })
		}
		r := start(t, s, newBook(), nil, ids(4)...)
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		r.expect("a.mp4", "a (re_2).mp4", "a (re_3).mp4", "a (re_4).mp4")
	})
}

// TestSlowFirst lets the first asset of the list answer only after everybody has stopped waiting.
func TestSlowFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(2)...)
		s.set("re_1", func(a *remote) { a.latency = time.Minute })
		r := start(t, s, newBook(), nil, ids(2)...)
		defer r.Close()
		if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != 5*time.Second {
			t.Errorf("the listing took %v", took)
		}
		r.expect("re_1", "file-2.bin")
		time.Sleep(time.Minute)
		synctest.Wait()
		r.expect("file-1.bin", "file-2.bin") // by itself
	})
}

// TestNameByRead lets a read bring a name that nobody has asked for.
func TestNameByRead(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(2)...)
		s.calls.interval = time.Hour
		r := start(t, s, newBook(), nil, ids(2)...)
		defer r.Close()
		a, _ := s.get("re_2")
		r.engine("re_2").header(a)
		if found := r.Known("file-2.bin"); found == nil || found.ID != "re_2" {
			t.Errorf("found %v", found)
		}
		if name, own := r.Listed("re_1").Name(); name != "re_1" || own {
			t.Errorf("re_1 is called %s, %v", name, own)
		}
		if name, own := r.Listed("re_2").Name(); name != "file-2.bin" || !own {
			t.Errorf("re_2 is called %s, %v", name, own)
		}
	})
}

// TestFold finds names as macOS asks for them.
func TestFold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for _, fold := range []bool{false, true} {
			s := newServer("re_1")
			s.set("re_1", func(a *remote) { a.name = "\u00e4.mp4" })
			r := start(t, s, newBook(), func(o *Options) { o.Fold = fold }, "re_1")
			_ = r.AwaitNames(t.Context())
			if found := r.Known("A\u0308.MP4") != nil; found != fold {
				t.Errorf("fold %v: found %v", fold, found)
			}
			if r.Known("\u00e4.mp4") == nil {
				t.Errorf("fold %v: not found by its name", fold)
			}
			r.Close()
		}
	})
}

func TestInodes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, b := newServer(ids(100)...), newBook()
		r := start(t, s, b, nil, ids(100)...)
		seen := map[uint64]string{}
		for _, e := range r.Entries() {
			for _, ino := range []uint64{e.Ino, e.LinkIno()} {
				if ino < firstIno || seen[ino] != "" {
					t.Errorf("%s has the number %d of %q", e.ID, ino, seen[ino])
				}
				seen[ino] = e.ID
			}
		}
		r.Close()
		again := start(t, s, b, nil, "re_7")
		if got := again.Listed("re_7").Ino; seen[got] != "re_7" {
			t.Errorf("re_7 has another number after a restart")
		}
		again.mu.Lock()
		if len(again.assets) != 1 {
			t.Errorf("%d assets known of which nothing was recorded", len(again.assets))
		}
		_, free := again.findLocked("re_x")
		again.assets[free] = &Asset{ID: "re_y"}
		if a := again.meetLocked("re_x"); a.Ino != free+1 {
			t.Errorf("%d is taken, and the next one gets %d", free, a.Ino)
		}
		if a, _ := again.findLocked("re_x"); a == nil || a.Ino != free+1 {
			t.Error("who has the next number is not found")
		}
		again.mu.Unlock()
		again.Close()
	})
}

// TestDirectoryTimes follows both directories through changes.
func TestDirectoryTimes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, b := newServer(ids(4)...), newBook()
		s.calls.interval = time.Hour
		r := start(t, s, b, nil, "re_1", "re_2")
		root, links := r.Times()
		if !root.Equal(time.Now()) || !links.Equal(time.Now()) {
			t.Errorf("first seen now, but the times are %v and %v", root, links)
		}
		step := func(what string, rootMoves, linksMove bool, f func()) {
			t.Helper()
			time.Sleep(time.Minute)
			began, told := time.Now(), r.changed.Load()
			f()
			newRoot, newLinks := r.Times()
			if got := !newRoot.Before(began); got != rootMoves || !got && !newRoot.Equal(root) {
				t.Errorf("%s: the root's time goes from %v to %v", what, root, newRoot)
			}
			if got := !newLinks.Before(began); got != linksMove || !got && !newLinks.Equal(links) {
				t.Errorf("%s: the time of by-id goes from %v to %v", what, links, newLinks)
			}
			if got := r.changed.Load() > told; got != (rootMoves || linksMove) {
				t.Errorf("%s: told of a change: %v", what, got)
			}
			root, links = newRoot, newLinks
		}
		step("nothing", false, false, func() {})
		step("the same list", false, false, func() { r.SetList([]string{"re_1", "re_2"}) })
		step("another order", false, false, func() { r.SetList([]string{"re_2", "re_1"}) })
		step("names", true, false, func() { _ = r.AwaitNames(t.Context()) })
		step("the same names", false, false, func() { _ = r.AwaitNames(t.Context()) })
		step("one more", true, true, func() { r.SetList([]string{"re_2", "re_1", "re_3"}) })
		step("one less", true, true, func() { r.SetList([]string{"re_2", "re_1"}) })
		step("one looked up", true, true, func() { _, _ = r.Lookup(t.Context(), "re_4") })
		step("looked up again", false, false, func() { _, _ = r.Lookup(t.Context(), "re_4") })
		step("a stat", false, false, func() { _ = r.Stat(t.Context(), r.Listed("re_4")) })
		r.expect("file-2.bin", "file-1.bin", "file-4.bin")
		remount := func(list ...string) func() {
			return func() {
				r.Close()
				r = start(t, s, b, nil, list...)
				r.changed.Add(100)
			}
		}
		step("what was looked up is gone", true, true, remount("re_1", "re_2"))
		r.changed.Store(0)
		time.Sleep(time.Minute)
		remount("re_2", "re_1")()
		if newRoot, newLinks := r.Times(); !newRoot.Equal(root) || !newLinks.Equal(links) || r.changed.Load() != 100 {
			t.Errorf("a remount moves the times to %v and %v", newRoot, newLinks)
		}
		r.Close()
		_ = b.SetNote("directory/", "what nobody wrote")
		remount("re_2", "re_1")()
		if newRoot, _ := r.Times(); !newRoot.Equal(time.Now()) {
			t.Errorf("with a note that can't be read the time is %v", newRoot)
		}
		r.Close()
	})
}

func TestClockSetBack(t *testing.T) {
	future := time.Now().Add(time.Hour)
	d := Dir{sum: 2, timed: 1, changed: future}
	if d.moveLocked() == "" || !d.changed.After(future) {
		t.Errorf("the time went from %v to %v", future, d.changed)
	}
	d.sum, d.changed = 3, time.Time{}
	if d.moveLocked(); d.changed != d.changed.Round(0) {
		t.Errorf("%v would be compared by the clock that is never set back", d.changed)
	}
}

// TestNamesByMetadata uses metadata without names: they are taken from the header, when that comes.
func TestNamesByMetadata(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(2)...)
		s.set("re_2", func(a *remote) { a.metaName = "" })
		r := start(t, s, newBook(), byMetadata, ids(2)...)
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		r.expect("file-1.bin", "re_2")
		if _, err := r.Listed("re_2").Facts().Contact(t.Context(), asset.Contact{}); err != nil {
			t.Fatal(err)
		}
		_ = r.AwaitNames(t.Context())
		r.expect("file-1.bin", "file-2.bin")
		r.expectCounts(2, 1)
	})
}
