package cli

import (
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// within is the path of a file in a directory that is open. Of a path that is
// longer than 104 bytes no socket can be made here.
func within(dir *os.File, name string) string { return filepath.Join(dir.Name(), name) }

// peer is who is at the other end of a socket, user -1 if nobody knows.
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
