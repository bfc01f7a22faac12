package integration_test

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

// rig is an API and a mount of it, for tests that are programs instead of scripts. Both end with the test.
type rig struct {
	*api
	bin    string // directory of the binary
	dir    string // holds the mount point; made at the first mount
	spool  string // in dir, if it isn't set
	daemon *daemon
}

// needMachine fails or skips a test if this machine lacks something, as TestScript does.
func needMachine(t *testing.T) {
	t.Helper()
	if err := missing(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED, because of what this machine lacks: %v", err)
	}
}

// newRig starts an API; mount mounts it.
func newRig(t *testing.T) *rig {
	t.Helper()
	needMachine(t)
	a := &api{fake: fakeapi.New(), addr: "127.0.0.1:0"}
	if err := a.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.stop)
	return &rig{api: a, bin: build(t)}
}

// mount runs assetfs for at most limit, and returns when it is ready. The first call makes a directory and a spool; later ones use
// them again. With GOTRACEBACK, assetfs prints all goroutines at SIGQUIT.
func (r *rig) mount(t *testing.T, limit time.Duration, args ...string) {
	t.Helper()
	if r.dir == "" {
		r.dir = t.TempDir()
		r.spool = cmp.Or(r.spool, filepath.Join(r.dir, "spool"))
		t.Cleanup(func() {
			if err := r.end(); err != nil {
				t.Error(err)
			}
		})
		if err := os.Mkdir(r.mnt(), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mnt := r.mnt()
	d := &daemon{
		mnt: mnt, exited: make(chan struct{}),
		log: &spoken{file: io.Discard, wanted: map[chan struct{}]*regexp.Regexp{}},
	}
	ready := d.log.said(regexp.MustCompile("(?m)^assetfs: mounted "))
	flags := []string{"--spool-dir=" + r.spool, "--spool-min-free=0", mnt}
	if !slices.Contains(args, "--demo") {
		flags = append(flags, "--base-url="+r.url(), "--rate-limit=none")
	}
	//nolint:noctx // it is ended by a signal, as users end it; the watchdog bounds its life
	d.cmd = exec.Command(filepath.Join(r.bin, "assetfs"), append(flags, args...)...)
	d.cmd.Env = append(os.Environ(), "MEMORIES_API_KEY="+apiKey, "HOME="+r.dir, "GOTRACEBACK=all")
	d.cmd.Stderr = d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		d.err = d.cmd.Wait()
		close(d.exited)
	}()
	d.watchdog = time.AfterFunc(limit, d.abandon)
	r.daemon = d
	select {
	case <-ready:
	case <-d.exited:
		t.Fatalf("assetfs ended before it was ready: %v\n%s", d.err, d.log)
	}
}

func (r *rig) mnt() string { return filepath.Join(r.dir, "mnt") }

// end ends the mount, if it has not ended yet.
func (r *rig) end() error { return r.unmount("TERM") }

// unmount ends the mount by a signal.
func (r *rig) unmount(signal string) error {
	if r.daemon == nil {
		return nil
	}
	d := r.daemon
	r.daemon = nil
	err := d.stop(signal)
	if text := d.log.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
		return fmt.Errorf("assetfs says:\n%s", text)
	}
	return err
}
