package spool

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// Environment of a child process: what it is to do, and where.
const (
	childEnv = "SPOOL_TEST_CHILD"
	rootEnv  = "SPOOL_TEST_ROOT"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) == "" {
		os.Exit(m.Run())
	}
	childLocks()
}

// child starts this binary again.
func child(t *testing.T, what, root string) (*exec.Cmd, *bufio.Reader, io.WriteCloser) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), childEnv+"="+what, rootEnv+"="+root)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out), in
}

func die(err error) {
	if err != nil {
		os.Stderr.WriteString("child: " + err.Error() + "\n")
		os.Exit(3)
	}
}

// childLocks opens the spool and says how that went, then waits for the end of
// its input.
func childLocks() {
	d, err := Open(os.Getenv(rootEnv), baseURL, Options{})
	if err != nil {
		os.Stdout.WriteString("error: " + err.Error() + "\n")
		return
	}
	d.SetHolder("pid " + strconv.Itoa(os.Getpid()) + ", mounted at /mnt/there")
	os.Stdout.WriteString("locked\n")
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // ends when it ends
	die(d.Close())
}

// TestTwoProcesses has a second process told who holds the spool, which is free
// again when the first has gone, however it went.
func TestTwoProcesses(t *testing.T) {
	root := t.TempDir()
	for _, kill := range []bool{false, true} {
		cmd, out, in := child(t, "lock", root)
		if line, err := out.ReadString('\n'); line != "locked\n" {
			t.Fatal(line, err)
		}
		_, err := Open(root, baseURL, Options{})
		var locked *LockedError
		if !errors.As(err, &locked) {
			t.Fatalf("Open of a locked spool: %v", err)
		}
		want := "pid " + strconv.Itoa(cmd.Process.Pid) + ", mounted at /mnt/there"
		if locked.Holder != want || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "--spool-dir") {
			t.Errorf("error %q does not say %q", err, want)
		}
		other, err := Open(root, baseURL+"/other", Options{})
		if err != nil {
			t.Fatalf("another base URL: %v", err)
		}
		closeDir(t, other)
		if kill {
			err = cmd.Process.Kill()
		} else {
			err = in.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd.Wait() //nolint:errcheck // perhaps killed
		d := open(t, root)
		_, out, _ = child(t, "lock", root)
		if line, err := out.ReadString('\n'); !strings.HasPrefix(line, "error: ") || !strings.Contains(line, strconv.Itoa(os.Getpid())) {
			t.Errorf("second process: %q, %v", line, err)
		}
		closeDir(t, d)
	}
}
