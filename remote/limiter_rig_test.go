package remote

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"
)

// memory is a Ledger and Notes that outlive a limiter.
type memory struct {
	mu    sync.Mutex // guards the fields below
	calls map[string][]time.Time
	notes map[string]string
	fails error
}

func (m *memory) Calls(name string) []time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.calls[name])
}

func (m *memory) NoteCall(name string, t time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fails != nil {
		return m.fails
	}
	if m.calls == nil {
		m.calls = map[string][]time.Time{}
	}
	m.calls[name] = append(m.calls[name], t)
	return nil
}

func (m *memory) Note(name string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.notes[name]
}

func (m *memory) SetNote(name, value string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.notes == nil {
		m.notes = map[string]string{}
	}
	m.notes[name] = value
	return m.fails
}

func rates(t *testing.T, text string) RateLimit {
	t.Helper()
	l, err := ParseRateLimit(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func testLimiter(t *testing.T, text string, m *memory) *limiter {
	t.Helper()
	if m == nil {
		m = new(memory)
	}
	l := newLimiter("download", rates(t, text), m, m, slog.New(slog.DiscardHandler))
	l.gate.proven = true // the first answer has come
	return l
}

// wire records when calls were written, as a server sees it.
type wire struct {
	mu    sync.Mutex
	times []time.Time
}

// call makes one call, which takes the time connects to connect and is then answered.
func (w *wire) call(ctx context.Context, l *limiter, class Class, connects time.Duration) error {
	return w.callAs(ctx, l, class, nil, connects)
}

// patient is Request.Patient of some calls.
func patient() bool { return true }

// callAs is call of a reader that may be patient.
func (w *wire) callAs(ctx context.Context, l *limiter, class Class, patient func() bool, connects time.Duration) error {
	s, err := l.acquire(ctx, class, "re_1", patient)
	if err != nil {
		return err
	}
	time.Sleep(connects)
	if !s.write(ctx) {
		s.done("re_1", waiting(ctx, nil), true)
		return ctx.Err()
	}
	w.mu.Lock()
	w.times = append(w.times, time.Now())
	w.mu.Unlock()
	s.done("re_1", nil, false)
	return nil
}

// most returns the largest number of calls in any span.
func (w *wire) most(span time.Duration) int {
	slices.SortFunc(w.times, time.Time.Compare)
	most, first := 0, 0
	for i, t := range w.times {
		for t.Sub(w.times[first]) >= span {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
