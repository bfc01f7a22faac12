package integration_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

const (
	// stressProcesses and stressThreads suffice to have every way of reading running when an asset becomes whole.
	stressProcesses = 4
	stressThreads   = 4
	// stressWorkerEnv holds the stressJob of a worker process, which runs the test's own binary.
	stressWorkerEnv = "ASSETFS_STRESS_WORKER"
)

// stressJob is the job of one worker process. The asset's bytes are those of fakeapi.Content for one of the Versions.
type stressJob struct {
	Path     string // the asset in the mount
	Dir      string // for copies
	ID       string
	Size     int64
	Versions int
	Seed     uint64
}

// stressCount counts how often each way of reading was used on handles opened before, and after, the asset was whole, and how often a
// later content than the first was read.
type stressCount struct {
	Partial, Whole map[string]int
	Later          int
}

func (c *stressCount) add(o stressCount) {
	for op, n := range o.Partial {
		c.Partial[op] += n
	}
	for op, n := range o.Whole {
		c.Whole[op] += n
	}
	c.Later += o.Later
}

// report logs what was done, and fails the test if a way of reading was not tried.
func (c *stressCount) report(t *testing.T) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(stressWays)) {
		if c.Partial[name] == 0 || c.Whole[name] == 0 {
			t.Errorf("%s was done %d times before and %d times after the asset was whole, want some of both", name, c.Partial[name], c.Whole[name])
		}
		t.Logf("%-16s %7d times on handles from before, %7d from after", name, c.Partial[name], c.Whole[name])
	}
}

// TestStressSwitch reads one asset after another in every way that Linux has, from several processes, while the asset becomes whole.
// Every byte must be right, and no call may fail. If opening modes were mixed, pages in the kernel's cache would be wrong.
// ASSETFS_STRESS is the duration (20s; 5s with -short).
func TestStressSwitch(t *testing.T) {
	if job := os.Getenv(stressWorkerEnv); job != "" {
		stressWork(t, job)
		return
	}
	span := spanOf(t, "ASSETFS_STRESS", 20*time.Second, 5*time.Second)
	r := newRig(t)
	// A round takes about a second: short enough for many rounds, long enough for many reads before the asset is whole.
	r.fake.Configure(func(c *fakeapi.Config) { c.Rate = 16 << 20 })
	r.mount(t, span+2*time.Minute)
	total := stressCount{Partial: map[string]int{}, Whole: map[string]int{}}
	rounds := 0
	for start := time.Now(); rounds == 0 || time.Since(start) < span; rounds++ {
		// A multiple of neither a page nor a block.
		asset := fakeapi.Asset{ID: fmt.Sprintf("re_%d", rounds), Name: "a.bin", Size: 16<<20 + int64(rounds)*4093 + 1}
		r.fake.Put(asset)
		for _, c := range r.round(t, asset, 1, uint64(rounds)) {
			total.add(c)
		}
		if t.Failed() {
			t.Fatalf("round %d; assetfs says:\n%s", rounds, r.daemon.log)
		}
		r.fake.Delete(asset.ID)
	}
	total.report(t)
	t.Logf("%d switches, %d requests, %d bytes billed", rounds, len(r.fake.Requests()), r.fake.Billed())
}

// round runs the processes on one asset and returns their counts.
func (r *rig) round(t *testing.T, asset fakeapi.Asset, versions int, seed uint64) []stressCount {
	t.Helper()
	counts := make([]stressCount, stressProcesses)
	var wg sync.WaitGroup
	for i := range stressProcesses {
		job := stressJob{
			Path: filepath.Join(r.daemon.mnt, asset.ID), Dir: t.TempDir(), ID: asset.ID, Size: asset.Size, Versions: versions, Seed: seed*stressProcesses + uint64(i),
		}
		text, err := json.Marshal(job)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStressSwitch$", "-test.count=1")
			cmd.Env = append(os.Environ(), stressWorkerEnv+"="+string(text))
			cmd.WaitDelay = time.Second
			out, err := cmd.CombinedOutput()
			line, _, _ := strings.Cut(string(out), "\n")
			if err == nil {
				err = json.Unmarshal([]byte(line), &counts[i])
			}
			if err != nil {
				t.Errorf("a process: %v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	return counts
}

// stressWork is the main function of a worker process. It prints a stressCount, and fails the test at the first mistake.
func stressWork(t *testing.T, text string) {
	var job stressJob
	if err := json.Unmarshal([]byte(text), &job); err != nil {
		t.Fatal(err)
	}
	counts := make([]stressCount, stressThreads)
	var wg sync.WaitGroup
	for i := range stressThreads {
		wg.Go(func() {
			w := newStressWorker(&job, uint64(i))
			if err := w.run(); err != nil {
				t.Error(err)
			}
			counts[i] = w.count
		})
	}
	wg.Wait()
	sum := stressCount{Partial: map[string]int{}, Whole: map[string]int{}}
	for _, c := range counts {
		sum.add(c)
	}
	line, err := json.Marshal(sum)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(string(line))
}

// spanOf returns the duration of a test: the value of the environment variable, else usual, or short with -short.
func spanOf(t *testing.T, variable string, usual, short time.Duration) time.Duration {
	t.Helper()
	if text := os.Getenv(variable); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return d
	}
	if testing.Short() {
		return short
	}
	return usual
}
