package background

import (
	"os"
	"strconv"
	"syscall"
)

// closeOnExec hides all descriptors of this process except the standard ones from the child:
// a pipe of the shell would otherwise stay open as long as the mount.
func closeOnExec() error {
	d, err := os.Open("/dev/fd")
	if err != nil {
		return err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if fd, err := strconv.Atoi(name); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
	return nil
}
