package catalog

import (
	"errors"
	"testing"
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
