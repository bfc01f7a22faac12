package spool

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"assetfs/fs/spool/spooltest"
)

func TestMain(m *testing.M) {
	if job := spooltest.Job(); job != nil {
		childLocks(job[0])
		return
	}
	os.Exit(m.Run())
}

// childLocks opens the spool and says how that went, then waits for the end of
// its input.
func childLocks(root string) {
	d, err := Open(root, baseURL, Options{})
	if err != nil {
		os.Stdout.WriteString("error: " + err.Error() + "\n")
		return
	}
	d.SetHolder("pid " + strconv.Itoa(os.Getpid()) + ", mounted at /mnt/there")
	os.Stdout.WriteString("locked\n")
	io.Copy(io.Discard, os.Stdin) //nolint:errcheck // ends when it ends
	spooltest.Die(d.Close())
}

// TestTwoProcesses has a second process told who holds the spool, which is free
// again when the first has gone, however it went.
func TestTwoProcesses(t *testing.T) {
	root := t.TempDir()
	for _, kill := range []bool{false, true} {
		cmd, out, in := spooltest.Start(t, root)
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
		_, out, _ = spooltest.Start(t, root)
		if line, err := out.ReadString('\n'); !strings.HasPrefix(line, "error: ") || !strings.Contains(line, strconv.Itoa(os.Getpid())) {
			t.Errorf("second process: %q, %v", line, err)
		}
		closeDir(t, d)
	}
}

// TestLockRemoved has the lock file removed while the spool is used: a second process is still refused.
func TestLockRemoved(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	if err := os.Remove(filepath.Join(d.Path(), lockName)); err != nil {
		t.Fatal(err)
	}
	var locked *LockedError
	if other, err := Open(root, baseURL, Options{}); !errors.As(err, &locked) {
		t.Errorf("a second one: %v", err)
		if err == nil {
			closeDir(t, other)
		}
	}
	closeDir(t, d)
	closeDir(t, open(t, root))
}
