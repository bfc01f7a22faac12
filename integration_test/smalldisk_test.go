package integration_test

import (
	"os"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
)

// cmdSmalldisk implements "smalldisk SIZE DIR": a file system of its own, for full disks. It needs root. The script's end
// unmounts it.
func cmdSmalldisk(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		usage(ts, "smalldisk SIZE DIR")
	}
	dir := ts.MkAbs(args[1])
	ts.Check(os.MkdirAll(dir, 0o700))
	//nolint:noctx // mounting memory does not block
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+args[0], "tmpfs", dir).CombinedOutput(); err != nil {
		ts.Fatalf("mount: %v: %s", err, out)
	}
	ts.Defer(func() {
		_ = exec.Command("umount", "-l", dir).Run() //nolint:noctx // as above
	})
}
