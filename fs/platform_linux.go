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

	"assetfs/fs/mount"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

func platformOptions(o *fuse.MountOptions) {
	o.DirectMountFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
}

// start mounts on the mount point and serves: as root by mount(2), else through
// fusermount3. That is called here rather than by go-fuse, which keeps its
// reason from our one line.
func (f *FS) start() (*fuse.Server, error) {
	o := f.fuseOptions()
	o.DirectMountStrict = true
	server, err := fusefs.Mount(f.Point, f.root, o)
	if err == nil || !errors.Is(err, os.ErrPermission) {
		return server, err
	}
	options := append([]string{"fsname=" + o.FsName, "subtype=" + o.Name, fmt.Sprintf("max_read=%d", o.MaxWrite)}, o.Options...)
	if o.AllowOther {
		options = append(options, "allow_other")
	}
	fd, err := mount.ByHelper(f.Point, options)
	if err != nil {
		return nil, err
	}
	f.root = &root{fs: f} // the other one has been given to a server
	o = f.fuseOptions()
	o.DirectMount = false
	server, err = fusefs.Mount(fmt.Sprintf("/dev/fd/%d", fd), f.root, o)
	if err != nil {
		_ = mount.Detach(f.Point) // it is mounted already
	}
	return server, err
}

// tryPassthrough registers a file of the spool with the kernel.
func (f *FS) tryPassthrough() error {
	if f.server.KernelSettings().Flags64()&fuse.CAP_PASSTHROUGH == 0 {
		return errors.New("this kernel has no passthrough")
	}
	probe, err := f.Store.Dir().Probe()
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
