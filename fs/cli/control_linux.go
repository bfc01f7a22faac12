package cli

import (
	"fmt"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// within returns a path of a file in an open directory that is short enough for a socket, which
// allows 108 bytes. Without /proc it is the normal path.
func within(dir *os.File, name string) string {
	path := fmt.Sprintf("/proc/self/fd/%d", dir.Fd())
	if _, err := os.Stat(path); err != nil {
		return filepath.Join(dir.Name(), name)
	}
	return filepath.Join(path, name)
}

// peer returns the process at the other end of a socket, with uid -1 if unknown.
func peer(conn net.Conn) (who process) {
	who.uid = -1
	if c, ok := conn.(*net.UnixConn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				if cred, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
					who = process{int(cred.Uid), int(cred.Pid)}
				}
			})
		}
	}
	return who
}
