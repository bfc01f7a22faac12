package integration_test

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// patienceFile sets how long the kernel waits for a reply. It applies to mounts that
// are made afterwards.
const patienceFile = "/proc/sys/fs/fuse/max_request_timeout"

// hasPatience reports whether the setting exists and may be changed.
func hasPatience() bool { return unix.Access(patienceFile, unix.W_OK) == nil }

// cmdPatience implements "patience [SECONDS]". All mounts that are made on this machine meanwhile are affected, so the script should
// restore the old value soon, by "patience" without an argument. Its end restores it, too.
func cmdPatience(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		usage(ts, "patience [SECONDS]")
	}
	before, err := os.ReadFile(patienceFile)
	ts.Check(err)
	set := func(text string) { ts.Check(os.WriteFile(patienceFile, []byte(text), 0)) }
	if len(args) == 0 {
		set(ts.Getenv("PATIENCE"))
		return
	}
	ts.Setenv("PATIENCE", strings.TrimSpace(string(before)))
	ts.Defer(func() { set(string(before)) })
	set(args[0])
}
