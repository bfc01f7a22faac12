package fs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
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
	probe, err := f.store.Dir().Probe()
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
	defer f.Close()
	var st unix.Stat_t
	const major, minor = 10, 229 // Documentation/admin-guide/devices.txt
	if err := unix.Fstat(int(f.Fd()), &st); err != nil || st.Rdev != unix.Mkdev(major, minor) {
		return errors.New("/dev/fuse is not the device of FUSE: give the container /dev/fuse (--device /dev/fuse), or run mknod -m 666 /dev/fuse c 10 229")
	}
	return nil
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

// absent is the error for an extended attribute that nothing here has. Of the
// namespaces of xattr(7) there is user.* only, and to say so spares requests: ls
// -l asks for label and ACL of each file until it hears ENOTSUP. The kernel, for
// which ENOSYS would be the end of all attributes, takes it for this one alone.
func absent(attr string) syscall.Errno {
	if strings.HasPrefix(attr, "user.") {
		return syscall.ENODATA
	}
	return syscall.ENOTSUP
}

// fillBlocks makes st_blocks what is local, but at least 1 for a file that has
// bytes: tar -S takes 0 for "all zeros". go-fuse overwrites Blocks unless
// Blksize is set.
func fillBlocks(out *fuse.Attr, local int64) {
	out.Blksize = 128 << 10
	out.Blocks = uint64(local+511) / 512
	if out.Size > 0 {
		out.Blocks = max(1, out.Blocks)
	}
}

// kernelGen is the inode generation the kernel gets to see: another one for each
// state and version.
func (f *FS) kernelGen(s state) uint64 {
	if f.o.StableInodes {
		return s.version
	}
	return s.generation()
}

// foldNames has names match that differ in case or normal form alone. Linux asks for names as they are listed.
const foldNames = false

// dirTimeout is how long the kernel may believe the times of a directory: it is
// told when they move.
const dirTimeout = settled

// harmless are the signals that don't end a system call which the program
// expects to go on: Go's preemption, timers, job control, and real-time
// signals (KERNEL.md, fact 6).
const harmless uint64 = 1<<(syscall.SIGURG-1) | 1<<(syscall.SIGCHLD-1) | 1<<(syscall.SIGWINCH-1) |
	1<<(syscall.SIGCONT-1) | 1<<(syscall.SIGALRM-1) | 1<<(syscall.SIGVTALRM-1) |
	1<<(syscall.SIGPROF-1) | 1<<(syscall.SIGIO-1) | 1<<64 - 1<<31

// interrupted reports whether the thread has a signal pending that should end
// its system call, as one that is gone has, and whether that can be known. It
// can't of a thread in a pid namespace that is none of ours (0), nor of one that
// /proc hides from us (hidepid, ProtectProc).
func interrupted(tid uint32) (ended, known bool) {
	if tid == 0 {
		return false, false
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", tid))
	if err != nil {
		gone := unix.Kill(int(tid), 0) == unix.ESRCH
		return gone, gone
	}
	return pending(status), true
}

// pending reports whether a thread of that status has a signal pending that it
// neither blocks nor ignores nor expects to survive.
func pending(status []byte) bool {
	mask := signals(status)
	return (mask["SigPnd"]|mask["ShdPnd"])&^mask["SigBlk"]&^mask["SigIgn"]&^harmless != 0
}

// signals reads the signal masks out of /proc/TID/status (proc_pid_status(5)).
func signals(status []byte) map[string]uint64 {
	masks := map[string]uint64{}
	for lines := bufio.NewScanner(bytes.NewReader(status)); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), ":")
		if mask, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64); err == nil {
			masks[key] = mask
		}
	}
	return masks
}
