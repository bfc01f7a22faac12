package mount

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// LookAtMachine examines this machine. It mounts nothing.
func LookAtMachine() Machine {
	status, _ := os.ReadFile("/proc/self/status") // without /proc nothing is known
	m := Machine{
		Device: Available(), MayMount: capable(string(status), "CapEff", unix.CAP_SYS_ADMIN), Timeout: RequestTimeout(),
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Release = unix.ByteSliceToString(name.Release[:])
	}
	m.Passthrough = m.MayMount && atLeast(m.Release, 6, 9)
	m.Helper = helperTrouble(string(status))
	return m
}

// capable reports whether the status of a process shows a capability in one of its sets.
func capable(status, set string, capability uint) bool {
	text, _, _ := strings.Cut(after(status, "\n"+set+":"), "\n")
	mask, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
	return err == nil && mask&(1<<capability) != 0
}

func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	return rest
}

// atLeast reports whether a kernel's release is the given version or later.
func atLeast(release string, major, minor int) bool {
	var a, b int
	if _, err := fmt.Sscanf(release, "%d.%d", &a, &b); err != nil {
		return false
	}
	return a > major || a == major && b >= minor
}

// helperTrouble says why fusermount3 can't mount for a process with that status.
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
	case status != "" && !capable(status, "CapBnd", unix.CAP_SYS_ADMIN):
		return errors.New("nobody may mount here: give the container CAP_SYS_ADMIN (--cap-add SYS_ADMIN)")
	}
	return nil
}

// hasCapabilities reports whether an executable file has capabilities of its own.
func hasCapabilities(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0
}

// readAhead is the kernel's read-ahead in KiB for whole assets that are read through this
// process. With the default of 128, a first read reaches less than two thirds of the speed
// (bench.sh, "no passthrough"); more than 512 was no faster.
const readAhead = "512"

// RaiseReadAhead sets a larger read-ahead. Only root may.
func (m *Mount) RaiseReadAhead() {
	knob := "/sys/class/bdi/" + m.device + "/read_ahead_kb"
	if err := os.WriteFile(knob, []byte(readAhead), 0); err != nil {
		m.o.Log.Debug("the kernel's read-ahead stays as it is", "error", err)
	}
}

// Available says early, and in one line, what fusermount3 would say in several.
func Available() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("only root may use FUSE here: let the administrator run chmod 666 /dev/fuse (in a container: add --device /dev/fuse), or run as root: %w", err)
	}
	if err != nil {
		return fmt.Errorf("this machine has no FUSE: load the module (modprobe fuse), or give the container /dev/fuse: %w", err)
	}
	defer f.Close()
	var st unix.Stat_t
	const major, minor = 10, 229 // Documentation/admin-guide/devices.txt
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Rdev != unix.Mkdev(major, minor) {
		return errors.New("/dev/fuse is not the device of FUSE: give the container /dev/fuse (--device /dev/fuse), or run mknod -m 666 /dev/fuse c 10 229")
	}
	return nil
}

// RequestTimeout returns how long the kernel waits for a reply before it aborts the mount;
// 0: for ever.
func RequestTimeout() time.Duration {
	return effectiveTimeout(sysctl("default_request_timeout"), sysctl("max_request_timeout"))
}

// effectiveTimeout returns the time limit in seconds that the kernel's
// fuse_init_server_timeout derives from its two settings, if the server asks for none.
func effectiveTimeout(standard, most uint64) time.Duration {
	const tick = 15 // how often it looks, in seconds
	seconds := standard
	if most > 0 && (seconds == 0 || most < seconds) {
		seconds = most
	}
	if seconds == 0 {
		return 0
	}
	return time.Duration(max(seconds, tick)) * time.Second
}

// sysctl reads a setting of fs.fuse; 0 if this kernel doesn't have it.
func sysctl(name string) uint64 {
	text, _ := os.ReadFile("/proc/sys/fs/fuse/" + name)
	n, _ := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16) // of no text: 0
	return n
}
