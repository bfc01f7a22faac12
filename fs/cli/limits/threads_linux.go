package limits

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// many is more threads than a mount needs, whatever is asked of it.
	many = 4096
	// enough is how many a mount needs that takes turns at the disk: those of the
	// runtime, those that wait for requests, for the disk (fs.Options.FewThreads),
	// for standard error and for programs, and as many again.
	enough = 24
	// spare is for what the runtime may start meanwhile.
	spare = 2
)

var errThreads = fmt.Errorf("a mount needs %d threads, and there are fewer left here: raise the limit (ulimit -u, pids.max of the container, TasksMax= of systemd), or end other programs", enough+spare)

// probeVariable has this program find out whether it can have that many threads,
// and end.
const probeVariable = "ASSETFS_PROBE_THREADS"

// Probed reports whether this process was started to be a probe, which it has
// been then.
func Probed() bool {
	n, err := strconv.Atoi(os.Getenv(probeVariable))
	if err != nil {
		return false
	}
	reserve(n)
	return true
}

// Threads starts what threads a mount needs, since the Go runtime ends the
// process that can't have one more. It reports whether there is a limit, so that
// many will not be had, and fails if there are not even enough.
func Threads() (few bool, err error) {
	if few = limited(); few {
		// Each processor has a thread of its own.
		processors := runtime.GOMAXPROCS(1)
		if !available(enough + spare) {
			return few, errThreads
		}
		runtime.GOMAXPROCS(min(processors, 2))
	}
	reserve(enough)
	return few, nil
}

// limited reports whether user or container may have less than many.
func limited() bool {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &r); err == nil && r.Cur < many {
		return true
	}
	return pids.allowed(os.DirFS("/")) < many
}

// available reports whether this process may have n threads, those that it has
// included. There is no asking the kernel, and no surviving a refusal: another
// process tries. The runtime must not want a thread meanwhile: so there is one
// processor, and the runtime does not hear that it waits.
func available(n int) bool {
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"assetfs"}, &syscall.ProcAttr{
		Env: append(os.Environ(), probeVariable+"="+strconv.Itoa(n-threads())),
	})
	if err != nil {
		return false
	}
	var status unix.WaitStatus
	for {
		_, _, errno := syscall.RawSyscall6(unix.SYS_WAIT4, uintptr(pid), uintptr(unsafe.Pointer(&status)), 0, 0, 0, 0)
		if errno != unix.EINTR {
			return errno == 0 && status.Exited() && status.ExitStatus() == 0
		}
	}
}

// threads is how many this process has.
func threads() int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0
	}
	return len(tasks)
}

// reserve starts threads until there are n. The runtime keeps those that are idle.
func reserve(n int) {
	done := make(chan struct{})
	var kept sync.WaitGroup
	for range n { // at most, where /proc can't be read
		if threads() >= n {
			break
		}
		started := make(chan struct{})
		kept.Go(func() {
			runtime.LockOSThread() // so that the next one needs a thread of its own
			close(started)
			<-done
			runtime.UnlockOSThread()
		})
		<-started
	}
	close(done)
	kept.Wait()
}
