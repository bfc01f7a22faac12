package caller

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/service"
)

// TestCall: a call ends with an interrupt, and leaves nothing behind without.
func TestCall(t *testing.T) {
	for _, interrupt := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			cancel := make(chan struct{})
			c := New(0, cancel, nil, service.Wait{}) // thread 0: not to be looked at
			done := c.Done()
			if interrupt {
				close(cancel)
				<-done
				if err := context.Cause(c); !errors.Is(err, ErrInterrupted) {
					t.Errorf("cause is %v", err)
				}
			}
			c.End()
			synctest.Wait()
			if (c.Err() != nil) != interrupt {
				t.Errorf("interrupt %v: error %v", interrupt, c.Err())
			}
		})
	}
	allocs := testing.AllocsPerRun(100, func() {
		c := New(0, nil, nil, service.Wait{})
		c.End()
	})
	if allocs > 2 {
		t.Errorf("a call that nobody waits for costs %v allocations", allocs)
	}
}

// TestDoubt: if nothing is known about a caller, it waits for a short while after a signal, which may have
// been harmless.
func TestDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancel := make(chan struct{})
		c := New(0, cancel, nil, service.Wait{}) // thread 0: in another pid namespace
		defer c.End()
		done := c.Done()
		close(cancel)
		start := time.Now()
		time.Sleep(benefit - again)
		synctest.Wait()
		if err := c.Err(); err != nil {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		<-done
		if got := time.Since(start); got > benefit+again || !errors.Is(c.Err(), ErrInterrupted) {
			t.Errorf("after %v: %v", got, c.Err())
		}
	})
}

// TestGone: a thread that is gone does not wait on.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancel := make(chan struct{})
		c := New(1<<22, cancel, nil, service.Wait{}) // the most that a pid can be (PID_MAX_LIMIT)
		defer c.End()
		start := time.Now()
		close(cancel)
		<-c.Done()
		if got := time.Since(start); got > 0 || !errors.Is(c.Err(), ErrInterrupted) {
			t.Errorf("ended after %v by %v", got, c.Err())
		}
	})
}

// TestLate: a wait ends before the kernel aborts the mount, also when it began
// late in a request, and when signals came that were harmless.
func TestLate(t *testing.T) {
	const limit = 12 * time.Second
	ReplyWithin(limit)
	defer ReplyWithin(0)
	for _, interrupt := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cancel := make(chan struct{})
			c := New(uint32(os.Getpid()), cancel, nil, service.Wait{})
			defer c.End()
			start := time.Now()
			time.Sleep(limit / 2)
			wait, stop := context.WithTimeout(c, time.Hour)
			defer stop()
			if interrupt {
				close(cancel)
			}
			<-wait.Done()
			if got := time.Since(start); got != limit || !errors.Is(context.Cause(wait), ErrLate) {
				t.Errorf("harmless signal %t: ended after %v by %v, want %v and ErrLate", interrupt, got, context.Cause(wait), limit)
			}
		})
	}
}
