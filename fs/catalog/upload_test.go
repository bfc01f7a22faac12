package catalog

import (
	"errors"
	"testing"
	"time"
)

// TestUploads follows unfinished uploads until they are ready.
func TestUploads(t *testing.T) {
	for _, o := range []func(*Options){nil, byMetadata} {
		bubble(t, func(t *testing.T) {
			s := newServer(ids(2)...)
			s.set("re_2", func(a *remote) { a.ready = time.Now().Add(10 * time.Minute) })
			r := start(t, s, newBook(), o, ids(2)...)
			defer r.Close()
			time.Sleep(time.Second)
			_ = r.AwaitNames(t.Context())
			r.expect("file-1.bin", "re_2")
			up := r.Listed("re_2")
			if err := r.Stat(t.Context(), up); !errors.Is(err, ErrUploading) {
				t.Errorf("stat: %v", err)
			}
			if err := r.Contact(t.Context(), up); !errors.Is(err, ErrUploading) {
				t.Errorf("open: %v", err)
			}
			if !errors.Is(errOf(up), ErrUploading) {
				t.Errorf("its error is %v", errOf(up))
			}
			before := s.calls.count()
			for range 100 { // a shell loop of listings
				time.Sleep(100 * time.Millisecond)
				_ = r.AwaitNames(t.Context())
			}
			if n := s.calls.count() - before; n < 4 || n > 6 {
				t.Errorf("asked %d times in 10 s of listings, want once in 2 s", n)
			}
			before = s.calls.count()
			time.Sleep(9 * time.Minute)
			if n := s.calls.count() - before; n < 3 || n > 8 {
				t.Errorf("asked %d times in 9 min without listings", n)
			}
			r.expect("file-1.bin", "re_2")
			time.Sleep(pollMost + time.Minute)
			r.expect("file-1.bin", "file-2.bin")
			if err := r.Stat(t.Context(), up); err != nil {
				t.Errorf("stat: %v", err)
			}
		})
	}
}

// TestUploadFirstMetByDownload has a listing ask for the download of an
// unfinished upload before metadata has told of it.
func TestUploadFirstMetByDownload(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.ready = time.Now().Add(25 * time.Second) })
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		r.expectCounts(1, 1)
		time.Sleep(time.Minute)
		r.expect("file-1.bin")
		r.expectCounts(3, 2)
	})
}

// TestUploadRemembered: the engine remembers that the download failed before.
func TestUploadRemembered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.ready, a.headErr = time.Now().Add(15*time.Second), errServer })
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		_ = r.AwaitNames(t.Context())
		time.Sleep(31 * time.Second) // metadata has told that it is ready, and the download has failed
		s.set("re_1", func(a *remote) { a.headErr = nil })
		r.expect("re_1")
		time.Sleep(time.Minute)
		r.expect("file-1.bin")
		r.expectCounts(3, 3)
	})
}
