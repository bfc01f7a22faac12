package background

import (
	"os"
	"strconv"
	"syscall"
)

// closeOnExec keeps the descriptors that this process was started with, but for
// the standard ones, from the child: a shell's would live as long as the mount.
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
