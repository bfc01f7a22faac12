package cli

import (
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// within returns the path of a file in an open directory. On macOS a socket's path can have
// 104 bytes at most.
func within(dir *os.File, name string) string { return filepath.Join(dir.Name(), name) }

// peer returns the process at the other end of a socket, with uid -1 if unknown.
func peer(conn net.Conn) (who process) {
	who.uid = -1
	if c, ok := conn.(*net.UnixConn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) {
				if cred, err := unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED); err == nil {
					who.uid = int(cred.Uid)
				}
			})
		}
	}
	return who
}
