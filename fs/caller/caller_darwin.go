package caller

import "golang.org/x/sys/unix"

// programOf returns the command name of a process, "" if it can't be found out.
// macFUSE tells the process, not the thread.
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
