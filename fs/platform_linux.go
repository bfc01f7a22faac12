package fs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"assetfs/fs/inode"
	"assetfs/fs/mount"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// start mounts on the mount point and serves it. go-fuse is not left to mount, since it neither
// returns fusermount3's reason nor the connection.
func (f *FS) start() error {
	o := f.fuseOptions()
	options := []string{fmt.Sprintf("max_read=%d", o.MaxWrite)}
	if f.o.AllowOther {
		options = append(options, "allow_other", "default_permissions")
	}
	fd, err := f.Make(cmp.Or(f.o.Source, "assetfs"), options)
	if err != nil {
		return err
	}
	if err = f.serve(fmt.Sprintf("/dev/fd/%d", fd), o); err != nil {
		_ = mount.Detach(f.Point)
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
