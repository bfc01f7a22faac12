package remote

import "golang.org/x/sys/unix"

// fionread is FIONREAD of sys/filio.h, which x/sys/unix does not define.
const fionread = 0x4004667f

// receiveQueue returns how many unread bytes the socket fd holds, 0 if unknown.
func receiveQueue(fd int) int {
	n, err := unix.IoctlGetInt(fd, fionread)
	if err != nil {
		return 0
	}
	return n
}
