package caller

import "golang.org/x/sys/unix"

// programOf returns the command name and the ID of a process, "" if unknown. macFUSE gives
// the process ID, not the thread ID.
func programOf(id uint32) (name string, pid int) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", int(id))
	if err != nil {
		return "", int(id)
	}
	return unix.ByteSliceToString(info.Proc.P_comm[:]), int(id)
}

// interrupted is always true: macFUSE reports an interrupt only for signals
// that end the call.
func interrupted(uint32) (ended, known bool) { return true, true }
