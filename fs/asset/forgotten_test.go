package asset

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// set changes the server.
func (r *rig) set(change func(*fakeServer)) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	change(r.server)
}

// drop frees everything, when all streams have ended.
func (r *rig) drop() {
	r.t.Helper()
	synctest.Wait()
	time.Sleep(time.Minute)
	r.Free()
	if got := r.Status().Present; got > 0 {
		r.t.Fatalf("%d bytes are still present", got)
	}
}

// weak gives each content a weak entity tag and a date, so that no validator proves a change.
func weak(_, v int) (etag, date string) {
	return fmt.Sprintf(`W/"%d"`, v), time.Date(1999, 1, 1+v, 0, 0, 0, 0, time.UTC).Format(time.RFC1123)
}

// TestNothingToCompare meets another validator when no byte is present that could tell whether the content is another, too.
func TestNothingToCompare(t *testing.T) {
	server := func() *fakeServer { return &fakeServer{size: 64 * mib, ranged: true, validators: weak} }
	next := func(f *fakeServer) { f.version = 1 }
	// part reads a part of the first content, which is then dropped.
	part := func(r *rig) {
		r.t.Helper()
		rd := r.Open()
		r.cat(rd, 0, mib)
		rd.Close()
		r.drop()
	}
	version := func(r *rig, want uint64) {
		r.t.Helper()
		if got := r.Status().Version; got != want {
			r.t.Errorf("content %d, want %d", got, want)
		}
	}
	t.Run("who has opened since goes on", func(t *testing.T) {
		test(t, server(), func(r *rig) {
			part(r)
			a, b := r.Open(), r.Open()
			defer a.Close()
			defer b.Close()
			r.set(next)
			r.cat(a, 512<<10, mib)
			r.cat(b, 512<<10, mib)
			version(r, 1)
		})
	})
	t.Run("who has read before does not, nor does anybody who opens the same inode", func(t *testing.T) {
		test(t, server(), func(r *rig) {
			before := r.Open()
			defer before.Close()
			part(r)
			since := r.Open()
			defer since.Close()
			r.set(next)
			r.fails(since, 512<<10, 1000, ErrChanged)
			r.fails(before, 0, 1000, ErrChanged)
			version(r, 1)
			again := r.Open()
			defer again.Close()
			r.cat(again, 512<<10, mib)
		})
	})
	t.Run("who opened the inode with its old pages does not, nor does anybody else", func(t *testing.T) {
		test(t, server(), func(r *rig) {
			part(r)
			a, b := r.Open(), r.Open()
			defer a.Close()
			defer b.Close()
			b.Kept()
			r.set(next)
			r.fails(a, 512<<10, 1000, ErrChanged)
			r.fails(b, 512<<10, 1000, ErrChanged)
		})
	})
	t.Run("who was told another size does not", func(t *testing.T) {
		test(t, server(), func(r *rig) {
			part(r)
			since := r.Open()
			defer since.Close()
			r.set(func(f *fakeServer) { f.version, f.ranged, f.noLength, f.size = 1, false, true, 2*mib })
			r.fails(since, 0, 1000, ErrChanged)
		})
	})
	t.Run("the kernel may have read the spool file", func(t *testing.T) {
		f := server()
		f.size = mib
		test(t, f, func(r *rig) {
			rd := r.Open()
			if err := rd.Fetch(context.Background()); err != nil {
				t.Fatal(err)
			}
			f, err := r.Backing()
			if err != nil {
				t.Fatal(err)
			}
			f.Close()
			rd.Close()
			r.drop()
			r.set(next)
			rd = r.Open()
			defer rd.Close()
			r.cat(rd, 512<<10, mib)
			version(r, 1)
		})
	})
	t.Run("a time moves, also after a restart", func(t *testing.T) {
		test(t, server(), func(r *rig) {
			part(r)
			before := r.Info().ModTime
			r.restart()
			rd := r.Open()
			defer rd.Close()
			r.set(next)
			r.cat(rd, 512<<10, mib)
			if got := r.Info().ModTime; !got.Equal(before.AddDate(0, 0, 1)) {
				t.Errorf("the content of a day later has the time %v, the one before had %v", got, before)
			}
			version(r, 1)
		})
	})
	t.Run("a validator of before says nothing", func(t *testing.T) {
		test(t, server(), func(r *rig) {
			r.contact()
			r.drop()
			r.set(next)
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 20*mib, 21*mib)
			version(r, 0) // no byte of the one before has come
			r.set(func(f *fakeServer) { f.version = 0 })
			r.fails(rd, 50*mib, 1000, ErrChanged)
		})
	})
	t.Run("a doubtful place is no other content", func(t *testing.T) {
		f := server()
		f.doubtful = true
		test(t, f, func(r *rig) {
			r.contact()
			rd := r.Open()
			defer rd.Close()
			r.cat(rd, 0, mib)
			r.drop()
			r.cat(rd, 10*mib, 11*mib)
			version(r, 0)
		})
	})
}

// TestTrustIsOfPlaces: that bytes were compared because entity tags differ says nothing about the place of bytes.
func TestTrustIsOfPlaces(t *testing.T) {
	test(t, &fakeServer{size: 64 * mib, ranged: true, validators: inTurns}, func(r *rig) {
		r.contact()
		rd := r.Open()
		defer rd.Close()
		for _, off := range []int64{0, 50 * mib, 30 * mib} {
			r.cat(rd, off, off+mib)
		}
		r.set(func(f *fakeServer) { f.shift = 100 })
		r.cat(rd, 20*mib, 21*mib)
	})
}

// TestShorterOfUnknownSize: content of unknown size that has become shorter, and begins with the same bytes, is another one.
func TestShorterOfUnknownSize(t *testing.T) {
	const short = mib / 2
	test(t, &fakeServer{size: 4 * mib, noLength: true}, func(r *rig) {
		rd := r.Open()
		r.cat(rd, 0, mib)
		rd.Close()
		time.Sleep(time.Minute)
		r.set(func(f *fakeServer) { f.size = short })
		rd = r.Open()
		defer rd.Close()
		r.fails(rd, 3*mib, 1000, ErrChanged)
		again := r.Open()
		defer again.Close()
		r.read(again, 0, mib)
		r.spent(4, 5*mib)
	})
}

// TestReadAtTheEndOfNewContent: a response that turns out to have new content, whose size is not known yet, does not
// count as cut off for who then reads behind it.
func TestReadAtTheEndOfNewContent(t *testing.T) {
	const size = 8 * mib
	test(t, &fakeServer{size: size, ranged: true, validators: func(_, _ int) (string, string) { return `W/"always"`, "" }}, func(r *rig) {
		rd := r.Open()
		r.cat(rd, 0, mib)
		rd.Close()
		synctest.Wait()
		time.Sleep(time.Minute)
		rd = r.Open()
		defer rd.Close()
		end := r.Runs()[0].End
		r.cat(rd, 0, end)
		r.set(func(f *fakeServer) { f.version++ })
		ended := make(chan struct{})
		read := sync.OnceFunc(func() {
			go func() {
				defer close(ended)
				next := r.Open()
				defer next.Close()
				_, _ = next.ReadAt(context.Background(), make([]byte, 1000), size) // the fake server knows no 416
			}()
			time.Sleep(time.Millisecond) // until it waits
		})
		r.store.removing.Store(&read)
		r.fails(rd, end, 1000, ErrChanged)
		<-ended
		if r.Info().Misranged {
			t.Error("Range is taken for broken")
		}
	})
}
