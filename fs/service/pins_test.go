package service

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestKeep counts how often pinned assets are fetched.
func TestKeep(t *testing.T) {
	for name, c := range map[string]struct {
		fetch func(round int, changed chan<- struct{}) bool
		hours int
		want  int
	}{
		"all is well":         {func(int, chan<- struct{}) bool { return true }, 24, 1},
		"it fails for ever":   {func(int, chan<- struct{}) bool { return false }, 24, 29},
		"it is lost for ever": {func(_ int, changed chan<- struct{}) bool { changed <- struct{}{}; return true }, 24, 30},
		"it fails once":       {func(round int, _ chan<- struct{}) bool { return round > 1 }, 24, 2},
		"it is lost once": {func(round int, changed chan<- struct{}) bool {
			if round == 1 {
				changed <- struct{}{}
			}
			return true
		}, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(c.hours)*time.Hour)
				defer cancel()
				rounds, changed := 0, make(chan struct{}, 1)
				keep(ctx, nil, changed, func() bool { rounds++; return c.fetch(rounds, changed) })
				if rounds != c.want {
					t.Errorf("fetched %d times, want %d", rounds, c.want)
				}
			})
		})
	}
}

// After many failures the pauses are short again once somebody has asked, or all was well for long.
func TestKeepAgain(t *testing.T) {
	for name, c := range map[string]struct {
		well, asked bool
	}{
		"asked in a pause":          {false, true},
		"asked when all was well":   {true, true},
		"changed after a long time": {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				asked, changed, fetched, got := make(chan struct{}, 1), make(chan struct{}, 1), make(chan time.Time), make(chan bool)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan struct{})
				go func() {
					defer close(done)
					keep(ctx, asked, changed, func() bool { fetched <- time.Now(); return <-got })
				}()
				for range 10 {
					<-fetched
					got <- false
				}
				if c.well {
					<-fetched
					got <- true
					time.Sleep(3 * pinPauseMost)
				}
				if c.asked {
					asked <- struct{}{}
				} else {
					changed <- struct{}{}
				}
				first := <-fetched
				got <- false
				if pause := (<-fetched).Sub(first); pause != pinPause {
					t.Errorf("a pause of %v", pause)
				}
				got <- true
				cancel()
				<-done
			})
		})
	}
}

// A change, or who asks, after a quiet time is served at once, whatever was before.
func TestKeepAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked, changed, fetched := make(chan struct{}, 1), make(chan struct{}, 1), make(chan time.Time, 1)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			keep(ctx, asked, changed, func() bool { fetched <- time.Now(); return true })
		}()
		<-fetched
		for range 20 { // it is lost again and again
			changed <- struct{}{}
			<-fetched
		}
		for name, c := range map[string]chan struct{}{"asked": asked, "changed": changed} {
			if c == changed {
				time.Sleep(2 * pinPauseMost)
			}
			c <- struct{}{}
			start := time.Now()
			if took := (<-fetched).Sub(start); took > 0 {
				t.Errorf("%s: fetched after %v", name, took)
			}
		}
		cancel()
		<-done
	})
}
