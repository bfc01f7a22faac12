package mount

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

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
