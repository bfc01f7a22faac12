package catalog

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLaterLook: a later look at a library holds up nobody, and is not called the first.
func TestLaterLook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf("a", clip(1), clip(2), clip(3))
		r := open(t, s, &notebook{}, newBook(), "a", "b")
		defer r.Close()
		refresh(t, r)
		s.change(func(s *shelf) { s.delay = time.Second })
		time.Sleep(lookEvery)
		dir := r.Dirs()[0]
		for range 2 { // the first begins the look
			if took := since(func() { _ = dir.AwaitNames(t.Context()) }); took != 0 {
				t.Errorf("a listing waits %v for a list that is known", took)
			}
			synctest.Wait()
		}
		time.Sleep(10 * time.Second)
		if passes := s.passed(); passes != 3 {
			t.Errorf("%d passes, want one of each library, and one more", passes)
		}
		refresh(t, r)
		for i, look := range r.looks {
			if first := i < 2; look.First != first {
				t.Errorf("look %d: %+v", i, look)
			}
		}
	})
}

// TestLooksAtOnce: the list is read again when a mount starts, when failures are forgotten, and when somebody asks while
// a look is under way, which may have passed what is new.
func TestLooksAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, notes, b := newShelf("a", clip(1)), &notebook{}, newBook()
		r := open(t, s, notes, b, "a")
		refresh(t, r)
		r.Close()
		s.set("a", clip(1), clip(2))
		r = open(t, s, notes, b, "a")
		defer r.Close()
		synctest.Wait()
		want(t, r.Root(), "clip 1.mp4", "clip 2.mp4")
		s.set("a", clip(1), clip(2), clip(3))
		r.Forget()
		synctest.Wait()
		want(t, r.Root(), "clip 1.mp4", "clip 2.mp4", "clip 3.mp4")
		s.change(func(s *shelf) { s.delay = time.Second })
		r.Forget()
		time.Sleep(1500 * time.Millisecond) // the first of two pages is read
		s.set("a", clip(4), clip(2), clip(3))
		refresh(t, r)
		want(t, r.Root(), "clip 2.mp4", "clip 3.mp4", "clip 4.mp4")
	})
}

// TestVideoBack: a video that comes back as it was is still there in the next mount.
func TestVideoBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s, notes, b := newShelf("a"), &notebook{}, newBook()
		r := open(t, s, notes, b, "a")
		for _, videos := range [][]Video{{clip(1), clip(2)}, {clip(1)}, {clip(1), clip(2)}} {
			s.set("a", videos...)
			refresh(t, r)
		}
		r.Close()
		s.change(func(s *shelf) { s.err, s.delay = errServer, time.Second })
		r = open(t, s, notes, b, "a")
		defer r.Close()
		if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != 0 {
			t.Errorf("a listing waits %v for a list that an earlier mount has read", took)
		}
		want(t, r.Root(), "clip 1.mp4", "clip 2.mp4")
	})
}

// TestMissedOnce: a video that one pass misses stays, since the list may have changed under it.
func TestMissedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf("a", clip(1), clip(2))
		r := open(t, s, &notebook{}, newBook(), "a")
		defer r.Close()
		refresh(t, r)
		s.change(func(s *shelf) { s.delay = time.Second })
		s.set("a", clip(1))
		before := s.passed()
		r.Forget()
		time.Sleep(1500 * time.Millisecond)
		if n := s.passed() - before; n != 2 {
			t.Errorf("%d passes, want a second one by now", n)
		}
		want(t, r.Root(), "clip 1.mp4", "clip 2.mp4")
	})
}

// TestEmptyLibrary: a listing waits for the list of a library, and no longer.
func TestEmptyLibrary(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf("a")
		s.delay = time.Second
		r := open(t, s, &notebook{}, newBook(), "a")
		defer r.Close()
		if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != time.Second {
			t.Errorf("a listing took %v", took)
		}
	})
}

// TestBrokenLibrary: once a library could not be read, no listing and no name waits for it until it is looked at
// again.
func TestBrokenLibrary(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf("a", clip(1))
		s.err, s.delay = ErrNotNow, time.Second
		r := open(t, s, &notebook{}, newBook(), "a")
		defer r.Close()
		for _, want := range []time.Duration{time.Second, 0} {
			if took := since(func() { _ = r.AwaitNames(t.Context()) }); took != want {
				t.Errorf("a listing took %v, want %v", took, want)
			}
		}
	})
}
