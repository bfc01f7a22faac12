package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// helperTime bounds fusermount3, which walks paths that others serve.
const helperTime = 30 * time.Second

// start mounts on the mount point and serves: as root by mount(2), else through
// fusermount3. That is called here rather than by go-fuse, which keeps its
// reason from our one line.
func (f *FS) start() (*fuse.Server, error) {
	o := f.fuseOptions()
	o.DirectMountStrict = true
	server, err := fusefs.Mount(f.mountpoint, f.root, o)
	if err == nil || !errors.Is(err, os.ErrPermission) {
		return server, err
	}
	fd, err := mountByHelper(f.mountpoint, &o.MountOptions)
	if err != nil {
		return nil, err
	}
	f.root = &root{fs: f} // the other one has been given to a server
	o = f.fuseOptions()
	o.DirectMount = false
	server, err = fusefs.Mount(fmt.Sprintf("/dev/fd/%d", fd), f.root, o)
	if err != nil {
		_ = detach(f.mountpoint) // it is mounted already
	}
	return server, err
}

// mountByHelper lets fusermount3 mount, and returns the connection that it hands
// over.
func mountByHelper(point string, o *fuse.MountOptions) (fd int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := pair[0], os.NewFile(uintptr(pair[1]), "fusermount3")
	defer unix.Close(ours)

	options := append([]string{"fsname=" + o.FsName, "subtype=" + o.Name, fmt.Sprintf("max_read=%d", o.MaxWrite)}, o.Options...)
	if o.AllowOther {
		options = append(options, "allow_other")
	}
	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`)
	for i, option := range options {
		options[i] = escape.Replace(option)
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperTime)
	defer cancel()
	cmd := fusermount(ctx, "-o", strings.Join(options, ","), "--", point)
	cmd.Env = append(cmd.Env, "_FUSE_COMMFD=3")
	cmd.ExtraFiles = []*os.File{theirs}
	said, err := cmd.CombinedOutput()
	theirs.Close()
	if err != nil {
		return -1, helperError(said, err)
	}
	control := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(ours, make([]byte, 4), control, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("recvmsg", err)
	}
	messages, err := unix.ParseSocketControlMessage(control[:n])
	if err != nil || len(messages) != 1 {
		return -1, helperError(said, errors.New("no connection was handed over"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return -1, helperError(said, errors.New("no connection was handed over"))
	}
	return fds[0], nil
}

// helperError says why fusermount3 failed: in its own words if it had any.
func helperError(said []byte, err error) error {
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return err
	case len(bytes.TrimSpace(said)) == 0:
		return fmt.Errorf("fusermount3: %w", err)
	}
	text := oneLine(said)
	if !strings.Contains(text, "fusermount") {
		text = "fusermount3: " + text
	}
	if status, err := os.ReadFile("/proc/self/status"); err == nil && bytes.Contains(status, []byte("\nNoNewPrivs:\t1\n")) {
		text += " (it can't become root here: this process was started with no_new_privs)"
	}
	return errors.New(text)
}

// fusermount is the helper that may mount and unmount for users.
func fusermount(ctx context.Context, args ...string) *exec.Cmd {
	name := "fusermount3"
	if _, err := exec.LookPath(name); err != nil {
		name = "fusermount"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// oneLine makes one printable line of what a program said.
func oneLine(said []byte) string {
	lines := strings.FieldsFunc(string(said), func(r rune) bool { return r == '\n' })
	return printable(strings.Join(lines, "; "))
}
