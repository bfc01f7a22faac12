package fs

import (
	"context"
	"runtime/pprof"
	"slices"
	"strings"
	"testing"
	"time"
)

// checkGoroutines fails if code of this module still runs elsewhere than in
// tests. The last of it ends just after whatever said so.
func checkGoroutines(t *testing.T) {
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for {
		var all strings.Builder
		if err := pprof.Lookup("goroutine").WriteTo(&all, 2); err != nil {
			t.Fatal(err)
		}
		left := slices.DeleteFunc(strings.Split(all.String(), "\n\n"), func(stack string) bool {
			return !strings.Contains(stack, "assetfs/fs/") && !strings.Contains(stack, "assetfs/remote.")
		})
		if len(left) == 0 {
			return
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			t.Errorf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
			return
		}
	}
}
