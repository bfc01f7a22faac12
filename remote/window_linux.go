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

// receiveBuffer returns the size of the receive buffer of the socket fd, 0 if unknown.
func receiveBuffer(fd int) int {
	n, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
	if err != nil {
		return 0
	}
	return n
}

// growWindow sets whether the kernel may make the receive window of the socket fd larger (socket(7),
// SO_BUF_LOCK; since Linux 5.14, before that it always may).
func growWindow(fd int, may bool) {
	const receive = 2 // SOCK_RCVBUF_LOCK
	lock := receive
	if may {
		lock = 0
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_BUF_LOCK, lock)
}

// shutWindow takes no more bytes into the socket fd than the peer knows that it may send. What has come
// can still be read.
func shutWindow(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1) // the least; if it fails, more may come
}
