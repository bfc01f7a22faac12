package integration_test

import (
	"os"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// patienceFile is the setting of how long the kernel waits for a reply; a mount
// keeps what it was when it was made.
const patienceFile = "/proc/sys/fs/fuse/max_request_timeout"

// hasPatience reports whether there is such a setting, and it may be set.
func hasPatience() bool { return unix.Access(patienceFile, unix.W_OK) == nil }

// cmdPatience implements "patience [SECONDS]": sets it, for as short as possible, since all mounts of the machine that
// are made meanwhile get it; without an argument it is put back. The script's end does that, too.
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
