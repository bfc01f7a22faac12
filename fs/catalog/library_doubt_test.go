package catalog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

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
			time.Sleep(lookEvery)
			glance() // which nobody has asked for
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

// A list that ends before its own length is not believed at once: a page may have come empty. If the
// next look finds the same, its length counts something else.
func TestLibraryShort(t *testing.T) {
	var videos []Video
	names := []string{}
	for n := range 10 {
		videos = append(videos, clip(n))
		names = append(names, fmt.Sprintf("clip %d.mp4", n))
	}
	bubble(t, func(t *testing.T) {
		s := newShelf("s", videos...)
		r := open(t, s, &notebook{}, newBook(), "s")
		defer r.Close()
		for i, step := range []struct{ short, left int }{{0, 10}, {3, 10}, {0, 10}, {3, 10}, {3, 7}, {4, 6}, {0, 10}} {
			s.change(func(s *shelf) { s.short = step.short })
			if looks, err := r.Refresh(t.Context()); err != nil || looks[0].Err != nil {
				t.Fatal(looks, err)
			}
			t.Log("look", i)
			want(t, r.Root(), names[:step.left]...)
		}
	})
}
