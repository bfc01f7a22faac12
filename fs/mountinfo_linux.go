package fs

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// mountedOn reports whether something is mounted on path, and whether that is
// an assetfs, from the last line for it in /proc/self/mountinfo (proc(5)).
func mountedOn(path string) (ours, mounted bool) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		front, back, _ := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(front)
		if len(fields) > 4 && unescape(fields[4]) == path {
			mounted = true
			ours = strings.HasPrefix(back, "fuse.assetfs ")
		}
	}
	return ours, mounted
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
