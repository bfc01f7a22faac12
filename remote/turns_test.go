package remote

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiterOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/s", nil)
		var w wire
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		gone, cancel := context.WithCancelCause(t.Context())
		for i := range 6 {
			wg.Go(func() {
				ctx := t.Context()
				if i == 3 {
					ctx = gone
				}
				err := w.call(ctx, l, Reader, 0)
				if i == 3 && errors.Is(err, errClosed) {
					return
				}
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			})
			synctest.Wait() // it is in the queue
		}
		if b := l.budget(Reader); b.Available != 0 || time.Until(b.Next) != 6*1100*time.Millisecond {
			t.Errorf("budget behind five: %+v, next in %v", b, time.Until(b.Next))
		}
		cancel(errClosed)
		wg.Wait()
		if want := []int{0, 1, 2, 4, 5}; !slices.Equal(order, want) {
			t.Errorf("served %v, want %v", order, want)
		}
		if len(l.queue) != 0 || l.times.pending != 0 {
			t.Errorf("left behind: %d in the queue, %d pending", len(l.queue), l.times.pending)
		}
	})
}

// A reader goes before patient calls, but after a few the next of those goes.
func TestPatientCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/s", nil)
		var w wire
		var mu sync.Mutex
		var order string
		var wg sync.WaitGroup
		for _, name := range "0PQRabcPdefg" {
			waits := patient
			switch {
			case name >= 'd': // no longer
				waits = func() bool { return false }
			case name >= 'a':
				waits = nil
			}
			wg.Go(func() {
				if err := w.callAs(t.Context(), l, Reader, waits, 0); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order += string(name)
			})
			synctest.Wait()
		}
		wg.Wait()
		if want := "0abcPdefQgRP"; order != want {
			t.Errorf("served %s, want %s", order, want)
		}
	})
}

// What a reader is told of its turn does not count the patient calls that it goes before.
func TestBudgetBesidePatientCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := testLimiter(t, "1/s", nil)
		var w wire
		var wg sync.WaitGroup
		join := func(patient func() bool) {
			wg.Go(func() { _ = w.callAs(t.Context(), l, Reader, patient, 0) })
			synctest.Wait()
		}
		next := func() int { return int(time.Until(l.budget(Reader).Next) / (1100 * time.Millisecond)) }
		join(nil)
		for range 5 {
			join(patient)
		}
		for readers, want := range []int{1, 2, 3, 5, 6, 7, 9} { // after three of them a patient call goes
			if got := next(); got != want {
				t.Errorf("behind %d readers: in %d intervals, want %d", readers, got, want)
			}
			join(nil)
		}
		if b := l.budget(Background); int(time.Until(b.Next)/(1100*time.Millisecond)) < 13 {
			t.Errorf("a background call before others: in %v", time.Until(b.Next))
		}
		wg.Wait()
	})
}

// Whoever asks for a turn is told how many go first: as many as do.
func TestTurnIsOrder(t *testing.T) {
	l := testLimiter(t, "1/s", nil)
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 1000 {
		ahead := rnd.IntN(aheadMost + 1)
		var queue []*ticket
		for i := range rnd.IntN(10) {
			waits := patient
			if rnd.IntN(2) == 0 {
				waits = nil
			}
			queue = append(queue, &ticket{id: strconv.Itoa(i), patient: waits})
		}
		told := map[string]int{}
		l.queue, l.ahead = queue, ahead
		for _, t := range queue {
			told[t.id] = l.turn(t.id, rnd.IntN(2) == 0).Before
		}
		for _, waits := range []bool{true, false} { // one more
			l.queue, l.ahead = slices.Clone(queue), ahead
			told["new"] = l.turn("new", waits).Before
			l.queue = append(l.queue, &ticket{id: "new", patient: func() bool { return waits }})
			n := 0
			for l.leaveLocked().id != "new" {
				n++
			}
			if told["new"] != n {
				t.Errorf("one more, patient %v, %d ahead: told %d, goes as %d of %d", waits, ahead, told["new"], n, len(queue))
			}
		}
		l.queue, l.ahead = slices.Clone(queue), ahead
		for n := range len(queue) {
			if id := l.leaveLocked().id; told[id] != n {
				t.Errorf("%s of %d, %d ahead: told %d, goes as %d", id, len(queue), ahead, told[id], n)
			}
		}
	}
}

// A caller that gives up at the moment of its turn takes no slot.
func TestLimiterGivesUpAtItsTurn(t *testing.T) {
	for range 50 {
		synctest.Test(t, func(t *testing.T) {
			l := testLimiter(t, "1/s", nil)
			var w wire
			ctx, cancel := context.WithTimeout(t.Context(), onePerSecond.window())
			defer cancel()
			for range 2 {
				_ = w.call(ctx, l, Reader, 0)
			}
			if l.times.pending != 0 {
				t.Fatalf("%d slots are lost", l.times.pending)
			}
		})
	}
}
