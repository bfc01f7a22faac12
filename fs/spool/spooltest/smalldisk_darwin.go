package spooltest

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
)

// SmallDisk makes a RAM disk of about size bytes and returns a directory on it.
func SmallDisk(t testing.TB, size int64) string {
	t.Helper()
	run := func(ctx context.Context, args ...string) string {
		out, err := exec.CommandContext(ctx, args[0], args[1:]...).Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	dev := run(t.Context(), "hdiutil", "attach", "-nomount", fmt.Sprintf("ram://%d", max(size, 8<<20)/512))
	t.Cleanup(func() { run(context.WithoutCancel(t.Context()), "hdiutil", "detach", "-force", dev) })
	run(t.Context(), "newfs_hfs", dev)
	dir := t.TempDir()
	run(t.Context(), "mount", "-t", "hfs", dev, dir)
	return dir
}
