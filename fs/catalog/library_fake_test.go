package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// shelf is a fake of the library: videos of scopes, in pages.
type shelf struct {
	mu     sync.Mutex
	scopes map[string][]Video
	page   int           // videos on one
	delay  time.Duration // of each page
	err    error
	short  int                 // videos at the end that don't come, though they are counted
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
		if s.err != nil || ctx.Err() != nil {
			return l, errors.Join(s.err, ctx.Err())
		}
		list := s.scopes[scope]
		l.Shifted, l.Missing = l.Shifted || len(list) != total || s.short > 0, s.short
		list = list[:len(list)-s.short]
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

func (s *shelf) passed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passes
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
