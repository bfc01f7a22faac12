package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/asset"
)

// mute is an engine that never learns.
type mute struct{ *engine }

func (mute) Learn(asset.Info) {}

func (m mute) Contact(ctx context.Context, c asset.Contact) (asset.Info, error) {
	_, err := m.engine.Contact(ctx, c)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.info.Header = false
	return m.info, err
}

// interruptAfter returns a context that ends like that of an interrupted caller.
func interruptAfter(t *testing.T, d time.Duration) (context.Context, error) {
	t.Helper()
	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	time.AfterFunc(d, func() { cancel(interrupted) })
	return ctx, interrupted
}

// TestStat goes through what metadata and header may say.
func TestStat(t *testing.T) {
	for _, tc := range []struct {
		name         string
		change       func(*remote)
		want         error
		size         int64
		calls, heads int
	}{
		{"metadata says it", func(*remote) {}, nil, 100, 1, 0},
		{"no such asset", func(a *remote) { a.callErr = ErrNotFound }, ErrNotFound, -1, 1, 0},
		{"uploading", func(a *remote) { a.callErr = ErrUploading }, ErrUploading, -1, 1, 0},
		{"not now", func(a *remote) { a.callErr = ErrNotNow }, ErrNotNow, -1, 1, 0},
		{"no such call", func(a *remote) { a.callErr = ErrNoCall }, nil, 100, 1, 1},
		{"metadata fails", func(a *remote) { a.callErr = errServer }, nil, 100, 1, 1},
		{"both fail", func(a *remote) { a.callErr, a.headErr = errServer, ErrNotFound }, ErrNotFound, -1, 1, 1},
		{"metadata fails and the header has none", func(a *remote) { a.callErr, a.noLength = errServer, true }, errServer, -1, 1, 1},
		{"no such call and the header has none", func(a *remote) { a.callErr, a.noLength = ErrNoCall, true }, nil, -1, 1, 1},
		{"neither says it", func(a *remote) { a.size = -1 }, nil, -1, 1, 1},
		{"metadata does not say it and the header fails", func(a *remote) { a.size, a.headErr = -1, errServer }, errServer, -1, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer("re_1")
				s.set("re_1", tc.change)
				r := start(t, s, newBook(), func(o *Options) { o.RetryFor = time.Minute }, "re_1")
				defer r.Close()
				synctest.Wait() // the sweep is under way: the stat joins it
				for range 2 {   // what is known, or has just failed, is not asked for again
					err := r.Stat(t.Context(), r.Listed("re_1"))
					if !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
						t.Errorf("got %v, want %v", err, tc.want)
					}
				}
				if got := r.Listed("re_1").Facts().Info().Size; got != tc.size {
					t.Errorf("size %d, want %d", got, tc.size)
				}
				if calls := s.calls.count(); tc.want == nil && calls != tc.calls || calls > 3 && !errors.Is(tc.want, ErrNotNow) {
					t.Errorf("%d metadata calls, want %d", calls, tc.calls)
				}
				if heads := s.heads.count(); heads < tc.heads || heads > 2*tc.heads {
					t.Errorf("%d downloads, want %d", heads, tc.heads)
				}
			})
		})
	}
}

// TestCallTooLate makes a call for an asset of which metadata has told in the meantime: between a look at
// what is known and the call there is no lock.
func TestCallTooLate(t *testing.T) {
	for _, background := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			r := start(t, newServer("re_1"), newBook(), nil, "re_1")
			defer r.Close()
			if err := r.Stat(t.Context(), r.Listed("re_1")); err != nil {
				t.Fatal(err)
			}
			if err := r.call(t.Context(), r.Listed("re_1"), background); err != nil {
				t.Error(err)
			}
			r.expectCounts(1, 0)
		})
	}
}

// TestStatAgain lets metadata fail, and asks again after a while.
func TestStatAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.callErr = ErrNotFound })
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		stat := func(want error, calls int) {
			t.Helper()
			if err := r.Stat(t.Context(), r.Listed("re_1")); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
			r.expectCounts(calls, 0)
		}
		stat(ErrNotFound, 1)
		stat(ErrNotFound, 1)
		time.Sleep(remembered)
		stat(ErrNotFound, 2)
		s.set("re_1", func(a *remote) { a.callErr = nil })
		stat(ErrNotFound, 2)
		r.Forget()
		stat(nil, 3)
	})
}

// passing is an error that another call may not meet.
type passing struct{ error }

func (p passing) Unwrap() error                            { return p.error }
func (passing) Retry() (requests int, after time.Duration) { return -1, 0 }

// TestStatOfUnsized stats assets whose header has given no size, before this start or now. Only metadata
// can, and has several tries.
func TestStatOfUnsized(t *testing.T) {
	untold := fmt.Errorf("404 of a gateway: %w", ErrUntold)
	for _, tc := range []struct {
		name   string
		errs   []error // of metadata's first answers
		want   error
		size   int64
		answer int // how many calls a stat makes
	}{
		{"a gateway restarts", []error{passing{untold}}, nil, 100, 2},
		{"a gateway's 404 until the call is known to be missing", []error{passing{untold}, ErrNoCall}, nil, -1, 2},
		{"404 for this asset alone", []error{passing{untold}, passing{untold}, passing{untold}}, nil, -1, 3},
		{"metadata refuses", []error{untold}, nil, -1, 1},
		{"no such asset, says metadata", []error{fmt.Errorf("%w: %w", ErrUntold, ErrNotFound)}, nil, -1, 1},
		{"the server is in trouble for a moment", []error{passing{errServer}, passing{errServer}}, nil, 100, 3},
		{"the server is in trouble", []error{passing{errServer}, passing{errServer}, passing{errServer}}, errServer, -1, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer("re_1")
				s.set("re_1", func(a *remote) { a.noLength, a.callErrs = true, tc.errs })
				b := newBook()
				b.names["re_1"] = "clip.mov"
				r := start(t, s, b, nil)
				defer r.Close()
				r.SetList([]string{"re_1"})
				a := r.Listed("re_1")
				a.Facts().(*engine).info.Header = true
				if err := r.Stat(t.Context(), a); !errors.Is(err, tc.want) {
					t.Errorf("stat: got %v, want %v", err, tc.want)
				}
				if got := a.Facts().Info().Size; got != tc.size {
					t.Errorf("size %d, want %d", got, tc.size)
				}
				r.expectCounts(tc.answer, 0)
			})
		})
	}
}

// TestStatOfSeen uses metadata that knows none of the assets that can be downloaded. If an asset has a
// name, only its download can say that it is gone.
func TestStatOfSeen(t *testing.T) {
	for name, headErr := range map[string]error{"there": nil, "gone": ErrNotFound} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer("re_1")
				s.set("re_1", func(a *remote) { a.callErr, a.headErr = ErrNotFound, headErr })
				b := newBook()
				b.names["re_1"] = "clip.mov"
				r := start(t, s, b, nil, "re_1")
				defer r.Close()
				a := r.Listed("re_1")
				if err := r.Stat(t.Context(), a); !errors.Is(err, headErr) {
					t.Errorf("stat: got %v, want %v", err, headErr)
				}
				if size := a.Facts().Info().Size; headErr == nil && size != 100 {
					t.Errorf("size %d, want 100", size)
				}
				r.expectCounts(1, 1)
			})
		})
	}
}

// TestStatWaits lets many stats queue, and ends some.
func TestStatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(200)...).limited()
		r := start(t, s, newBook(), func(o *Options) { o.RetryFor = 20 * time.Second }, ids(200)...)
		defer r.Close()
		ctx, interrupted := interruptAfter(t, time.Second)
		errs := make([]error, 200)
		var wg sync.WaitGroup
		took := since(func() {
			for i, e := range r.Entries() {
				ctx := ctx
				if i%2 == 1 {
					ctx = t.Context()
				}
				wg.Go(func() { errs[i] = r.Stat(ctx, e.Asset) })
			}
			wg.Wait()
		})
		if took != 20*time.Second {
			t.Errorf("took %v, want RetryFor", took)
		}
		good := 0
		for i, err := range errs {
			switch {
			case err == nil:
				good++
			case i%2 == 0 && !errors.Is(err, interrupted), i%2 == 1 && !errors.Is(err, ErrBusy):
				t.Errorf("stat %d: %v", i, err)
			}
		}
		if good < 15 {
			t.Errorf("%d stats succeeded", good)
		}
	})
}

// TestStatOfMany shares a call, which goes on while anybody waits for it.
func TestStatOfMany(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(3)...).limited()
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		time.Sleep(time.Second / 2)
		r.SetList(ids(3))
		ctx, interrupted := interruptAfter(t, time.Second/2)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := r.Stat(ctx, r.Listed("re_3")); !errors.Is(err, interrupted) {
				t.Errorf("interrupted: %v", err)
			}
		})
		for range 5 {
			wg.Go(func() {
				if err := r.Stat(t.Context(), r.Listed("re_3")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		time.Sleep(time.Minute)
		r.expectCounts(3, 0)
	})
}

// TestGiveUpCall lets the only caller give up: the call ends, and the next one makes its own.
func TestGiveUpCall(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(2)...)
		s.calls.interval = time.Minute
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		time.Sleep(time.Second)
		a := r.Listed("re_1")
		r.engine("re_1").mu.Lock()
		r.engine("re_1").info.Size = -1 // what was known is gone
		r.engine("re_1").mu.Unlock()
		ctx, interrupted := interruptAfter(t, time.Second)
		if err := r.Stat(ctx, a); !errors.Is(err, interrupted) {
			t.Errorf("interrupted: %v", err)
		}
		synctest.Wait()
		r.mu.Lock()
		if a.flight != nil {
			t.Error("the call goes on though nobody waits")
		}
		r.mu.Unlock()
		if err := r.Stat(t.Context(), a); !errors.Is(err, ErrBusy) && err != nil {
			t.Errorf("the next: %v", err)
		}
	})
}

// TestStatHeader lets a stat use the header, only of the head during a listing.
func TestStatHeader(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(9)...).limited()
		for _, id := range ids(9) {
			s.set(id, func(a *remote) { a.callErr = errServer })
		}
		r := start(t, s, newBook(), nil, ids(9)...)
		defer r.Close()
		if err := r.Stat(t.Context(), r.Listed("re_1")); err != nil || s.stream != 1 {
			t.Errorf("%v, %d streams", err, s.stream)
		}
		_ = r.AwaitNames(t.Context())
		if err := r.Stat(t.Context(), r.Listed("re_9")); err != nil || s.stream != 1 {
			t.Errorf("beside a listing: %v, %d streams", err, s.stream)
		}
	})
}

// TestTimeAlone uses headers with a size and no time.
func TestTimeAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer(ids(4)...)
		s.calls.interval = time.Hour // the sweep has the only slot
		r := start(t, s, newBook(), nil, "re_1")
		defer r.Close()
		time.Sleep(time.Second)
		r.SetList(ids(4))
		_ = r.AwaitNames(t.Context())
		stat := func(id string, want time.Duration) {
			t.Helper()
			if took := since(func() {
				if err := r.Stat(t.Context(), r.Listed(id)); err != nil {
					t.Error(err)
				}
			}); took != want {
				t.Errorf("stat %s took %v, want %v", id, took, want)
			}
		}
		stat("re_1", 0)
		stat("re_2", timePatience)
		stat("re_2", 0)
		stat("re_3", 0) // so soon after re_2 was slow
		time.Sleep(timePause)
		s.setAway(true)
		stat("re_4", 0)
		s.setAway(false)
		r.Forget()
		s.calls.mu.Lock()
		s.calls.interval, s.calls.free = 0, time.Time{}
		s.calls.mu.Unlock()
		stat("re_2", latency)
		if r.Listed("re_2").Facts().Info().ModTime.IsZero() {
			t.Error("no time")
		}
	})
}

// TestTimeAskedOnce: metadata that fails is not asked again for the time of the same asset.
func TestTimeAskedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newServer("re_1")
		s.set("re_1", func(a *remote) { a.callErr = errServer })
		r := start(t, s, newBook(), nil)
		defer r.Close()
		a := r.meet("re_1")
		remote, _ := s.get("re_1")
		r.engine("re_1").header(remote)
		for range 2 {
			if err := r.Stat(t.Context(), a); err != nil {
				t.Error(err)
			}
			r.expectCounts(1, 0)
			time.Sleep(2 * timePause)
		}
	})
}
