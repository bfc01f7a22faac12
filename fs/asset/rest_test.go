package asset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// refusal is a source that answers each request with an error.
type refusal struct{ error }

func (r refusal) Open(context.Context, string, Request) (*Response, error) { return nil, r.error }
func (refusal) Budget() Budget                                             { return Budget{Available: 1} }

// refusing returns the options of a mount that is refused everything.
func refusing(err error) Options {
	return Options{Source: refusal{err}, ReadAhead: 64 * mib, StallTimeout: time.Minute, RetryFor: time.Minute}
}

// TestBytesPerFailure holds what an asset takes of which nothing but a failure is known: 100 000 may
// be listed by a list of IDs that are not there.
func TestBytesPerFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, most = 5000, 900
		s := newTestStore(t, StoreOptions{}, refusing(io.ErrUnexpectedEOF))
		defer s.close()
		heap := func() int64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return int64(m.HeapAlloc)
		}
		was := heap()
		for i := range n {
			if _, err := s.Asset(fmt.Sprint("re_", i)).Contact(t.Context(), Contact{}); err == nil {
				t.Fatal("there is none")
			}
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		if each := (heap() - was) / n; each > most {
			t.Errorf("%d bytes each, want at most %d", each, most)
		}
		runtime.KeepAlive(s)
	})
}

// TestRest drops what reading needs once nobody reads, and not what was learnt by it.
func TestRest(t *testing.T) {
	resting := func(r *rig) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.engine == nil
	}
	for _, tt := range []struct {
		name string
		use  func(r *rig)
		want bool
	}{
		{"never used", func(*rig) {}, true},
		{"its metadata is known", func(r *rig) { r.Learn(Info{Size: mib}) }, true},
		{"its failures were forgotten", func(r *rig) { r.store.ForgetFailures() }, true},
		{"looked at", func(r *rig) { r.Why(span(0, 1)); r.Streams(); r.Status(); r.Free() }, true},
		{"its header was seen", (*rig).contact, true},
		{"its head was read", (*rig).head, false}, // what was received counts
		{"opened", func(r *rig) { r.Open().Close() }, true},
		{"read", func(r *rig) {
			rd := r.Open()
			defer rd.Close()
			r.read(rd, 0, 1)
		}, false},
		{"not there", func(r *rig) {
			r.store.engine = refusing(io.ErrUnexpectedEOF)
			for range 2 {
				if _, err := r.Contact(r.t.Context(), Contact{}); !errors.Is(err, io.ErrUnexpectedEOF) {
					r.t.Errorf("not there: %v", err)
				}
			}
			if resting(r) {
				r.t.Error("the failure is forgotten at once")
			}
		}, true},
		{"gave up", func(r *rig) {
			ctx, cancel := context.WithCancel(r.t.Context())
			cancel()
			if _, err := r.Contact(ctx, Contact{}); !errors.Is(err, context.Canceled) {
				r.t.Errorf("gave up: %v", err)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			test(t, &fakeServer{size: mib, ranged: true, etag: true}, func(r *rig) {
				tt.use(r)
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := resting(r); got != tt.want {
					t.Errorf("it rests: %v, want %v", got, tt.want)
				}
				if tt.name == "not there" {
					if s := r.Status(); !errors.Is(s.LastError, io.ErrUnexpectedEOF) || s.LastErrorAt.IsZero() {
						t.Errorf("the last error is %v at %v", s.LastError, s.LastErrorAt)
					}
					return
				}
				rd := r.Open()
				defer rd.Close()
				time.Sleep(time.Minute)
				if resting(r) {
					t.Error("it rests while it is open")
				}
				r.cat(rd, 0, mib)
			})
		})
	}
}
