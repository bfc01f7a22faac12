// Package limits makes the process live within the memory and threads that its container and
// user may have. Otherwise the kernel would kill it, or the Go runtime would end it, and leave a
// dead mount. It is a leaf.
package limits

import (
	iofs "io/fs"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// none means no limit, as does anything above: version 1 of cgroups writes the largest number of
// pages.
const none = 1 << 60

// controller is a cgroup controller, with the files that hold its limit.
type controller struct{ name, v1, v2 string }

var (
	memory = controller{"memory", "memory.limit_in_bytes", "memory.max"}
	pids   = controller{"pids", "pids.max", "pids.max"}
)

// SetMemory sets the runtime's memory limit to half of the cgroup's limit. The other half is for
// the kernel and for the page cache, through which the spool is written. If GOMEMLIMIT is set, it
// applies instead.
func SetMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if limit := memory.allowed(os.DirFS("/")); limit < none {
		debug.SetMemoryLimit(limit / 2)
	}
}

// allowed returns the smallest limit of the cgroups that contain this process, or none.
func (c controller) allowed(root iofs.FS) int64 {
	limit := int64(none)
	for _, h := range c.hierarchies(root) {
		for dir := h.group; ; dir = path.Dir(dir) {
			limit = min(limit, read(root, path.Join(h.point, dir, h.file)))
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	return limit
}

// hierarchy is a mounted tree of cgroups with a controller's limits.
type hierarchy struct {
	point string // where it is mounted
	group string // ours, below point
	file  string // with the limit
}

// hierarchies reads /proc/self/cgroup (cgroups(7)) and finds the mounts.
func (c controller) hierarchies(root iofs.FS) []hierarchy {
	var found []hierarchy
	for _, line := range lines(root, "proc/self/cgroup") {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) < 3 {
			continue
		}
		fstype, option, file := "cgroup", c.name, c.v1
		switch {
		case parts[1] == "" && parts[0] == "0": // version 2
			fstype, option, file = "cgroup2", "", c.v2
		case !has(parts[1], c.name):
			continue
		}
		for _, mount := range lines(root, "proc/self/mountinfo") {
			front, back, _ := strings.Cut(mount, " - ")
			a, b := strings.Fields(front), strings.Fields(back)
			if len(a) < 5 || len(b) < 3 || b[0] != fstype || option != "" && !has(b[2], option) {
				continue
			}
			group, below := strings.CutPrefix(parts[2], strings.TrimSuffix(a[3], "/"))
			if !below {
				group = "/" // a container sees its own group as the root
			}
			found = append(found, hierarchy{strings.TrimPrefix(a[4], "/"), path.Join("/", group), file})
		}
	}
	return found
}

// has reports whether a comma-separated list contains word.
func has(list, word string) bool { return strings.Contains(","+list+",", ","+word+",") }

func lines(root iofs.FS, name string) []string {
	text, err := iofs.ReadFile(root, name)
	if err != nil {
		return nil
	}
	return strings.Split(string(text), "\n")
}

// read returns the limit in a file, or none if it is "max" or the file does not exist.
func read(root iofs.FS, name string) int64 {
	text, err := iofs.ReadFile(root, name)
	if err != nil {
		return none
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n <= 0 {
		return none
	}
	return n
}
