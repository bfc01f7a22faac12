package mount

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
)

// unmount unmounts: only if nobody uses the mount (otherwise EBUSY), or lazily. If it is not
// mounted any more it succeeds.
func (m *Mount) unmount(lazy bool) error {
	point, covered := m.Point, false
	if m.device != "" { // else there is no /proc
		point, covered = mountOf(m.device)
	}
	switch {
	case point == "", !m.lives(): // or what was found is another mount, with the same number
		return nil
	case covered:
		return errCovered
	case lazy:
		return Detach(point)
	}
	return unmountAt(point, 0)
}

// Detach unmounts lazily.
func Detach(point string) error { return unmountAt(point, unix.MNT_DETACH) }

// removeDead removes the mount of a process that was killed, unless another process has done so:
// then there may be a new mount.
func removeDead(point string) error {
	dir, err := unix.Open(point, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var st unix.Statfs_t
	if err := unix.Fstatfs(dir, &st); !errors.Is(err, unix.ENOTCONN) {
		return nil
	}
	switch err = unix.Unmount(fmt.Sprintf("/proc/self/fd/%d", dir), unix.MNT_DETACH); {
	case err == nil, errors.Is(err, unix.EINVAL): // it is no mount any more
		return nil
	}
	return Detach(point)
}

// unmountAt unmounts with the given flags of umount(2), as root or through the helper that
// may unmount for users.
func unmountAt(point string, flags int) error {
	err := unix.Unmount(point, flags|unix.UMOUNT_NOFOLLOW)
	if err == nil || !errors.Is(err, unix.EPERM) {
		return err
	}
	option := "-u"
	if flags&unix.MNT_DETACH != 0 {
		option = "-uz"
	}
	ctx, cancel := context.WithTimeout(context.Background(), helperTime)
	defer cancel()
	out, herr := fusermount(ctx, option, "--", point).CombinedOutput()
	for range 3 { // tries: a thread of ours is in its place
		if !errors.Is(herr, unix.EAGAIN) {
			break
		}
		endThread()
		out, herr = fusermount(ctx, option, "--", point).CombinedOutput()
	}
	switch {
	case herr == nil:
		return nil
	case strings.Contains(string(out), "Device or resource busy"):
		return unix.EBUSY
	case len(out) > 0:
		return errors.New(oneLine(out))
	}
	return fmt.Errorf("%w, and fusermount3: %w", err, herr)
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

// printable replaces characters that a terminal might act upon.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// watchTable notices when somebody else detaches the mount while it is in use (umount -l).
// After that nothing else shows that this process still serves it and holds its spool.
func (m *Mount) watchTable() {
	if m.device == "" {
		return // no /proc
	}
	table, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(table)
	var end [2]int
	if err := unix.Pipe2(end[:], unix.O_CLOEXEC); err != nil {
		return
	}
	defer unix.Close(end[0])
	go func() {
		m.Wait()
		unix.Close(end[1])
	}()
	for {
		point, _ := mountOf(m.device)
		if point == "" && !m.asked.Load() {
			if !m.hasEnded() {
				m.lost()
			}
			return
		}
		ready := []unix.PollFd{{Fd: int32(table), Events: unix.POLLPRI}, {Fd: int32(end[0])}}
		if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) || ready[1].Revents != 0 {
			return
		}
	}
}

// lives reports whether the kernel still has the connection. As long as it does, no other mount
// has the device's number.
func (m *Mount) lives() bool {
	poll := []unix.PollFd{{Fd: int32(m.connection)}}
	for {
		if _, err := unix.Poll(poll, 0); !errors.Is(err, unix.EINTR) {
			return poll[0].Revents&unix.POLLERR == 0
		}
	}
}

// abort ends the connection, so that nobody waits for it any longer. Where the FUSE control file
// system isn't mounted it does nothing, and the end of this process ends the connection.
func (m *Mount) abort() {
	if !m.lives() {
		return
	}
	_, minor, _ := strings.Cut(m.device, ":")
	_ = os.WriteFile(filepath.Join("/sys/fs/fuse/connections", minor, "abort"), []byte("1"), 0)
}

// users returns the processes that have something open or their working directory below a
// mount point, as far as this user may see. It reads links but never follows them, because
// that would send a request to this process.
func users(point string) []string {
	return processes(func(proc string) bool {
		links := []string{proc + "/cwd", proc + "/root", proc + "/exe"}
		if fds, err := os.ReadDir(proc + "/fd"); err == nil {
			for _, fd := range fds {
				links = append(links, proc+"/fd/"+fd.Name())
			}
		}
		for _, link := range links {
			if to, err := os.Readlink(link); err == nil && (to == point || strings.HasPrefix(to, point+"/")) {
				return true
			}
		}
		return false
	})
}

// copies returns the processes in other mount namespaces where the device is mounted: one for
// each namespace.
func copies(device string) []string {
	ours, _ := os.Readlink("/proc/self/ns/mnt")
	seen := map[string]bool{ours: true}
	return processes(func(proc string) bool {
		namespace, err := os.Readlink(proc + "/ns/mnt")
		if err != nil || seen[namespace] {
			return false
		}
		seen[namespace] = true
		found := false
		eachMount(proc+"/mountinfo", func(m mountLine) { found = found || m.device == device })
		return found
	})
}

// processes returns the names of the other processes for which is returns true.
func processes(is func(proc string) bool) []string {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var names []string
	for _, p := range all {
		pid, err := strconv.Atoi(p.Name())
		if err != nil || pid == os.Getpid() || !is("/proc/"+p.Name()) {
			continue
		}
		name, err := os.ReadFile("/proc/" + p.Name() + "/comm")
		if err == nil {
			names = append(names, fmt.Sprintf("%s, pid %d", printable(strings.TrimSpace(string(name))), pid))
		}
	}
	return names
}

// mountedOn reports whether something is mounted on path, and whether it is an assetfs. A
// trigger for mounting on demand (autofs) doesn't count.
func mountedOn(path string) (ours, mounted bool) {
	eachMount("/proc/self/mountinfo", func(m mountLine) {
		if m.point == path {
			mounted = m.fstype != "autofs"
			ours = m.fstype == "fuse.assetfs"
		}
	})
	return ours, mounted
}

// deviceOf returns the device number of the file system mounted on a path, as mountinfo
// writes it; "" if unknown.
func deviceOf(point string) string {
	device := ""
	eachMount("/proc/self/mountinfo", func(m mountLine) {
		if m.point == point {
			device = m.device
		}
	})
	return device
}

// mountOf returns where a device is mounted, and whether another mount hides it.
func mountOf(device string) (point string, covered bool) {
	top := map[string]string{}
	eachMount("/proc/self/mountinfo", func(m mountLine) {
		top[m.point] = m.device
		if m.device == device && m.root == "/" && point == "" {
			point = m.point
		}
	})
	return point, top[point] != device
}

// mountLine is one line of mountinfo (proc_pid_mountinfo(5)).
type mountLine struct {
	device string // major:minor
	root   string // of the mount in its file system
	point  string
	fstype string
	source string
}

// eachMount calls f for each mount in a mountinfo file, in their order.
func eachMount(name string, f func(mountLine)) {
	file, err := os.Open(name)
	if err != nil {
		return
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		front, back, _ := strings.Cut(lines.Text(), " - ")
		a, b := strings.Fields(front), strings.Fields(back)
		if len(a) > 4 && len(b) > 1 {
			f(mountLine{a[2], unescape(a[3]), unescape(a[4]), b[0], unescape(b[1])})
		}
	}
}

// unescape undoes mountinfo's octal escapes for blanks and backslashes.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// UnmountHint is the command that unmounts path.
func UnmountHint(path string) string { return "fusermount3 -u " + Quoted(path) }
