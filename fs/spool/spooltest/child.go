// Package spooltest is what tests of spools share.
package spooltest

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"testing"
)

// Job returns the arguments of a process that [Start] has started, none in any
// other. TestMain asks.
func Job() []string {
	if len(os.Args) > 2 && os.Args[1] == jobFlag {
		return os.Args[2:]
	}
	return nil
}

const jobFlag = "-spooltest.job"

// Start starts the test binary again, for another process to do a job. It is
// killed at the end of the test, if it is still there.
func Start(t testing.TB, job ...string) (cmd *exec.Cmd, out *bufio.Reader, in io.WriteCloser) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.CommandContext(t.Context(), exe, append([]string{jobFlag}, job...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if in, err = cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(stdout), in
}

// Die ends such a process if something failed.
func Die(err error) {
	if err != nil {
		os.Stderr.WriteString("child: " + err.Error() + "\n")
		os.Exit(3)
	}
}
