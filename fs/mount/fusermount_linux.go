package mount

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// helperTime limits how long fusermount3 may take: it walks paths that others may serve.
const helperTime = 30 * time.Second

// mountByHelper mounts with fusermount3.
func mountByHelper(point string, options []string) (fd int, err error) {
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

// unmountByHelper unmounts with fusermount3.
func unmountByHelper(point string, lazy bool) error {
	option := "-u"
	if lazy {
		option = "-uz"
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperTime)
	defer cancel()
	said, err := fusermount(ctx, option, "--", point).CombinedOutput()
	for range 3 { // tries: a thread of ours is in its place
		if !errors.Is(err, unix.EAGAIN) {
			break
		}
		endThread()
		said, err = fusermount(ctx, option, "--", point).CombinedOutput()
	}
	switch {
	case err == nil:
		return nil
	case strings.Contains(string(said), "Device or resource busy"):
		return unix.EBUSY
	case len(said) > 0:
		return errors.New(oneLine(said))
	}
	return fmt.Errorf("%w, and fusermount3: %w", unix.EPERM, err)
}

// helperError says why fusermount3 failed to mount, in its own words if it wrote any, and what to do.
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
	status, _ := os.ReadFile("/proc/self/status") // without /proc its own words must do
	if trouble := helperTrouble(string(status)); trouble != nil {
		text += "; " + trouble.Error()
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

// printable replaces characters that a terminal might act upon.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// endThread ends an idle thread of this process, so that another program can have one where
// threads are few.
func endThread() {
	tid := make(chan int)
	go func() {
		runtime.LockOSThread() // a thread ends with the goroutine that keeps it
		id := unix.Gettid()
		if id == os.Getpid() { // but for the first one, which is kept meanwhile
			endThread()
			runtime.UnlockOSThread()
			id = 0
		}
		tid <- id
	}()
	for id := <-tid; id != 0 && unix.Tgkill(os.Getpid(), id, 0) == nil; {
		time.Sleep(time.Millisecond)
	}
}
