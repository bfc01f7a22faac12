package remote

import (
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A host that accepts connections again has been reached, whatever it answers. But a broken connection does not end a rate
// limit, nor does trouble of a call from before it.
func TestProbeFails(t *testing.T) {
	cut, cutThere := &Error{Err: ErrStalled, temporary: true}, &Error{Err: ErrStalled, temporary: true, away: "storage.test"}
	for _, tc := range []struct {
		cause, probe *Error
		open         bool
	}{
		{&Error{Err: ErrUnreachable, temporary: true}, cut, true},
		{&Error{Status: 429}, cut, false},
		{&Error{Status: 429}, cutThere, true}, // it was redirected
		{&Error{Status: 429}, &Error{Status: 500}, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := testLimiter(t, "none", nil)
			first, _ := l.acquire(t.Context(), Reader, "re_1", nil)
			first.write(t.Context())
			first.done("re_1", nil, false)
			late, _ := l.acquire(t.Context(), Reader, "re_2", nil)
			late.write(t.Context())
			for i, e := range []*Error{tc.cause, tc.probe} {
				s, err := l.acquire(t.Context(), Reader, "re_1", nil)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := l.acquire(t.Context(), Background, "re_1", nil); l.gate.probing && !errors.Is(err, ErrNoSlot) {
					t.Errorf("beside a probe: %v, want ErrNoSlot", err)
				}
				s.write(t.Context())
				s.done("re_1", e, false)
				if i == 0 {
					late.done("re_2", &Error{Status: 500}, false)
					if l.gate.cause != tc.cause {
						t.Errorf("a late 500 changed %v", tc.cause)
					}
				}
			}
			if open := l.gate.cause == nil; open != tc.open {
				t.Errorf("after %v, a probe that fails with %v: open %v, want %v", tc.cause, tc.probe, open, tc.open)
			}
			if s, err := l.acquire(t.Context(), Reader, "re_1", nil); err != nil || s.probe == tc.open {
				t.Errorf("after %v, a probe that fails with %v did not pass on the turn: %v", tc.cause, tc.probe, err)
			}
		})
	}
}

// Until the very first answer the others wait, but only for a moment. Then they go together.
func TestGateFirstRequest(t *testing.T) {
	for _, answer := range []time.Duration{100 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			l := newLimiter("download", RateLimit{}, nil, nil, slog.New(slog.DiscardHandler))
			began := time.Now()
			first, err := l.acquire(t.Context(), Reader, "re_1", nil)
			if err != nil {
				t.Fatal(err)
			}
			first.write(t.Context())
			var went atomic.Int64
			var wg sync.WaitGroup
			for range 5 {
				wg.Go(func() {
					if _, err := l.acquire(t.Context(), Reader, "re_1", nil); err != nil {
						t.Error(err)
					}
					went.Add(1)
				})
			}
			synctest.Wait()
			if went.Load() != 0 {
				t.Errorf("%d went before the first answer", went.Load())
			}
			time.Sleep(answer / 10)
			if b := l.budget(Reader); b.Down != nil || b.Available != 0 || b.Next != began.Add(firstAnswer) {
				t.Errorf("before the first answer: %+v", b)
			}
			go func() {
				time.Sleep(answer - answer/10)
				first.done("re_1", nil, false)
			}()
			wg.Wait()
			if held, want := time.Since(began), min(answer, firstAnswer); held != want {
				t.Errorf("held up for %v, want %v", held, want)
			}
			time.Sleep(answer)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLimiter("download", RateLimit{}, nil, nil, slog.New(slog.DiscardHandler))
		s, _ := l.acquire(t.Context(), Reader, "re_1", nil)
		began := time.Now()
		s.release()
		if s, _ := l.acquire(t.Context(), Reader, "re_1", nil); !s.probe {
			t.Error("the first request was abandoned, and the next is no probe")
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it waited %v for an answer that does not come", took)
		}
	})
}
