package asset

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Environment of a child process: what it is to do, where, and with which
// random numbers.
const (
	childEnv = "SPOOL_TEST_CHILD"
	rootEnv  = "SPOOL_TEST_ROOT"
	seedEnv  = "SPOOL_TEST_SEED"
)

func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "work":
		childWorks()
	}
}

// child starts this binary again.
func child(t *testing.T, what, root string, seed uint64) (*exec.Cmd, *bufio.Reader, io.WriteCloser) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, exe)
	cmd.Env = append(os.Environ(), childEnv+"="+what, rootEnv+"="+root, seedEnv+"="+strconv.FormatUint(seed, 10))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, bufio.NewReader(out), in
}

func die(err error) {
	if err != nil {
		os.Stderr.WriteString("child: " + err.Error() + "\n")
		os.Exit(3)
	}
}

// childWorks does random work in a spool, and writes a byte for each step, until
// it is killed: by its parent, or by itself at a random fault point.
func childWorks() {
	seed, err := strconv.ParseUint(os.Getenv(seedEnv), 10, 64)
	die(err)
	rnd := rand.New(rand.NewPCG(seed, 9))
	var left atomic.Int64
	left.Store(1 << 40)
	if seed%2 == 0 {
		left.Store(20 + rnd.Int64N(2500))
	}
	d, err := openKeep(os.Getenv(rootEnv), keep{Size: 1 << 20, Fault: func(string, string) error {
		if left.Add(-1) == 0 {
			syscall.Kill(os.Getpid(), syscall.SIGKILL) //nolint:errcheck // it works
		}
		return nil
	}})
	die(err)
	var wg sync.WaitGroup
	for _, ids := range [][]string{{"re_1", "re_2"}, {"re_3", "re_4", "re_5"}} {
		rnd := rand.New(rand.NewPCG(rnd.Uint64(), 9))
		wg.Go(func() {
			for {
				childStep(d, d.Asset(ids[rnd.IntN(len(ids))]), rnd)
				os.Stdout.Write([]byte{'.'})
			}
		})
	}
	wg.Wait()
}

// childStep streams a piece of f with a reader behind it.
func childStep(d *Store, f *Asset, rnd *rand.Rand) {
	f.acquire()
	defer f.release()
	pos := rnd.Int64N(1 << 20)
	for range rnd.IntN(20) {
		r := f.gap(span(pos, pos+32*kib+rnd.Int64N(100)))
		if r.Empty() {
			pos = r.End
			continue
		}
		err := f.write(content(f.id, f.Version(), r), r.Start)
		if errors.Is(err, ErrNoSpace) {
			return
		}
		die(err)
		pos = r.End
		f.setSpan(span(max(0, pos-64*kib), maxSize))
	}
	switch rnd.IntN(12) {
	case 0:
		die(resetNow(f))
	case 1:
		die(d.flush())
	case 2:
		die(d.sync(time.Now()))
	case 3:
		die(d.journal.Compact(d.snapshot))
	case 4:
		f.changeNow(func(m *facts) { m.name, m.info.Size = "a "+f.id, 1<<20 })
	}
}

// TestKill kills a process that works on a spool, 200 times at random moments,
// half of them exactly between two steps on the disk, and looks at what is
// there.
func TestKill(t *testing.T) {
	rounds := uint64(200)
	if testing.Short() {
		rounds = 20
	}
	root := t.TempDir()
	var kept, named int
	for seed := range rounds {
		rnd := rand.New(rand.NewPCG(seed, 10))
		cmd, out, _ := child(t, "work", root, seed)
		if _, err := out.Discard(1 + rnd.IntN(60)); err != nil && seed%2 == 1 {
			t.Fatalf("round %d: the child ended by itself: %v", seed, err)
		}
		if seed%2 == 1 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
		io.Copy(io.Discard, out) //nolint:errcheck // ends with the child
		cmd.Wait()               //nolint:errcheck // killed
		if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); ws.Signal() != syscall.SIGKILL {
			t.Fatalf("round %d: the child ended with %v", seed, cmd.ProcessState)
		}
		d := open(t, root, keep{Size: 1 << 20})
		for _, id := range d.ids() {
			f := d.Asset(id)
			check(t, f)
			kept += len(spooled(f))
			if f.kept().name != "" {
				named++
			}
		}
		if d.held() > 1<<20 {
			t.Fatalf("round %d: %d bytes held", seed, d.held())
		}
		if rnd.IntN(4) == 0 {
			closeDir(t, d)
		} else {
			d.abandon()
		}
	}
	if kept < int(rounds) || named < int(rounds)/10 {
		t.Errorf("%d runs and %d names found in %d rounds: too little to prove anything", kept, named, rounds)
	}
	t.Logf("%d runs of bytes, %d names in %d rounds", kept, named, rounds)
}
