package background

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain lets the test binary be the child of its own tests. Its first argument says what to do.
func TestMain(m *testing.M) {
	c, err := Inherited()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(9)
	}
	if c == nil {
		os.Exit(m.Run())
	}
	switch os.Args[1] {
	case "ready":
		if err := describe(c, os.Args[2]); err != nil {
			c.Fail(err.Error(), 9)
			os.Exit(9)
		}
		fmt.Fprintln(os.Stderr, "said on stderr")
		if err := c.Ready(); err != nil {
			os.Exit(9)
		}
		if session, err := unix.Getsid(0); err != nil || session != os.Getpid() {
			os.Exit(8)
		}
		c.Fail("after Ready nobody listens", 9)
	case "talk": // more than a pipe holds
		long := strings.Repeat("x", 100_000)
		if os.Args[2] == "ready" && c.Ready(long, long) != nil {
			os.Exit(9)
		}
		c.Fail(long, 2)
		os.Exit(2)
	case "fail":
		c.Fail("no such place", 2)
		os.Exit(2)
	case "die":
		os.Exit(7)
	}
}

// seen is what a child knows about itself.
type seen struct {
	Handover    Handover
	Environ     []string
	Args        []string
	Group       int // the process group before it is ready
	Descriptors []string
	Stdin       int // bytes
}

// describe writes what the child knows about itself to a file.
func describe(c *Child, to string) error {
	stdin, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	s := seen{c.Handover, os.Environ(), os.Args, unix.Getpgrp(), nil, len(stdin)}
	// The runtime's own descriptors (epoll, eventfd) and that of the directory being
	// read are not inherited, so those that close on exec don't count.
	for fd := range 64 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			s.Descriptors = append(s.Descriptors, fmt.Sprint(fd))
		}
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o600)
}

// run starts a child and returns what it logged.
func run(t *testing.T, h Handover, args ...string) (log string, err error) {
	t.Helper()
	t.Setenv("SECRET", "sk-mavi-environment")
	f, err := OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = Start(Options{Args: args, Hide: []string{"SECRET"}, Log: f, Handover: h})
	text, readErr := os.ReadFile(f.Name())
	if readErr != nil {
		t.Fatal(readErr)
	}
	return string(text), err
}

func TestChildIsReady(t *testing.T) {
	// A descriptor that a shell left open must not reach the child.
	left, err := unix.Open("/dev/null", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(left)

	ids := make([]string, 50_000) // many times what a pipe holds
	for i := range ids {
		ids[i] = fmt.Sprintf("re_%d", i)
	}
	given := Handover{Key: "sk-mavi-secret", IDs: ids}
	to := filepath.Join(t.TempDir(), "seen")
	log, err := run(t, given, "ready", to)
	if err != nil {
		t.Fatalf("Start: %v; it logged %q", err, log)
	}
	// Normally the parent ends now. Here it goes on, and must wait for its child.
	var ended unix.WaitStatus
	if _, err := unix.Wait4(-1, &ended, 0, nil); err != nil {
		t.Fatal(err)
	}
	if ended.ExitStatus() == 8 {
		t.Error("the child is in its parent's session when it is ready")
	}
	text, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	var got seen
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Handover.Key != given.Key || !slices.Equal(got.Handover.IDs, ids) {
		t.Errorf("handed over were %q and %d IDs, want %q and %d", got.Handover.Key, len(got.Handover.IDs), given.Key, len(ids))
	}
	public := strings.Join(slices.Concat(got.Environ, got.Args), "\n")
	if strings.Contains(public, "sk-mavi") || strings.Contains(public, marker) {
		t.Errorf("the child's environment and arguments hold what they must not:\n%s", public)
	}
	if own := unix.Getpgrp(); got.Group != own || got.Stdin != 0 {
		t.Errorf("the child mounts in process group %d and has %d bytes of standard input, want %d and 0", got.Group, got.Stdin, own)
	}
	if want := []string{"0", "1", "2"}; !slices.Equal(got.Descriptors, want) {
		t.Errorf("the child's descriptors are %q, want %q", got.Descriptors, want)
	}
	if log != "said on stderr\n" {
		t.Errorf("the log holds %q, want what the child said", log)
	}
}

func TestChildFails(t *testing.T) {
	for what, want := range map[string]Error{
		"fail": {"no such place", 2, true},
		"die":  {"the process in the background ended before it was ready: exit status 7", 1, false},
	} {
		_, err := run(t, Handover{}, what)
		var got *Error
		if !errors.As(err, &got) || *got != want {
			t.Errorf("a child told to %s: %#v, want %+v", what, err, want)
		}
		if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); !errors.Is(err, unix.ECHILD) {
			t.Errorf("a child told to %s is left as a zombie: %v", what, err)
		}
	}
}

// However much a child has to say, all of it is heard, and nobody hangs.
func TestChildTalks(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for _, how := range []string{"ready", "fail"} {
		f, err := OpenLog(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var warnings []string
		err = Start(Options{Args: []string{"talk", how}, Log: f, Warn: func(text string) { warnings = append(warnings, text) }})
		var inner *Error
		switch {
		case how == "ready" && (err != nil || !slices.Equal(warnings, []string{long, long})):
			t.Errorf("%s: %v, %d warnings; want two", how, err, len(warnings))
		case how == "fail" && (!errors.As(err, &inner) || inner.Problem != long || inner.Status != 2):
			t.Errorf("%s: an error of %d bytes, want the child's", how, len(fmt.Sprint(err)))
		}
		if how == "ready" { // in earnest the parent ends now
			var ended unix.WaitStatus
			if _, err := unix.Wait4(-1, &ended, 0, nil); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestInheritedWithoutParent(t *testing.T) {
	t.Setenv(marker, "1")
	// Whatever descriptors 3 and 4 are in this process, they are not such pipes.
	if c, err := Inherited(); err == nil {
		t.Errorf("Inherited() = %+v, want an error", c)
	}
	if _, set := os.LookupEnv(marker); set {
		t.Errorf("%s is still set", marker)
	}
}

func TestLogIsBoundedAndPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f, err := OpenLog(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := os.Truncate(f.Name(), maxLog+1); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second one appends
		f, err = OpenLog(dir)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(f, "line")
		f.Close()
	}
	info, err := os.Stat(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() != 10 || info.Mode() != 0o600 {
		t.Errorf("the log has %d bytes and mode %v, want 10 and 0600", info.Size(), info.Mode())
	}
	if old, err := os.Stat(f.Name() + ".1"); err != nil || old.Size() != maxLog+1 {
		t.Errorf("the log before: %v, %v; want one of %d bytes", old, err, maxLog+1)
	}
}

func TestLogRefusesTraps(t *testing.T) {
	for name, set := range map[string]func(path string) error{
		"symbolic link": func(path string) error { return os.Symlink("/dev/null", path) },
		"regular":       func(path string) error { return os.Mkdir(path, 0o700) },
		"device":        func(path string) error { return unix.Mkfifo(path, 0o600) },
	} {
		dir := t.TempDir()
		if err := set(filepath.Join(dir, LogName)); err != nil {
			t.Fatal(err)
		}
		_, err := OpenLog(dir)
		var log *LogError
		if !errors.As(err, &log) {
			t.Errorf("%s: OpenLog gives %v, want a LogError", name, err)
		}
	}
}

// Under systemd the log is standard error, to which the parent still writes after it has closed the log.
func TestJournal(t *testing.T) {
	var st unix.Stat_t
	if err := unix.Fstat(2, &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	f, err := OpenLog(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if f.Fd() == 2 {
		t.Error("closing the log would close standard error")
	}
	if got, err := f.Stat(); err != nil || got.Sys().(*syscall.Stat_t).Ino != st.Ino {
		t.Errorf("the log is not standard error: %v, %v", got, err)
	}
}
