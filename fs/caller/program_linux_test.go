package caller

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestProgram: the name is the process's, not the thread's, and as it is, not as /proc writes it.
func TestProgram(t *testing.T) {
	expect := func(what string, tid uint32, name string, pid int) {
		t.Helper()
		if gotName, gotPID := (&caller{tid: tid}).Program(); gotName != name || gotPID != pid {
			t.Errorf("%s: %q, pid %d, want %q, %d", what, gotName, gotPID, name, pid)
		}
	}
	start := func(name string) *exec.Cmd {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), filepath.Join(t.TempDir(), name), "60")
		sleep, err := exec.LookPath("sleep")
		if err == nil {
			err = os.Symlink(sleep, cmd.Path)
		}
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
		return cmd
	}
	for name, want := range map[string]string{"player": "player", `a\b c`: `a\b c`, "a\xffb": "a?b"} {
		pid := start(name).Process.Pid
		expect(name, uint32(pid), want, pid)
	}

	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var thread func()
	thread = func() {
		runtime.LockOSThread() // its name stays with it, so it ends with its goroutine
		if unix.Gettid() == os.Getpid() {
			go thread() // that one can't be in the first thread, which this one keeps
			<-done
			runtime.UnlockOSThread()
			return
		}
		defer close(done)
		if err := os.WriteFile("/proc/thread-self/comm", []byte("reader"), 0); err != nil {
			t.Error(err)
		}
		expect("a thread", uint32(unix.Gettid()), strings.TrimSpace(string(comm)), os.Getpid())
	}
	go thread()
	<-done

	gone := start("gone")
	_, _ = gone.Process.Kill(), gone.Wait()
	expect("a process that has ended", uint32(gone.Process.Pid), unknownProgram, gone.Process.Pid)
	expect("one in a foreign namespace", 0, unknownProgram, 0)
	if got := procFile(os.Getpid(), "mem"); got != "" { // whose first page can't be read, like all of one that ends
		t.Errorf("a file that can be opened but not read: %q", got)
	}
}
