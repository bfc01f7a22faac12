package fs

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestCall: a call ends with an interrupt, and leaves nothing behind without.
func TestCall(t *testing.T) {
	for _, interrupt := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			cancel := make(chan struct{})
			c := newCall(&fuse.Context{Cancel: cancel}) // thread 0: not to be looked at
			done := c.Done()
			if interrupt {
				close(cancel)
				<-done
				if err := context.Cause(c); !errors.Is(err, errInterrupted) {
					t.Errorf("cause is %v", err)
				}
			}
			c.end()
			synctest.Wait()
			if (c.Err() != nil) != interrupt {
				t.Errorf("interrupt %v: error %v", interrupt, c.Err())
			}
		})
	}
	allocs := testing.AllocsPerRun(100, func() {
		c := newCall(&fuse.Context{})
		c.end()
	})
	if allocs > 2 {
		t.Errorf("a call that nobody waits for costs %v allocations", allocs)
	}
}
