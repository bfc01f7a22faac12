package mount

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

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
	for at := m.Point; ; {
		point, _ := mountOf(m.device)
		if point == "" && !m.asked.Load() {
			if !m.hasEnded() {
				m.lost()
			}
			return
		}
		if point != at && point != "" { // it was moved, or a bind mount is left
			at = point
			m.o.Holds(fmt.Sprintf("pid %d, mounted at %s", os.Getpid(), point))
		}
		ready := []unix.PollFd{{Fd: int32(table), Events: unix.POLLPRI}, {Fd: int32(end[0])}}
		if _, err := unix.Poll(ready, -1); err != nil && !errors.Is(err, unix.EINTR) || ready[1].Revents != 0 {
			return
		}
	}
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
	text, err := os.ReadFile(name)
	if err != nil {
		return
	}
	for line := range strings.Lines(string(text)) {
		front, back, _ := strings.Cut(line, " - ")
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
