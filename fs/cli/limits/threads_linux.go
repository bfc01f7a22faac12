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
	// many is more threads than a mount ever needs.
	many = 4096
	// usual is how many a busy mount needs that takes turns at the disk (fs.Options.FewThreads):
	// those of the runtime, those that wait for requests, for the disk, for standard error
	// and for programs. It was 23 with 80 readers, beside writers that keep the disk busy.
	usual = 24
	// enough is as many again: 27 were too few on another machine. If the kernel takes 30 ms
	// for each open, close or connect, 45 are needed.
	enough = 48
	// spare is for threads that the runtime may start in the meantime.
	spare = 2
)

var errThreads = fmt.Errorf("a mount needs %d threads, and fewer are available here: raise the limit (ulimit -u, pids.max of the container, TasksMax= of systemd), or end other programs", enough+spare)

// probeVariable makes this program try to start that many threads, and end.
const probeVariable = "ASSETFS_PROBE_THREADS"

// Probed reports whether this process is such a probe. If so, it has done its work.
func Probed() bool {
	n, err := strconv.Atoi(os.Getenv(probeVariable))
	if err != nil {
		return false
	}
	reserve(n)
	return true
}

// Threads starts the threads that a mount needs, because the Go runtime ends a process that
// can't start another one. few means that there is a limit below many. err means that there are
// not even enough.
func Threads() (few bool, err error) {
	if few = limited(); few {
		// Each processor needs a thread of its own.
		processors := runtime.GOMAXPROCS(1)
		if !available(enough + spare) {
			return few, errThreads
		}
		runtime.GOMAXPROCS(min(processors, 2))
		reserve(enough)
	}
	reserve(usual)
	return few, nil
}

// limited reports whether user or container may have less than many threads.
func limited() bool {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &r); err == nil && r.Cur < many {
		return true
	}
	return pids.allowed(os.DirFS("/")) < many
}

// available reports whether this process may have n threads in all. The kernel can't be asked,
// and a refusal would end this process, so another process tries. Meanwhile the runtime must not
// want a thread: there is only one processor, and a raw system call hides the wait from it.
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

// threads returns how many threads this process has.
func threads() int {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return 0
	}
	return len(tasks)
}

// reserve starts threads until there are n. The runtime keeps idle ones.
func reserve(n int) {
	done := make(chan struct{})
	var kept sync.WaitGroup
	for range n { // bounds the loop if /proc can't be read
		if threads() >= n {
			break
		}
		started := make(chan struct{})
		kept.Go(func() {
			runtime.LockOSThread() // makes the next one need another thread
			close(started)
			<-done
			runtime.UnlockOSThread()
		})
		<-started
	}
	close(done)
	kept.Wait()
}
