package limits

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestAllowed(t *testing.T) {
	const (
		v1 = "30 20 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
		v2 = "31 20 0:27 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n"
	)
	for _, tt := range []struct {
		name           string
		cgroup, mounts string
		files          map[string]string
		want           int64
	}{
		{"no cgroups", "", "", nil, none},
		{"version 1", "5:cpu:/\n4:memory:/a/b\n", v1, map[string]string{"memory/a/b/memory.limit_in_bytes": "67108864\n"}, 64 << 20},
		{"version 1, its parent's", "4:memory:/a/b\n", v1, map[string]string{
			"memory/a/b/memory.limit_in_bytes": "9223372036854771712\n", "memory/a/memory.limit_in_bytes": "1048576\n",
		}, 1 << 20},
		{"version 1, unlimited", "4:memory:/\n", v1, map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, none},
		{
			"a container's", "4:memory:/docker/1\n", "30 20 0:26 /docker/1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			map[string]string{"memory/memory.limit_in_bytes": "2097152\n"},
			2 << 20,
		},
		{
			"a container's, of which it sees nothing above", "4:memory:/docker/1\n", "30 20 0:26 /other /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			map[string]string{"memory/memory.limit_in_bytes": "2097152\n"},
			2 << 20,
		},
		{"version 2", "0::/user.slice/a.service\n", v2, map[string]string{
			"user.slice/a.service/memory.max": "max\n", "user.slice/memory.max": "4194304\n",
		}, 4 << 20},
		{"both", "4:memory:/\n0::/\n", v1 + v2, map[string]string{"memory/memory.limit_in_bytes": "8\n", "memory.max": "9\n"}, 8},
		{"behind a mount of many layers", "0::/\n", "29 1 0:25 / / rw - overlay overlay rw,lowerdir=" + strings.Repeat("/layer:", 10_000) + "\n" + v2, map[string]string{"memory.max": "7\n"}, 7},
		{"nonsense", "4:memory\n0::/\n::\n", "a b c\n" + v2, map[string]string{"memory.max": "-1\n"}, none},
	} {
		root := fstest.MapFS{
			"proc/self/cgroup":    {Data: []byte(tt.cgroup)},
			"proc/self/mountinfo": {Data: []byte(tt.mounts)},
		}
		for name, text := range tt.files {
			root["sys/fs/cgroup/"+name] = &fstest.MapFile{Data: []byte(text)}
		}
		if got := memory.allowed(root); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}

func TestAllowedThreads(t *testing.T) {
	root := fstest.MapFS{
		"proc/self/cgroup":              {Data: []byte("5:cpu:/\n4:pids:/a\n3:memory:/b\n")},
		"proc/self/mountinfo":           {Data: []byte("30 20 0:26 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n")},
		"sys/fs/cgroup/pids/a/pids.max": {Data: []byte("20\n")},
	}
	if got := pids.allowed(root); got != 20 {
		t.Errorf("%d, want 20", got)
	}
	root["sys/fs/cgroup/pids/a/pids.max"].Data = []byte("max\n")
	if got := pids.allowed(root); got != none {
		t.Errorf("%d, want none", got)
	}
}
