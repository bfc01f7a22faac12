package remote

import "golang.org/x/sys/unix"

// receiveQueue is how many bytes the socket fd holds unread, 0 if unknown.
func receiveQueue(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	if err != nil {
		return 0
	}
	return n
}
