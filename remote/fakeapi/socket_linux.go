package fakeapi

import (
	"net"

	"golang.org/x/sys/unix"
)

// sendQueue returns how many bytes the peer has not acknowledged, and after a reset, how many
// it never will.
func sendQueue(c *net.TCPConn) (int, bool) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, false
	}
	n, known := 0, false
	err = raw.Control(func(fd uintptr) {
		var err error
		n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		known = err == nil
	})
	return n, known && err == nil
}
