package integration_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

// rig is an API and a mount of it, for tests that are programs and not scripts. Both end with the test.
type rig struct {
	fake   *fakeapi.Server
	url    string // base URL of the API
	bin    string // directory of the binary
	daemon *daemon
}

// needMachine fails or skips a test for which this machine lacks something, as TestScript does.
func needMachine(t *testing.T) {
	t.Helper()
	if err := missing(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED, because of what this machine lacks: %v", err)
	}
}

// newRig starts an API with these assets; mount mounts it.
func newRig(t *testing.T, assets ...fakeapi.Asset) *rig {
	t.Helper()
	needMachine(t)
	fake := fakeapi.New(assets...)
	server := httptest.NewServer(fake)
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &rig{fake: fake, url: server.URL, bin: build(t)}
}

// mount runs assetfs on a new directory with a new spool, for at most limit, and returns when it is ready. GOTRACEBACK makes it
// show all goroutines at SIGQUIT.
func (r *rig) mount(t *testing.T, limit time.Duration, args ...string) {
	t.Helper()
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	if err := os.Mkdir(mnt, 0o755); err != nil {
		t.Fatal(err)
	}
	d := &daemon{
		mnt: mnt, exited: make(chan struct{}),
		log: &spoken{file: io.Discard, wanted: map[chan struct{}]*regexp.Regexp{}},
	}
	ready := d.log.said(regexp.MustCompile("(?m)^assetfs: mounted "))
	flags := []string{
		"--base-url=" + r.url, "--spool-dir=" + filepath.Join(dir, "spool"), "--spool-min-free=0", "--requests-per-minute=0", mnt,
	}
	//nolint:noctx // it ends by signal, as users end it; the watchdog bounds its life
	d.cmd = exec.Command(filepath.Join(r.bin, "assetfs"), append(flags, args...)...)
	d.cmd.Env = append(os.Environ(), "MEMORIES_API_KEY="+apiKey, "HOME="+dir, "GOTRACEBACK=all")
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
	t.Cleanup(func() {
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
	select {
	case <-ready:
	case <-d.exited:
		t.Fatalf("assetfs ended before it was ready: %v\n%s", d.err, d.log)
	}
}

// end ends the mount, if it has not ended yet.
func (r *rig) end() error {
	if r.daemon == nil {
		return nil
	}
	d := r.daemon
	r.daemon = nil
	err := d.stop("TERM")
	if text := d.log.String(); strings.Contains(text, "DATA RACE") || strings.Contains(text, "panic:") {
		return fmt.Errorf("assetfs says:\n%s", text)
	}
	return err
}
