package spool

import (
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
)

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

// TestOtherBaseURL shows bytes of one API to no other.
func TestOtherBaseURL(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, Options{})
	put(t, d.File("re_1"), span(0, kib))
	closeDir(t, d)
	other, err := Open(root, baseURL+"/other", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if known, n := other.Known(), other.File("re_1").Len(); len(known) != 0 || n != 0 {
		t.Errorf("another base URL sees %q, %d bytes", known, n)
	}
	closeDir(t, other)
	if n := open(t, root, Options{}).File("re_1").Len(); n != kib {
		t.Errorf("%d bytes are left", n)
	}
}

// TestTwoProcesses has a second process told who holds the spool, which is free
// again when the first has gone, however it went.
func TestTwoProcesses(t *testing.T) {
	root := t.TempDir()
	for _, kill := range []bool{false, true} {
		cmd, out, in := child(t, "lock", root, 0)
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
		d := open(t, root, Options{})
		_, out, _ = child(t, "lock", root, 0)
		if line, err := out.ReadString('\n'); !strings.HasPrefix(line, "error: ") || !strings.Contains(line, strconv.Itoa(os.Getpid())) {
			t.Errorf("second process: %q, %v", line, err)
		}
		closeDir(t, d)
	}
}
