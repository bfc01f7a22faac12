package remote

import "golang.org/x/sys/unix"

// receiveQueue returns how many unread bytes the socket fd holds, 0 if unknown.
func receiveQueue(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
