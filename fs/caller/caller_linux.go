package caller

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// programOf returns the command name and the ID of a thread's process, "" if unknown
// (proc_pid_status(5)). It reads the process's name, since a thread may have its own.
func programOf(tid uint32) (name string, pid int) {
	status := procFile(int(tid), "status")
	_, after, _ := strings.Cut(status, "\nTgid:")
	line, _, _ := strings.Cut(after, "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		return "", int(tid)
	}
	name, _, _ = strings.Cut(strings.TrimPrefix(status, "Name:\t"), "\n")
	if pid != int(tid) || strings.Contains(name, `\`) { // which stands for something else there
		name = strings.TrimSuffix(procFile(pid, "comm"), "\n")
	}
	return name, pid
}

// procFile returns the beginning of a file about a process, "" if it can't be read. A first
// byte waits for it, so it needs three system calls, not ten as os.ReadFile does.
func procFile(pid int, name string) string {
	fd, err := unix.Open(fmt.Sprintf("/proc/%d/%s", pid, name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return ""
	}
	defer unix.Close(fd)
	b := make([]byte, 4096)
	n, err := unix.Read(fd, b)
	if err != nil {
		return ""
	}
	return string(b[:n])
}

// harmless are the signals that don't end a system call, because the program expects it to
// go on: Go's preemption, timers, job control, and real-time signals (KERNEL.md, fact 6). A
// stopped program would find EINTR when it is continued, so it stops after the call.
const harmless uint64 = 1<<(syscall.SIGURG-1) | 1<<(syscall.SIGCHLD-1) | 1<<(syscall.SIGWINCH-1) |
	1<<(syscall.SIGCONT-1) | 1<<(syscall.SIGALRM-1) | 1<<(syscall.SIGVTALRM-1) |
	1<<(syscall.SIGPROF-1) | 1<<(syscall.SIGIO-1) | 1<<64 - 1<<31 |
	1<<(syscall.SIGSTOP-1) | 1<<(syscall.SIGTSTP-1) | 1<<(syscall.SIGTTIN-1) | 1<<(syscall.SIGTTOU-1)

// interrupted reports whether the thread is gone or has a pending signal that should end its
// system call, and whether that can be known. It can't be known of a thread in a foreign pid
// namespace (0), or if /proc hides the thread (hidepid, ProtectProc).
func interrupted(tid uint32) (ended, known bool) {
	if tid == 0 {
		return false, false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		gone := unix.Kill(int(tid), 0) == unix.ESRCH
		return gone, gone
	}
	return pending(string(status)), true
}

// pending reports whether the status of a thread shows a pending signal that is neither
// blocked, nor ignored, nor harmless.
func pending(status string) bool {
	mask := signals(status)
	return (mask["SigPnd"]|mask["ShdPnd"])&^mask["SigBlk"]&^mask["SigIgn"]&^harmless != 0
}

// signals reads the signal masks out of /proc/TID/status (proc_pid_status(5)).
func signals(status string) map[string]uint64 {
	masks := map[string]uint64{}
	for line := range strings.Lines(status) {
		key, value, _ := strings.Cut(line, ":")
		if mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64); err == nil {
			masks[key] = mask
		}
	}
	return masks
}
