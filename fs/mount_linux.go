package fs

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

func platformOptions(o *fuse.MountOptions) {
	o.DirectMountFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
}

// tryPassthrough registers a file of the spool with the kernel.
func (f *FS) tryPassthrough() error {
	if f.server.KernelSettings().Flags64()&fuse.CAP_PASSTHROUGH == 0 {
		return errors.New("this kernel has no passthrough")
	}
	probe, err := f.dir.Probe()
	if err != nil {
		return err
	}
	defer probe.Close()
	id, errno := f.server.RegisterBackingFd(&fuse.BackingMap{Fd: int32(probe.Fd())})
	if errno != 0 {
		return os.NewSyscallError("passthrough", errno)
	}
	if errno := f.server.UnregisterBackingFd(id); errno != 0 {
		return os.NewSyscallError("passthrough", errno)
	}
	return nil
}

// readAhead is the kernel's read-ahead of whole assets in KiB, where it reads
// them through us: with its usual 128 a first read does not reach two thirds of
// the speed (bench.sh, "no passthrough"); more than 512 did not measure faster.
const readAhead = "512"

// raiseReadAhead asks for larger reads, which only root may.
func (f *FS) raiseReadAhead() {
	var st unix.Stat_t
	if unix.Stat(f.mountpoint, &st) != nil {
		return
	}
	knob := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
	if err := os.WriteFile(knob, []byte(readAhead), 0); err != nil {
		f.o.Log.Debug("the kernel's read-ahead stays as it is", "error", err)
	}
}

// fuseAvailable says early, in one line, what fusermount3 would say in several.
func fuseAvailable() error {
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("only root may use FUSE here: let the administrator run chmod 666 /dev/fuse (in a container: add --device /dev/fuse), or run as root: %w", err)
	}
	if err != nil {
		return fmt.Errorf("this machine has no FUSE: load the module (modprobe fuse), or give the container /dev/fuse: %w", err)
	}
	return f.Close()
}

// requestTimeout is how long the kernel waits for a reply before it aborts the
// mount; 0: for ever.
func requestTimeout() time.Duration {
	return effectiveTimeout(sysctl("default_request_timeout"), sysctl("max_request_timeout"))
}

// effectiveTimeout is what fuse_init_server_timeout of the kernel makes of its
// two settings, in seconds, for a server that asks for nothing.
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

// sysctl reads a setting of fs.fuse; one that this kernel doesn't have is 0.
func sysctl(name string) uint64 {
	text, err := os.ReadFile("/proc/sys/fs/fuse/" + name)
	if err != nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 16)
	if err != nil {
		return 0
	}
	return n
}
