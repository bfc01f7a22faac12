package integration_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

const (
	modelAssets    = 20
	modelProcesses = 3
	modelVersions  = 3
	// modelWorkerEnv holds the modelJob of a worker process, which runs the test's own binary.
	modelWorkerEnv = "ASSETFS_MODEL_WORKER"
)

// modelFlags make failures short, so that many fit into a run, and the spool smaller than all assets.
var modelFlags = []string{"--retry-for=2s", "--stall-timeout=1s", "--list-wait=1s", "--spool-size=24MiB"}

// TestModelRun reads random bytes of random assets in every way that Linux has, from several processes, and compares them with files
// of the same content. Meanwhile the server misbehaves in every way, readers are killed, and assetfs is stopped, killed and
// restarted. Nothing may differ, hang or be left over. ASSETFS_MODEL is the duration (10s; 5s with -short), ASSETFS_MODEL_SEED the seed.
func TestModelRun(t *testing.T) {
	if job := os.Getenv(modelWorkerEnv); job != "" {
		modelWork(t, job)
		return
	}
	t.Parallel()
	m := newModelRun(t, modelAssets, modelProcesses, modelJob{Faults: true, Restarts: true, Patience: modelHang, Least: modelLeast})
	m.run(t, spanOf(t, "ASSETFS_MODEL", 10*time.Second, 5*time.Second), nil)
	m.finish(t)
}

// modelRun is a mount, the reference files, and the processes that compare them.
type modelRun struct {
	*rig
	job       modelJob
	processes int
	random    *rand.Rand
	limit     time.Duration
	flags     []string // beside modelFlags

	command sync.WaitGroup // the running command
	busy    atomic.Bool    // there is one

	mu    sync.Mutex // guards the fields below
	count modelCount
	kills int
}

func newModelRun(t *testing.T, assets, processes int, job modelJob) *modelRun {
	t.Helper()
	m := &modelRun{rig: newRig(t), job: job, processes: processes, count: modelCount{map[string]int{}, map[string]int{}}}
	m.job.Ref, m.job.Dir = t.TempDir(), t.TempDir()
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("ASSETFS_MODEL_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &seed); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("ASSETFS_MODEL_SEED=%d", seed) // determines what is done, but not when
	m.random = rand.New(rand.NewPCG(seed, 1))
	m.mode(t, seed)
	for i := range assets {
		id := fmt.Sprintf("re_%d", i)
		a := modelAsset{ID: id, Size: m.random.Int64N(4 << 20), Versions: 1}
		fake := fakeapi.Asset{ID: id, Name: fmt.Sprintf("a-%d.bin", i/2), Size: a.Size} // each name twice
		a.Names = []string{fake.Name, fmt.Sprintf("a-%d (%s).bin", i/2, id)}
		switch {
		case i == 0:
			a.Size, fake.Size = 0, 0
		case i%2 == 0: // with an ETag, the content may change
			fake.ETag, a.Versions = "auto", modelVersions
		case i%3 == 0:
			fake.ModTime = time.Unix(1e9, 0)
		}
		for v := range a.Versions {
			f, err := os.Create(modelReference(m.job.Ref, id, v))
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(f, io.NewSectionReader(fakeapi.Content(id, v), 0, a.Size))
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		m.job.Assets = append(m.job.Assets, a)
		m.fake.Put(fake)
	}
	return m
}

// mode picks how whole assets are read: by passthrough, through the page cache, or with one inode for each content.
func (m *modelRun) mode(t *testing.T, seed uint64) {
	t.Helper()
	switch seed % 3 {
	case 1:
		m.flags = []string{"--stable-inodes"}
	case 2:
		if os.Geteuid() == 0 {
			dir := t.TempDir()
			stacked(t, dir) // on such a file system the kernel refuses passthrough
			m.spool = filepath.Join(dir, "s")
		}
	}
}

// start mounts, for the first time or again.
func (m *modelRun) start(t *testing.T) {
	t.Helper()
	args := append([]string{}, modelFlags...)
	args = append(args, m.flags...)
	for _, a := range m.job.Assets {
		args = append(args, a.ID)
	}
	m.mount(t, m.limit, args...)
}

// run lets processes read for span, while events happen. It calls also regularly.
func (m *modelRun) run(t *testing.T, span time.Duration, also func()) {
	t.Helper()
	m.limit = span + 5*time.Minute + 2*m.job.Patience
	m.start(t)
	m.job.Mnt = m.mnt() // it stays the same; processes read m.job from now on
	stop := make(chan struct{})
	kill := make(chan struct{})
	var wg sync.WaitGroup
	for i := range m.processes {
		wg.Go(func() { m.keepReading(t, uint64(i), kill, stop) })
	}
	happen := time.NewTicker(50 * time.Millisecond)
	defer happen.Stop()
	for end := time.Now().Add(span); time.Now().Before(end) && !t.Failed(); {
		<-happen.C
		if also != nil {
			also()
		}
		if m.random.IntN(3) == 0 {
			m.event(t, kill)
		}
	}
	if m.serve == nil {
		m.restart(t)
	}
	m.recover(t)
	close(stop)
	wg.Wait()
	m.command.Wait()
}

// keepReading runs one process after another until stop is closed. An element of kill kills the current one.
func (m *modelRun) keepReading(t *testing.T, number uint64, kill, stop <-chan struct{}) {
	for seed := number; !t.Failed(); seed += uint64(m.processes) {
		select {
		case <-stop:
			return
		default:
		}
		job := m.job
		job.Seed = seed
		text, err := json.Marshal(job)
		if err != nil {
			t.Error(err)
			return
		}
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestModelRun$", "-test.count=1")
		cmd.Env = append(os.Environ(), modelWorkerEnv+"="+string(text))
		cmd.WaitDelay = time.Second
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Error(err)
			return
		}
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Error(err)
			return
		}
		ended := make(chan struct{})
		go func() {
			err = cmd.Wait()
			close(ended)
		}()
		killed := false
		select {
		case <-kill:
			killed = true
			cmd.Process.Kill() //nolint:errcheck // it may have ended already
		case <-stop:
			stdin.Close()
		case <-ended:
		}
		select {
		case <-ended:
		case <-time.After(2 * m.job.Patience):
			m.mu.Lock()
			defer m.mu.Unlock()
			if d := m.daemon; d != nil {
				m.unmount("QUIT") //nolint:errcheck // to see its goroutines
				t.Errorf("process %d does not end:\n%s", cmd.Process.Pid, d.log)
			}
			return
		}
		m.mu.Lock()
		if killed {
			m.kills++
		} else {
			var c modelCount
			line, _, _ := strings.Cut(out.String(), "\n")
			if err == nil {
				err = json.Unmarshal([]byte(line), &c)
			}
			if err != nil {
				t.Errorf("a process: %v\n%s", err, out.String())
			}
			m.count.add(c)
		}
		m.mu.Unlock()
	}
}

// recover ends all faults and limits of the API.
func (m *modelRun) recover(t *testing.T) {
	t.Helper()
	m.fake.Configure(func(c *fakeapi.Config) {
		c.Faults, c.NoRange, c.Downloads, c.Metadata = nil, false, fakeapi.Limit{}, fakeapi.Limit{}
	})
	for _, a := range m.job.Assets {
		m.fake.Update(a.ID, func(f *fakeapi.Asset) { f.Faults = nil })
	}
}

// finish looks at what is left: all assets read right, also from the spool alone, and nothing still runs.
func (m *modelRun) finish(t *testing.T) {
	t.Helper()
	if t.Failed() {
		return
	}
	for _, a := range m.job.Assets {
		// Who is pinned takes room from the others.
		m.give(t, "unpin", a)
	}
	means, err := newStressMeans(m.job.Dir)
	if err != nil {
		t.Fatal(err)
	}
	w := &modelWorker{job: &m.job, random: m.random, names: map[string]string{}, stressMeans: means}
	poll(t, m.job.Patience, "all assets read right", func() error {
		m.signalDaemon(t)
		for i := range m.job.Assets {
			if err := w.sweep(&m.job.Assets[i]); err != nil {
				return err
			}
		}
		return w.list()
	})
	// In a short run, chance may have left a way out. The asset is whole: a page fault of this process must not wait for the API,
	// which is in it and may have no other processor.
	whole := &m.job.Assets[1]
	h, err := w.openFile(whole)
	if err := errors.Join(err, w.sweep(whole)); err != nil {
		t.Fatal(err)
	}
	for name := range stressWays {
		if err := w.read(h, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.close()
	if err := w.release(); err != nil {
		t.Error(err)
	}
	t.Logf("done: %v", m.count.Done)
	t.Logf("errors: %v; %d processes killed; %d bytes billed since the log was reset", m.count.Failed, m.kills, m.fake.Billed())
	m.checkIdle(t)
}

// poll calls try until it returns no error, for at most limit.
func poll(t *testing.T, limit time.Duration, what string, try func() error) {
	t.Helper()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	over := time.After(limit)
	for err := try(); err != nil; err = try() {
		select {
		case <-again.C:
		case <-over:
			t.Fatalf("%s: still not after %v: %v", what, limit, err)
		}
	}
}
