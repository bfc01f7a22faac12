package integration_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

const (
	soakSamples = 24
	// soakMemory is more than assetfs needs, in KiB: what the Go runtime keeps for a while, and 1 MiB for each of a dozen kernel
	// requests.
	soakMemory = 256 << 10
	// soakDescriptors is more than an idle mount has open besides the spool's files: FUSE, epoll, standard streams, lock, index.
	soakDescriptors = 24
	// soakGoroutines is more than an idle mount has: go-fuse's readers, spool, watches.
	soakGoroutines = 64
)

// figures are the resources of a process.
type figures struct {
	rss, anonymous, descriptors, threads int64
	inodes                               int64 // of FUSE in the kernel, for all mounts; only root sees it
}

// TestSoak does the same as TestModelRun with a single process of assetfs, which must not grow. ASSETFS_SOAK is the duration (10s). A
// long one has 200 assets, 16 readers, and the documented limits.
func TestSoak(t *testing.T) {
	if testing.Short() && os.Getenv("ASSETFS_SOAK") == "" {
		t.Skip("TestModelRun looks at the end, too")
	}
	t.Parallel()
	span := spanOf(t, "ASSETFS_SOAK", 10*time.Second, 0)
	// A long run reads more slowly, so that the machine can be used for other work.
	assets, processes := modelAssets, modelProcesses
	job := modelJob{Faults: true, Pause: min(span/60_000, 30*time.Millisecond), Patience: modelHang, Least: modelLeast}
	long := span >= time.Minute
	if long {
		assets, processes, job.Patience, job.Least = 200, 16/modelThreads, 15*time.Minute, 1
	}
	m := newModelRun(t, assets, processes, job)
	if long {
		m.flags = append(m.flags, "--rate-limit=auto")
		m.fake.Configure(func(c *fakeapi.Config) {
			c.Downloads, c.Metadata = fakeapi.Limit{Rates: "1/s"}, fakeapi.Limit{Rates: "1/s"}
		})
	}
	var samples []figures
	next := time.Now()
	t.Logf("%8s %9s %9s %6s %8s %12s", "", "RSS KiB", "anonymous", "files", "threads", "FUSE inodes")
	began := time.Now()
	m.run(t, span, func() {
		if now := time.Now(); now.After(next) {
			next = now.Add(span / soakSamples)
			f := m.figures(t)
			samples = append(samples, f)
			t.Logf("%8v %9d %9d %6d %8d %12d", now.Sub(began).Round(time.Second), f.rss, f.anonymous, f.descriptors, f.threads, f.inodes)
		}
	})
	m.job.Assets = m.job.Assets[:modelAssets] // each takes a second at least; only these can be pinned
	m.finish(t)
	if len(samples) < soakSamples || !long {
		return
	}
	// The last quarter must not need much more than the second one.
	quarter := len(samples) / 4
	most := func(s []figures, of func(figures) int64) int64 {
		return of(slices.MaxFunc(s, func(a, b figures) int { return int(of(a) - of(b)) }))
	}
	for name, of := range map[string]func(figures) int64{
		"anonymous memory": func(f figures) int64 { return f.anonymous }, "descriptors": func(f figures) int64 { return f.descriptors },
		"threads": func(f figures) int64 { return f.threads },
	} {
		early, late := most(samples[quarter:2*quarter], of), most(samples[3*quarter:], of)
		if late > early+early/2 {
			t.Errorf("%s grow: %d early, %d late", name, early, late)
		}
	}
}

// figures reads the resources of assetfs from /proc.
func (m *modelRun) figures(t *testing.T) figures {
	t.Helper()
	proc := fmt.Sprintf("/proc/%d/", m.daemon.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(proc + "fd")
	if err != nil {
		t.Fatal(err)
	}
	slab, _ := os.ReadFile("/proc/slabinfo") // only for root
	f := figures{descriptors: int64(len(files))}
	for pattern, to := range map[string]*int64{`VmRSS:\s+(\d+)`: &f.rss, `RssAnon:\s+(\d+)`: &f.anonymous, `Threads:\s+(\d+)`: &f.threads} {
		if _, err := fmt.Sscan(first(pattern, status), to); err != nil {
			t.Fatalf("%s: %v", pattern, err)
		}
	}
	fmt.Sscan(first(`fuse_inode\s+(\d+)`, slab), &f.inodes) //nolint:errcheck // only for root
	return f
}

// first returns the text that the group in a pattern matches first.
func first(pattern string, text []byte) string {
	if m := regexp.MustCompile("(?m)^" + pattern).FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

// checkIdle checks the resources of assetfs after all readers have ended, and ends it.
func (m *modelRun) checkIdle(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	if err := m.fake.WaitIdle(ctx); err != nil {
		t.Error(err)
	}
	var f figures
	poll(t, readyLimit, "an idle assetfs", func() error {
		if f = m.figures(t); f.descriptors > int64(soakDescriptors+len(m.job.Assets)) {
			return fmt.Errorf("%d descriptors are open", f.descriptors)
		}
		return nil
	})
	t.Logf("idle: %+v", f)
	if f.anonymous > soakMemory && !raceEnabled {
		t.Errorf("%d KiB of memory", f.anonymous)
	}
	spooled, err := filepath.Glob(filepath.Join(m.spool, "*"))
	if err != nil || len(spooled) != 1 {
		t.Errorf("%q in the spool, %v", spooled, err)
	}
	// With GOTRACEBACK=all, SIGQUIT shows all goroutines.
	d := m.daemon
	if err := m.unmount("QUIT"); err == nil {
		t.Error("assetfs survived SIGQUIT")
	}
	if err := detach(m.mnt()); err != nil {
		t.Error(err)
	}
	said := d.log.String()
	_, stacks, _ := strings.Cut(said, "SIGQUIT: quit")
	if n := strings.Count(stacks, "\ngoroutine "); n == 0 || n > soakGoroutines {
		t.Errorf("%d goroutines when idle:\n%s", n, stacks)
	} else {
		t.Logf("%d goroutines when idle", n)
	}
	if strings.Contains(said, "DATA RACE") || strings.Contains(said, "panic:") || strings.Contains(said, apiKey) {
		t.Errorf("assetfs said:\n%s", said)
	}
}
