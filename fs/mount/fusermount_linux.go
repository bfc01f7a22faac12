package mount

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// helperTime limits how long fusermount3 may take: it walks paths that others may serve.
const helperTime = 30 * time.Second

// Make mounts for reading, by mount(2) or, for ordinary users, with fusermount3. It returns the
// connection's descriptor. The mount table shows source as mounted; options are FUSE's own.
func (m *Mount) Make(source string, options []string) (fd int, err error) {
	if fd, err = direct(m.Point, source, options); errors.Is(err, os.ErrPermission) {
		fd, err = byHelper(m.Point, append([]string{"fsname=" + source, "subtype=assetfs", "ro", "nosuid", "nodev"}, options...))
	}
	if err != nil {
		return -1, err
	}
	m.device = deviceOf(m.Point)
	if m.connection, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return -1, errors.Join(os.NewSyscallError("dup", err), Detach(m.Point), unix.Close(fd))
	}
	return fd, nil
}

// direct mounts by mount(2).
func direct(point, source string, options []string) (fd int, err error) {
	if fd, err = unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("open", err)
	}
	data := append([]string{fmt.Sprintf("fd=%d,rootmode=%o,user_id=%d,group_id=%d", fd, unix.S_IFDIR, os.Geteuid(), os.Getegid())}, options...)
	err = unix.Mount(source, point, "fuse.assetfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, strings.Join(data, ","))
	if err != nil {
		unix.Close(fd)
		return -1, os.NewSyscallError("mount", err)
	}
	return fd, nil
}

// byHelper mounts with fusermount3.
func byHelper(point string, options []string) (fd int, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socketpair", err)
	}
	ours, theirs := pair[0], os.NewFile(uintptr(pair[1]), "fusermount3")
	defer unix.Close(ours)

	escape := strings.NewReplacer(`\`, `\\`, `,`, `\,`)
	var escaped []string
	for _, option := range options {
		escaped = append(escaped, escape.Replace(option))
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperTime)
	defer cancel()
	cmd := fusermount(ctx, "-o", strings.Join(escaped, ","), "--", point)
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

// helperError says why fusermount3 failed, in its own words if it wrote any.
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

// fusermount returns the command of the helper that may mount and unmount for users.
func fusermount(ctx context.Context, args ...string) *exec.Cmd {
	name := "fusermount3"
	if _, err := exec.LookPath(name); err != nil {
		name = "fusermount"
	}
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	return cmd
}

// oneLine makes one printable line from a program's output.
func oneLine(said []byte) string {
	lines := strings.FieldsFunc(string(said), func(r rune) bool { return r == '\n' })
	return printable(strings.Join(lines, "; "))
}
