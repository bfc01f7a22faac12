package fs

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// programOf returns the command name and the ID of the process of a thread, "" if
// it can't be found out (proc_pid_status(5)). A thread may have a name of its own.
func programOf(tid uint32) (name string, pid int) {
	if tid == 0 {
		return "", 0
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		return "", int(tid)
	}
	_, after, _ := strings.Cut(string(status), "\nTgid:")
	line, _, _ := strings.Cut(after, "\n")
	if pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		return "", int(tid)
	}
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "", pid
	}
	return strings.TrimSuffix(string(comm), "\n"), pid
}
