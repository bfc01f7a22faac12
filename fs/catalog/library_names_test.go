package catalog

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestVideoMoves: a video that has gone over to another library is there in the next mount, too, without network.
func TestVideoMoves(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf("a", clip(1), clip(2))
		s.set("b", named(3, "clip 2.mp4"))
		notes, b := &notebook{}, newBook()
		r := open(t, s, notes, b, "a", "b")
		refresh(t, r)
		s.set("a", clip(1))
		refresh(t, r)
		s.set("b", named(3, "clip 2.mp4"), clip(2))
		refresh(t, r)
		expect := func() {
			t.Helper()
			want(t, r.Dirs()[0], "clip 1.mp4")
			want(t, r.Dirs()[1], "clip 2.mp4", "clip 2 (VI2).mp4")
		}
		expect()
		s.change(func(s *shelf) { s.err = ErrNotNow })
		for range 2 {
			r.Close()
			r = open(t, s, notes, b, "a", "b")
			expect()
		}
		s.change(func(s *shelf) { s.err = nil })
		refresh(t, r)
		expect()
		// And back again: it is there once.
		s.set("b", named(3, "clip 2.mp4"))
		refresh(t, r)
		s.set("a", clip(1), clip(2))
		refresh(t, r)
		for range 2 {
			want(t, r.Dirs()[0], "clip 1.mp4", "clip 2 (VI2).mp4")
			want(t, r.Dirs()[1], "clip 2.mp4")
			r.Close()
			r = open(t, s, notes, b, "a", "b")
		}
		r.Close()
	})
}

// refresh looks at all libraries.
func refresh(t *testing.T, r *libraryRig) {
	t.Helper()
	looks, err := r.Refresh(t.Context())
	for _, look := range looks {
		err = errors.Join(err, look.Err)
	}
	if err != nil {
		t.Error(err)
	}
}

// TestVideosTakeNames: no two files have one name, whatever videos are called.
func TestVideosTakeNames(t *testing.T) {
	bubble(t, func(t *testing.T) {
		taken := []Video{named(1, "a.mp4"), named(2, "a (VI9).mp4"), named(3, "VI9"), named(4, "a (VI9 2).mp4"), named(5, "VI9 (VI9)")}
		s := newShelf("s", taken...)
		notes, b := &notebook{}, newBook()
		r := open(t, s, notes, b, "s")
		refresh(t, r)
		s.set("s", append(taken, named(9, "a.mp4"))...)
		refresh(t, r)
		for range 2 {
			want(t, r.Root(), "a.mp4", "a (VI9).mp4", "VI9", "a (VI9 2).mp4", "VI9 (VI9)", "a (VI9 3).mp4")
			r.Close()
			r = open(t, s, notes, b, "s")
		}
		r.Close()
	})
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
			if r.Root().Known("re_1") != nil || r.Root().Known("VI1") != nil {
				t.Error("the root knows what only a library shows")
			}
			r.SetList([]string{"re_1", "re_3"})
			want(t, r.Root(), "clip 1.mp4", "clip 7 (re_3).mp4")
			want(t, dir, "clip 1 (VI1).mp4")
			r.Close()
		}
	})
}

// TestUnlistedToTakenName: in its library a video that was listed in the root takes another name if a file
// there has its own meanwhile.
func TestUnlistedToTakenName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		same := named(1, "clip 1.mp4")
		same.ID = "re_1"
		s := newShelf("a", clip(1), same)
		b := newBook()
		b.names["re_1"] = "clip 1.mp4" // from the time before its library
		notes := &notebook{}
		r := open(t, s, notes, b, "a", "b")
		r.SetList([]string{"re_1", "re_1"})
		dir := r.Dirs()[0]
		if err := dir.AwaitNames(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		want(t, r.Root(), "clip 1.mp4")
		want(t, dir, "clip 1.mp4")
		r.SetList(nil)
		for range 2 { // and after a restart
			want(t, r.Root())
			want(t, r.Dirs()[0], "clip 1.mp4", "clip 1 (re_1).mp4")
			if got := r.Listed("re_1").Info().Size; got != same.Size {
				t.Errorf("the size is %d, want %d", got, same.Size)
			}
			r.Close()
			r = open(t, s, notes, b, "a", "b")
		}
		r.Close()
	})
}

// TestDirectoryTakesItsName: no file in the root is called as the directory of a library, which belongs to
// what the root shows.
func TestDirectoryTakesItsName(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, notes, b := newShelf("a", clip(1)), &notebook{}, newBook()
		r := open(t, s, notes, b, "a", "b")
		r.s.set("re_1", func(a *remote) { a.name = "A" })
		r.SetList([]string{"re_1"})
		_ = r.AwaitNames(t.Context())
		want(t, r.Root(), "A (re_1)")
		r.Close()
		var before time.Time
		for i, scopes := range [][]string{{"a", "b"}, {"a", "b"}, {"a", "b", "c"}} {
			r = open(t, s, notes, b, scopes...)
			if now := r.Root().Changed(); now.After(before) != (i != 1) {
				t.Errorf("mount %d of %q: the root changed at %v, before that at %v", i, scopes, now, before)
			} else {
				before = now
			}
			r.Close()
		}
	})
}
