package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLibraryInRoot: a single library is shown in the root, and costs no call except for its list.
func TestLibraryInRoot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		odd := Video{ID: "VI9", Name: "../..", Size: -1}
		s := newShelf("default", clip(1), named(2, "CLIP 1.mp4"), clip(3), odd, Video{ID: "../VI10", Name: "x"})
		r := open(t, s, &notebook{}, newBook(), "default")
		defer r.Close()
		if err := r.AwaitNames(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, r.Root(), "clip 1.mp4", "CLIP 1 (VI2).mp4", "clip 3.mp4", "VI9")
		r.expectCounts(0, 0)
		a := r.Known("clip 3.mp4")
		if i := a.Info(); i.Size != 1003 || !i.ModTime.Equal(time.UnixMilli(1729388400003)) || !a.IsVideo() {
			t.Errorf("told %+v", i)
		}
		if err := r.Stat(t.Context(), a); err != nil || a.Awake() != nil {
			t.Errorf("a stat of what is known: %v, awake %v", err, a.Awake())
		}
		if i := a.Facts().Info(); i.Size != 1003 || !i.ModTime.Equal(time.UnixMilli(1729388400003)) || i.Header {
			t.Errorf("awake it knows %+v", i)
		}
		e := r.engine("VI3")
		e.mu.Lock()
		e.info.ModTime, e.info.LastModified = time.Now(), "Thu, 01 Jan 2026 00:00:00 GMT"
		e.mu.Unlock()
		if i := a.Info(); !i.ModTime.Equal(time.UnixMilli(1729388400003)) || i.LastModified != "" {
			t.Errorf("a download told another time, and it is %+v", i)
		}
		if bucket, blob, err := r.Place("VI3"); bucket != "b" || blob != "VI3.mp4" || err != nil {
			t.Errorf("placed at %s %s, %v", bucket, blob, err)
		}
		if _, _, err := r.Place("VI9"); !errors.Is(err, ErrNoPlace) {
			t.Errorf("without a place: %v", err)
		}
		if bucket, blob, err := r.Place("re_1"); bucket+blob != "" || err != nil {
			t.Errorf("no video: %s %s, %v", bucket, blob, err)
		}
		if a := r.Known("VI3"); a == nil || a.Path() != "clip 3.mp4" {
			t.Error("its ID does not lead to it")
		}
		if a := r.Links().Known("VI3"); a == nil || a.Path() != "clip 3.mp4" {
			t.Error("nor in by-id")
		}
		if got := r.looks; len(got) != 1 || got[0] != (Look{Scope: "default", Videos: 4, First: true}) {
			t.Errorf("looks %+v", got)
		}
		r.expectCounts(0, 0)
		if err := r.Stat(t.Context(), r.Known("VI9")); err == nil {
			t.Error("somebody knew the size of a video that there is not")
		}
		r.expectCounts(0, 1) // it has no metadata to ask for
	})
}

// TestLibrariesHaveDirectories: several libraries have a directory each; only names in the same one clash.
func TestLibrariesHaveDirectories(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf("a", clip(1), clip(2))
		s.set("by-id", named(3, "clip 1.mp4"))
		r := open(t, s, &notebook{}, newBook(), "a", "by-id", "A", "/")
		defer r.Close()
		for _, d := range r.Dirs() {
			if err := d.AwaitNames(t.Context()); err != nil {
				t.Error(err)
			}
		}
		synctest.Wait()
		dirs := r.Dirs()
		var names []string
		for _, d := range dirs {
			names = append(names, d.Name)
			if d.Ino < firstIno || d.Changed().IsZero() {
				t.Errorf("%s: inode %d, changed %v", d.Name, d.Ino, d.Changed())
			}
		}
		if fmt.Sprint(names) != "[a by-id (library) A (library) library]" {
			t.Errorf("directories %q", names)
		}
		want(t, dirs[0], "clip 1.mp4", "clip 2.mp4")
		want(t, dirs[1], "clip 1.mp4")
		want(t, dirs[2])
		want(t, r.Root())
		if got := r.Entries(); len(got) != 3 || got[2].Path() != "by-id (library)/clip 1.mp4" {
			t.Errorf("entries %+v", got)
		}
		s.change(func(s *shelf) {
			if len(s.asked) != 4 {
				t.Errorf("asked for the scopes %v", s.asked)
			}
		})
		// What two scopes have stands where it was first.
		s.set("by-id", named(3, "clip 1.mp4"), clip(2))
		_, _ = r.Refresh(t.Context())
		want(t, dirs[0], "clip 1.mp4", "clip 2.mp4")
		want(t, dirs[1], "clip 1.mp4")
		if a, err := dirs[2].Lookup(t.Context(), "none.mp4"); a != nil || err != nil {
			t.Errorf("a name that there is not: %v, %v", a, err)
		}
	})
}

// TestLibraryLives: a library is listed again when its directory is opened a minute later, and no more often.
func TestLibraryLives(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf("s", clip(1), clip(2), clip(3))
		r := open(t, s, &notebook{}, newBook(), "s")
		defer r.Close()
		look := func() {
			t.Helper()
			if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != 0 && r.looks != nil {
				t.Errorf("a listing of what is known takes %v", took)
			}
			synctest.Wait()
		}
		look()
		before := r.Root().Changed()
		for range 59 {
			time.Sleep(time.Second)
			look()
		}
		if passes := s.passed(); passes != 1 {
			t.Errorf("%d passes within a minute", passes)
		}
		if !r.Root().Changed().Equal(before) {
			t.Error("the directory has moved though nothing has changed")
		}
		a := r.Known("clip 2.mp4")
		s.set("s", clip(4), named(3, "renamed.mp4"), clip(1))
		time.Sleep(time.Second)
		look()
		want(t, r.Root(), "clip 1.mp4", "clip 3.mp4", "clip 4.mp4")
		if r.Listed("VI2") != nil || r.Known("clip 2.mp4") != nil {
			t.Error("what was removed is found")
		}
		if bucket, _, err := r.Place(a.ID); bucket != "b" || err != nil {
			t.Error("who has it open can't read on")
		}
		if !r.Root().Changed().After(before) {
			t.Error("the directory has not moved")
		}
		// It comes back under the name that it had, also after others.
		s.set("s", named(5, "clip 2.mp4"), clip(2))
		if _, err := r.Refresh(t.Context()); err != nil {
			t.Error(err)
		}
		want(t, r.Root(), "clip 2.mp4", "clip 2 (VI5).mp4")
	})
}

// TestLibraryRestarts: what an earlier mount knew is there at once, without network, with names and times.
func TestLibraryRestarts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var videos []Video
		names := []string{}
		for n := range 3*perRecord + 7 {
			videos = append(videos, named(n, fmt.Sprintf("a\\%d.mp4", n))) // the name is what follows the backslash
			names = append(names, fmt.Sprintf("%d.mp4", n))
		}
		videos[5].Blob = "tab\tline\n\\n.mp4"
		videos[6].Bucket, videos[6].Blob = "", ""
		for _, scopes := range [][]string{{"s"}, {"s", "t"}} {
			s, notes, b := newShelf("s", videos...), &notebook{}, newBook()
			s.page = 200
			r := open(t, s, notes, b, scopes...)
			dir := func() *Dir { return r.libs[0].dir }
			if _, err := r.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			want(t, dir(), names...)
			s.set("s", videos[1:]...)
			if _, err := r.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			changed := dir().Changed()
			ino := r.Listed("VI9").Ino
			r.Close()
			time.Sleep(time.Hour)

			s.change(func(s *shelf) { s.err = errServer })
			r = open(t, s, notes, b, scopes...)
			if took := since(func() { _ = dir().AwaitNames(t.Context()) }); took != 0 {
				t.Errorf("the first listing takes %v", took)
			}
			want(t, dir(), names[1:]...)
			if a := r.Listed("VI9"); a.Ino != ino || a.Awake() != nil {
				t.Error("another inode, or awake")
			}
			if got := dir().Changed(); !got.Equal(changed) {
				t.Errorf("the directory has changed at %v, want %v", got, changed)
			}
			if _, blob, _ := r.Place("VI5"); blob != videos[5].Blob {
				t.Errorf("placed at %q", blob)
			}
			if _, _, err := r.Place("VI6"); !errors.Is(err, ErrNoPlace) {
				t.Errorf("without a place: %v", err)
			}
			synctest.Wait()
			r.mu.Lock()
			looks := slices.Clone(r.looks)
			r.mu.Unlock()
			if i := slices.IndexFunc(looks, func(l Look) bool { return l.Scope == "s" }); i < 0 || looks[i].Err == nil || looks[i].Videos != len(videos)-1 {
				t.Errorf("looks %+v", r.looks)
			}
			// The one that is gone has kept its name.
			s.change(func(s *shelf) { s.err = nil })
			s.set("s", append(slices.Clone(videos), named(9999, "0.mp4"))...)
			if _, err := r.Refresh(t.Context()); err != nil {
				t.Error(err)
			}
			want(t, dir(), append(slices.Clone(names), "0 (VI9999).mp4")...)
			r.Close()
		}
	})
}

// A server in trouble that answers with an empty list costs nothing; nor does a note that
// is damaged.
func TestLibraryTrouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, notes, b := newShelf("s", clip(1), clip(2), clip(3)), &notebook{}, newBook()
		r := open(t, s, notes, b, "s")
		_ = r.AwaitNames(t.Context())
		var all []Video
		s.change(func(s *shelf) {
			all, s.scopes["s"], s.delay = s.scopes["s"], nil, time.Second
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = r.Refresh(t.Context())
		}()
		time.Sleep(1500 * time.Millisecond) // the first pass is over
		s.set("s", all...)
		<-done
		want(t, r.Root(), "clip 1.mp4", "clip 2.mp4", "clip 3.mp4")
		r.Close()
		name := "library/s/0"
		lines := strings.Split(notes.Note(name), "\n")
		lines[2] = strings.Replace(lines[2], "\t", "", 3)
		_ = notes.SetNote(name, strings.Join(lines, "\n"))
		s.change(func(s *shelf) { s.err = errServer })
		r = open(t, s, notes, b, "s")
		synctest.Wait()
		want(t, r.Root(), "clip 1.mp4", "clip 3.mp4")
		s.change(func(s *shelf) { s.err = nil })
		_, _ = r.Refresh(t.Context())
		want(t, r.Root(), "clip 1.mp4", "clip 2.mp4", "clip 3.mp4")
		r.Close()
		_ = notes.SetNote(name, "2\nof a newer version")
		r = open(t, s, notes, b, "s")
		_ = r.AwaitNames(t.Context())
		want(t, r.Root(), "clip 1.mp4", "clip 2.mp4", "clip 3.mp4")
		r.Close()
	})
}

// A name that is asked for, in the root or in a directory of a library, is found once a list comes that has never come,
// without anybody opening the directory.
func TestLibraryComesLate(t *testing.T) {
	for _, scopes := range [][]string{{"s"}, {"s", "other"}} {
		bubble(t, func(t *testing.T) {
			s := newShelf("s", clip(1))
			s.err = errServer
			r := open(t, s, &notebook{}, newBook(), scopes...)
			defer r.Close()
			synctest.Wait()
			look := r.Lookup
			if len(scopes) > 1 {
				look = r.Dirs()[0].Lookup
			}
			for n := range 3 {
				before := s.passes
				for range 5 { // sidecars of players
					if a, err := look(t.Context(), "clip 1.mp4"); a != nil || err != nil {
						t.Fatalf("%v, %v", a, err)
					}
				}
				if asked := s.passes - before; asked > len(scopes) {
					t.Errorf("round %d: %d lists were asked for", n, asked)
				}
				time.Sleep(failedEvery)
			}
			s.change(func(s *shelf) { s.err = nil })
			if a, err := look(t.Context(), "clip 1.mp4"); a == nil || err != nil {
				t.Errorf("%q: %v, %v", scopes, a, err)
			}
		})
	}
}

// TestLibraryIsSlow: a listing shows what has come within its time; a name is waited for once.
func TestLibraryIsSlow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var videos []Video
		for n := range 20 {
			videos = append(videos, clip(n))
		}
		s := newShelf("s", videos...)
		s.delay = time.Second
		r := open(t, s, &notebook{}, newBook(), "s")
		defer r.Close()
		time.Sleep(time.Millisecond)
		if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != 5*time.Second {
			t.Errorf("a listing takes %v", took)
		}
		if n := len(r.Root().Entries()); n != 10 {
			t.Errorf("%d videos after five pages of two", n)
		}
		took := since(func() {
			if a, err := r.Lookup(t.Context(), "clip 11.mp4"); a == nil || err != nil {
				t.Errorf("a name that comes soon: %v, %v", a, err)
			}
		})
		if took > time.Second {
			t.Errorf("it took %v", took)
		}
		time.Sleep(4 * time.Second)
		if took := since(func() { _, _ = r.Lookup(t.Context(), "none.mp4") }); took > time.Second {
			t.Errorf("a name that there is not is waited for again: %v", took)
		}
	})
}

// TestLookupOfUnlisted: an ID that nobody lists is looked for in the root and in by-id, and not in a library.
func TestLookupOfUnlisted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := open(t, newShelf("a", clip(1)), &notebook{}, newBook(), "a", "b")
		defer r.Close()
		refresh(t, r)
		for i, id := range ids(3) {
			r.s.set(id, func(a *remote) { a.name, a.size = id+".mp4", 1 })
			d := []*Dir{r.Dirs()[0], r.Root(), r.Links()}[i]
			if a, err := d.Lookup(t.Context(), id); err != nil || (a != nil) != (d != r.Dirs()[0]) {
				t.Errorf("%s in %q: %v, %v", id, d.Name, a, err)
			}
			if n := r.s.heads.count(); n != i {
				t.Errorf("%d downloads, want %d", n, i)
			}
		}
	})
}
