package fs

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// mountedOn reports whether something is mounted on path, and whether that is
// an assetfs. What lies there to be mounted on demand doesn't count.
func mountedOn(path string) (ours, mounted bool) {
	eachMount("/proc/self/mountinfo", func(m mountLine) {
		if m.point == path {
			mounted = m.fstype != "autofs"
			ours = m.fstype == "fuse.assetfs"
		}
	})
	return ours, mounted
}

// deviceOf is the number of the file system mounted on a path, as mountinfo
// writes it; "" if that can't be found out.
func deviceOf(point string) string {
	device := ""
	eachMount("/proc/self/mountinfo", func(m mountLine) {
		if m.point == point {
			device = m.device
		}
	})
	return device
}

// mountOf finds the mount of a device, and whether another one hides it.
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

// eachMount calls f for the mounts of a mountinfo file, in their order.
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

// unescape undoes the octal escapes of mountinfo for blanks and backslashes.
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

func unmountHint(path string) string { return "fusermount3 -u " + shellQuoted(path) }
