package fs

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"assetfs/fs/inode"
	"assetfs/fs/mount"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

func platformOptions(o *fuse.MountOptions) {
	o.DirectMountFlags = unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV
}

// start mounts on the mount point and serves it: as root by mount(2), otherwise through
// fusermount3. go-fuse is not left to call that, since it does not return fusermount3's reason.
func (f *FS) start() error {
	o := f.fuseOptions()
	o.DirectMountStrict = true
	err := f.serve(f.Point, o)
	if f.server != nil || !errors.Is(err, os.ErrPermission) {
		return err
	}
	options := append([]string{"fsname=" + o.FsName, "subtype=" + o.Name, fmt.Sprintf("max_read=%d", o.MaxWrite)}, o.Options...)
	if o.AllowOther {
		options = append(options, "allow_other")
	}
	fd, err := mount.ByHelper(f.Point, options)
	if err != nil {
		return err
	}
	o = f.fuseOptions()
	o.DirectMount = false
	if err = f.serve(fmt.Sprintf("/dev/fd/%d", fd), o); err != nil {
		_ = mount.Detach(f.Point) // it is mounted already
	}
	return err
}

// tryPassthrough registers a file of the spool with the kernel, and returns why that failed.
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
	if errno == 0 {
		errno = f.server.UnregisterBackingFd(id)
	}
	if errno != 0 {
		return os.NewSyscallError("passthrough", errno)
	}
	return nil
}

// absent is the error for an extended attribute that does not exist. Only user.* of the
// namespaces in xattr(7) is supported, and saying so saves requests: ls -l asks for the label
// and ACL of each file until it gets ENOTSUP. The kernel would take ENOSYS for all attributes,
// but ENOTSUP only for this one.
func absent(attr string) syscall.Errno {
	if strings.HasPrefix(attr, "user.") {
		return syscall.ENODATA
	}
	return syscall.ENOTSUP
}

// fillBlocks sets st_blocks to what is in the spool, but at least 1 for a file that is not
// empty, because tar -S takes 0 for "all zeros". go-fuse overwrites Blocks unless Blksize is
// set.
func fillBlocks(out *fuse.Attr, local int64) {
	out.Blksize = 128 << 10
	out.Blocks = uint64(local+511) / 512
	if out.Size > 0 {
		out.Blocks = max(1, out.Blocks)
	}
}

// kernelGen returns the inode generation for the kernel: a new one for each state and version.
func (f *FS) kernelGen(s inode.State) uint64 {
	if f.o.StableInodes {
		return s.Version
	}
	return s.Generation()
}

// dirTimeout is how long the kernel may keep the times of a directory. It is told when they
// change.
const dirTimeout = settled
