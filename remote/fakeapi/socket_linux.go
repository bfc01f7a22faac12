package fakeapi

import (
	"net"
	"time"

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

// sinceReceived returns how long ago the kernel received the last bytes, of a request whose
// handler begins; 0 if unknown.
func sinceReceived(c *net.TCPConn) (ago time.Duration) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			ago = time.Duration(info.Last_data_recv) * time.Millisecond
		}
	})
	return ago
}
