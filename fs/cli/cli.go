// Package cli is the command line: it reads flags and mount options, mounts, runs in the
// background, and shows what a mount does. The packages below it are leaves.
package cli

import (
	"errors"
	"fmt"
	iofs "io/fs"
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
	exitError = 1 // mounting failed, or something failed later
	exitUsage = 2
)

// farewell is how long the program waits at its end until the last lines are read from
// standard error. A busy machine needs less.
const farewell = time.Second

// console is standard error. Writing to it never waits for its reader.
type console struct {
	*logqueue.Queue           // takes all text, and writes it to screen
	screen          *progress // writes it above the live lines
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
	// A closed stderr or pipe must not kill the process and leave a dead mount, nor must a terminal
	// stop it for writing from the background (stty tostop).
	signal.Ignore(syscall.SIGPIPE, syscall.SIGTTOU)
	// A core would contain the key. In spite of a limit of 0, Linux gives one to a program that
	// kernel.core_pattern names. A limit of 1 prevents that, too (core(5) does not say so, but fs/coredump.c).
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{Cur: 1, Max: 1}) // fails only if it is 0
	limits.SetMemory()
	limits.LimitGarbage()
	child, err := background.Inherited()
	out := newConsole()
	if err == nil {
		err = run(os.Args[1:], child, out)
	}
	status := exitStatus(err)
	if err != nil && !unread(err) && !journaled(err) {
		fmt.Fprint(out, report(err))
		if child != nil {
			child.Fail(err.Error(), status)
		}
	}
	out.Close(farewell)
	os.Exit(status)
}

// unread reports whether err says that standard output is a pipe that nobody reads any
// longer, as in "assetfs status --json mnt | head".
func unread(err error) bool {
	var p *iofs.PathError
	return errors.As(err, &p) && p.Path == os.Stdout.Name() && errors.Is(p.Err, syscall.EPIPE)
}

// journaled reports whether the process in the background has written err to the journal, which is our
// standard error, too.
func journaled(err error) bool {
	var inner *background.Error
	return errors.As(err, &inner) && inner.Reported && background.Journaled()
}

// report returns the line about err. Much of that may be the user's own text, or a file's name.
func report(err error) string { return "assetfs: " + printable(err.Error()) + "\n" }

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

// run executes the command line.
func run(args []string, child *background.Child, out *console) error {
	root := newRoot(args, func(s *settings) error {
		a, err := newApp(s, child, out)
		if err != nil {
			return err
		}
		if s.Daemon && child == nil {
			return a.startChild(args)
		}
		return a.serve()
	})
	shown := &stdout{}
	root.SetOut(shown)
	if err := root.Execute(); err != nil {
		return err
	}
	return shown.err
}

// stdout is standard output. It remembers the first error, for those who ignore it.
type stdout struct{ err error }

func (o *stdout) Write(text []byte) (int, error) {
	n, err := os.Stdout.Write(text)
	if o.err == nil {
		o.err = err
	}
	return n, err
}
