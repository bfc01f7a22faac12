// Package cli is the command line: it reads flags and mount options, mounts,
// goes to the background, and shows what a mount does. The packages below it are
// leaves.
package cli

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"assetfs/fs/cli/background"
	"assetfs/fs/cli/limits"
	"assetfs/fs/cli/logqueue"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1 // the mount could not be made, or something failed later
	exitUsage = 2
)

// farewell is how long the end waits for somebody to take the last lines from
// standard error: more than a busy machine needs.
const farewell = time.Second

// console is standard error. Nobody waits for whoever reads it.
type console struct {
	*logqueue.Queue           // takes all that is said, and hands it to:
	screen          *progress // puts it above the live lines
	tty             bool      // it is a terminal
}

func newConsole() *console {
	_, tty := terminal(os.Stderr)
	screen := newProgress(os.Stderr, tty)
	return &console{logqueue.New(screen), screen, tty}
}

// Main runs the command line and exits with its status.
func Main() {
	if limits.Probed() {
		return
	}
	// A closed stderr or pipe must never leave a dead mount behind.
	signal.Ignore(syscall.SIGPIPE)
	// A core file would hold the key.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // lowering it is always allowed
	limits.SetMemory()
	child, err := background.Inherited()
	out := newConsole()
	if err == nil {
		err = run(os.Args[1:], child, out)
	}
	status := exitStatus(err)
	if err != nil {
		fmt.Fprintf(out, "assetfs: %v\n", err)
		if child != nil {
			child.Fail(err.Error(), status)
		}
	}
	out.Close(farewell)
	os.Exit(status)
}

func exitStatus(err error) int {
	var usage *usageError
	var inner *background.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &inner):
		return inner.Status
	}
	return exitError
}

// run does what the command line asks for.
func run(args []string, child *background.Child, out *console) error {
	return newRoot(args, func(s *settings) error {
		a, err := newApp(s, child, out)
		if err != nil {
			return err
		}
		if s.Daemon && child == nil {
			return a.startChild(args)
		}
		return a.serve()
	}).Execute()
}
