package fs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LookAtMachine finds out what a mount needs. It mounts nothing.
func LookAtMachine() Machine {
	status, _ := os.ReadFile("/proc/self/status") // without /proc nothing is known
	m := Machine{
		Device: fuseAvailable(), MayMount: capable(string(status), unix.CAP_SYS_ADMIN), Timeout: requestTimeout(),
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Release = unix.ByteSliceToString(name.Release[:])
	}
	m.Passthrough = m.MayMount && atLeast(m.Release, 6, 9)
	m.Helper = helperTrouble(string(status))
	return m
}

// capable reports whether a process of that status has a capability in effect.
func capable(status string, capability uint) bool {
	text, _, _ := strings.Cut(after(status, "\nCapEff:"), "\n")
	mask, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
	return err == nil && mask&(1<<capability) != 0
}

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}

// atLeast reports whether a kernel's release is that version or a later one.
func atLeast(release string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(release, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// helperTrouble says why fusermount3 can't mount for a process of that status.
func helperTrouble(status string) error {
	path := ""
	for _, name := range []string{"fusermount3", "fusermount"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return errors.New("only root may mount without fusermount3, which is not in PATH: install fuse3, or run as root")
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case strings.Contains(status, "\nNoNewPrivs:\t1\n"):
		return fmt.Errorf("%s can't become root here: this process was started with no_new_privs", path)
	case info.Mode()&os.ModeSetuid == 0 && !hasCapabilities(path):
		return fmt.Errorf("%s can't become root: as root, run chown root %[1]s && chmod u+s %[1]s, or install fuse3 anew", path)
	case os.Geteuid() == 0:
		return errors.New("root may not mount here: give the container CAP_SYS_ADMIN (--cap-add SYS_ADMIN)")
	}
	return nil
}

// hasCapabilities reports whether a program gets capabilities of its own.
func hasCapabilities(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}
