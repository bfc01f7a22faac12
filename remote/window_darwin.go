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

// receiveBuffer returns 0, since growWindow can do nothing: macOS has no such option.
func receiveBuffer(int) int { return 0 }

func growWindow(int, bool) {}

// shutWindow takes no more bytes into the socket fd than the peer knows that it may send. What has come
// can still be read.
func shutWindow(fd int) {
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 1) // the least; if it fails, more may come
}
