package cli

import (
	"context"
	"testing"
	"testing/synctest"
)

// The end of a watch waits for no disk, and nothing is done after it.
func TestWatchingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, done := make(chan struct{}), 0
		end := watching(func(_ context.Context, do func(func())) {
			do(func() { done++ })
			<-disk // which hangs
			do(func() { done++ })
		})
		synctest.Wait()
		end()
		close(disk)
		synctest.Wait()
		if done != 1 {
			t.Errorf("done %d times, want once: before the end", done)
		}
	})
}
