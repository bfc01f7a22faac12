package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shelf is a fake of the library: videos of scopes, in pages.
type shelf struct {
	mu     sync.Mutex
	scopes map[string][]Video
	page   int           // videos on one
	delay  time.Duration // of each page
	err    error
	calls  int                 // pages asked for
	passes int                 // begun
	turned func(scope string)  // called after each page but the last, with mu held
	asked  map[string]struct{} // scopes
}

func newShelf(scope string, videos ...Video) *shelf {
	return &shelf{scopes: map[string][]Video{scope: videos}, page: 2, asked: map[string]struct{}{}}
}

func (s *shelf) ListVideos(ctx context.Context, scope string, found func([]Video)) (Listing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.passes++
	s.asked[scope] = struct{}{}
	var l Listing
	total := len(s.scopes[scope])
	met, old := map[string]bool{}, map[string]bool{}
	for _, v := range s.scopes[scope] {
		old[v.ID] = true
	}
	for at := 0; ; at += s.page {
		s.mu.Unlock()
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
		}
		s.mu.Lock()
		s.calls++
		if s.err != nil || ctx.Err() != nil {
			return l, errors.Join(s.err, ctx.Err())
		}
		list := s.scopes[scope]
		l.Shifted = l.Shifted || len(list) != total
		var videos []Video
		for _, v := range list[min(at, len(list)):min(at+s.page, len(list))] {
			if l.Shifted = l.Shifted || met[v.ID] || !old[v.ID]; !met[v.ID] {
				videos = append(videos, v)
			}
			met[v.ID] = true
		}
		s.mu.Unlock()
		found(videos)
		s.mu.Lock()
		if at+s.page >= len(list) {
			return l, nil
		}
		if s.turned != nil {
			s.turned(scope)
		}
	}
}

// set replaces the videos of a scope.
func (s *shelf) set(scope string, videos ...Video) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scopes[scope] = videos
}

// change alters s under its lock.
func (s *shelf) change(f func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

func (s *shelf) counts() (passes, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passes, s.calls
}

// clip returns video n, named after n.
func clip(n int) Video { return named(n, fmt.Sprintf("clip %d.mp4", n)) }

func named(n int, name string) Video {
	id := fmt.Sprintf("VI%d", n)
	return Video{ID: id, Name: name, Size: int64(1000 + n), Time: time.UnixMilli(1729388400000 + int64(n)), Bucket: "b", Blob: id + ".mp4"}
}

// notebook is Notes on disk.
type notebook struct {
	mu    sync.Mutex
	notes map[string]string
	sets  int
}

func (n *notebook) Note(name string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.notes[name]
}

func (n *notebook) SetNote(name, text string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.notes == nil {
		n.notes = map[string]string{}
	}
	n.notes[name] = text
	n.sets++
	return nil
}

// libraryRig is a catalog with libraries.
type libraryRig struct {
	*rig
	shelf *shelf
	book  *book
	notes *notebook

	mu    sync.Mutex
	looks []Look
}

func open(t *testing.T, s *shelf, notes *notebook, b *book, scopes ...string) *libraryRig {
	t.Helper()
	l := &libraryRig{shelf: s, book: b, notes: notes}
	l.rig = start(t, newServer(), b, func(o *Options) {
		o.Scopes, o.Lister, o.Notes = scopes, s, notes
		o.Looked = func(look Look) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.looks = append(l.looks, look)
		}
	})
	return l
}

// want fails unless a directory shows exactly these names.
func want(t *testing.T, d *Dir, names ...string) {
	t.Helper()
	got, names := []string{}, slices.Clone(names)
	for _, e := range d.Entries() {
		got = append(got, e.Name)
		if d.Known(e.Name) != e.Asset {
			t.Errorf("%q is listed and not found", e.Name)
		}
	}
	slices.Sort(got)
	slices.Sort(names)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", names) {
		t.Errorf("the directory shows %q, want %q", got, names)
	}
}

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
		if got := r.looks; len(got) != 1 || got[0] != (Look{Scope: "default", Videos: 4, First: true}) {
			t.Errorf("looks %+v", got)
		}
		r.expectCounts(0, 0)
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
		if passes, _ := s.counts(); passes != 1 {
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

// TestLibraryModel: whatever changes during pages and between looks, a video that was there all the time is
// listed, once, under one name; and when the list no longer changes, all videos are.
func TestLibraryModel(t *testing.T) {
	for round := range 200 {
		bubble(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(round), 1))
			front := round%2 == 0 // new ones come first
			s, notes, b := newShelf("s"), &notebook{}, newBook()
			next := 0
			mutate := func(least int) {
				for range random.IntN(3) {
					v := named(next, fmt.Sprintf("name %d.mp4", random.IntN(10)))
					next++
					if list := s.scopes["s"]; front {
						s.scopes["s"] = append([]Video{v}, list...)
					} else {
						s.scopes["s"] = append(slices.Clone(list), v)
					}
				}
				for range random.IntN(3) {
					if list := s.scopes["s"]; len(list) > least {
						i := random.IntN(len(list))
						s.scopes["s"] = slices.Delete(slices.Clone(list), i, i+1)
					}
				}
			}
			for range 10 {
				mutate(0)
			}
			r := open(t, s, notes, b, "s")
			shown := map[string]string{} // names once seen
			for range 12 {
				s.mu.Lock()
				s.turned = func(string) {
					if random.IntN(2) == 0 {
						mutate(0)
					}
				}
				s.mu.Unlock()
				_, _ = r.Refresh(t.Context())
				s.mu.Lock()
				s.turned = nil
				for _, v := range s.scopes["s"] {
					if shown[v.ID] != "" && r.Listed(v.ID) == nil {
						t.Fatalf("round %d: %s was there all the time, and is not listed", round, v.ID)
					}
				}
				s.mu.Unlock()
				// It holds still.
				_, _ = r.Refresh(t.Context())
				if random.IntN(4) == 0 {
					r.Close()
					r = open(t, s, notes, b, "s")
					synctest.Wait()
				}
				names := map[string]bool{}
				listed := map[string]bool{}
				for _, e := range r.Root().Entries() {
					if names[e.Name] || listed[e.ID] {
						t.Fatalf("round %d: %s, %s is listed twice", round, e.ID, e.Name)
					}
					names[e.Name], listed[e.ID] = true, true
					if old := shown[e.ID]; old != "" && old != e.Name {
						t.Fatalf("round %d: %s was %q, and is %q", round, e.ID, old, e.Name)
					}
					shown[e.ID] = e.Name
				}
				if len(listed) != len(s.scopes["s"]) {
					t.Fatalf("round %d: %d videos are listed, want %d", round, len(listed), len(s.scopes["s"]))
				}
				for _, v := range s.scopes["s"] {
					if !listed[v.ID] {
						t.Fatalf("round %d: %s is lost", round, v.ID)
					}
				}
			}
			r.Close()
		})
	}
}

// TestListedAndInLibrary: an ID that is both listed and a video of one of several libraries is shown in the
// root, and in its library when it is no longer listed, each time under a name that leads to it.
func TestListedAndInLibrary(t *testing.T) {
	bubble(t, func(t *testing.T) {
		first, second := clip(1), clip(7)
		first.ID, second.ID = "re_1", "re_3"
		s := newShelf("a", first, clip(1), second)
		notes, b := &notebook{}, newBook()
		b.names["re_2"] = "clip 7.mp4" // stays taken in the root
		for range 2 {                  // a start, and a restart
			r := open(t, s, notes, b, "a", "b")
			r.SetList([]string{"re_1"})
			dir := r.Dirs()[0]
			if err := dir.AwaitNames(t.Context()); err != nil {
				t.Error(err)
			}
			synctest.Wait()
			want(t, r.Root(), "clip 1.mp4")
			want(t, dir, "clip 1 (VI1).mp4", "clip 7.mp4")
			r.SetList(nil)
			want(t, r.Root())
			want(t, dir, "clip 1.mp4", "clip 1 (VI1).mp4", "clip 7.mp4")
			r.SetList([]string{"re_1", "re_3"})
			want(t, r.Root(), "clip 1.mp4", "clip 7 (re_3).mp4")
			want(t, dir, "clip 1 (VI1).mp4")
			r.Close()
		}
	})
}

// A list that lacks most videos all at once is not believed: a copy that is kept like the
// library would lose them. They go when somebody who was told so asks again, or in an hour.
func TestLibraryDoubt(t *testing.T) {
	var videos []Video
	names := []string{}
	for n := range 50 {
		videos = append(videos, clip(n))
		names = append(names, fmt.Sprintf("clip %d.mp4", n))
	}
	bubble(t, func(t *testing.T) {
		for what, left := range map[string]int{"none": 0, "few": 24} {
			s, notes, b := newShelf("s", videos...), &notebook{}, newBook()
			r := open(t, s, notes, b, "s")
			refresh := func() (missing *MissingError) {
				t.Helper()
				looks, err := r.Refresh(t.Context())
				if err != nil || len(looks) != 1 || looks[0].Err != nil && !errors.As(looks[0].Err, &missing) {
					t.Fatalf("%+v, %v", looks, err)
				}
				return missing
			}
			glance := func() { // as a listing does
				_ = r.AwaitNames(t.Context())
				synctest.Wait()
			}
			_ = refresh()
			s.set("s", videos[:left]...)
			time.Sleep(2 * lookEvery)
			glance()
			want(t, r.Root(), names...)
			if e := refresh(); e == nil || e.Missing != 50-left || e.Known != 50 || !strings.Contains(e.Error(), "assetfs refresh") {
				t.Errorf("%s left: %v", what, e)
			}
			want(t, r.Root(), names...)
			r.Close()
			r = open(t, s, notes, b, "s") // which forgets that somebody was told
			if refresh() == nil {
				t.Errorf("%s left: after a restart nothing is said", what)
			}
			want(t, r.Root(), names...)
			if refresh() != nil {
				t.Errorf("%s left: asked twice, it is still not believed", what)
			}
			want(t, r.Root(), names[:left]...)

			// They come back under their names; an hour proves the same.
			s.set("s", videos...)
			_ = refresh()
			want(t, r.Root(), names...)
			s.set("s", videos[:left]...)
			for range 59 {
				time.Sleep(lookEvery)
				glance()
			}
			want(t, r.Root(), names...)
			s.set("s", videos...) // for a moment
			_ = refresh()
			s.set("s", videos[:left]...)
			for range 59 {
				time.Sleep(lookEvery)
				glance()
			}
			want(t, r.Root(), names...)
			for range 2 {
				time.Sleep(lookEvery)
				glance()
			}
			want(t, r.Root(), names[:left]...)
			r.Close()
		}
		// Half of them, or a few, may go.
		for _, tc := range []struct{ known, left int }{{50, 25}, {20, 0}, {3, 0}} {
			s := newShelf("s", videos[:tc.known]...)
			r := open(t, s, &notebook{}, newBook(), "s")
			_, _ = r.Refresh(t.Context())
			s.set("s", videos[:tc.left]...)
			_, _ = r.Refresh(t.Context())
			want(t, r.Root(), names[:tc.left]...)
			r.Close()
		}
	})
}
