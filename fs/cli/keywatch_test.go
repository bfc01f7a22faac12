package cli

import (
	"context"
	"os"
	"path/filepath"
	"syscall"
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

// A mount and its review look at the same key: a pipe has it only once.
func TestKeyOfAPipe(t *testing.T) {
	a := &app{settings: newSettings()}
	a.KeyFile = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(a.KeyFile, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() { _ = os.WriteFile(a.KeyFile, []byte("sk-1\n"), 0) }()
	for range 2 {
		key, found := a.keyFindings()
		if text, err := key.Secret(); text != "sk-1" || a.noKey || len(found) != 1 || found[0].grade != fine {
			t.Fatalf("the key is %q, %v, none: %t, found %+v", text, err, a.noKey, found)
		}
	}
}
