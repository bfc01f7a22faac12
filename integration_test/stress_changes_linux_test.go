package integration_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assetfs/remote/fakeapi"
)

// TestStressChanges is TestStressSwitch with an asset that is freed and changes its content meanwhile. Whoever has it open reads one
// content or gets ESTALE, however it was opened. ASSETFS_STRESS is the duration.
func TestStressChanges(t *testing.T) {
	modes := []struct {
		name    string
		stacked bool
		flags   []string
	}{{name: "passthrough"}, {name: "no passthrough", stacked: true}, {name: "stable inodes", flags: []string{"--stable-inodes"}}}
	span := spanOf(t, "ASSETFS_STRESS", 18*time.Second, 3*time.Second) / time.Duration(len(modes))
	for _, mode := range modes {
		t.Run(mode.name, func(t *testing.T) {
			r := newRig(t)
			spool := t.TempDir()
			if mode.stacked {
				if os.Geteuid() != 0 {
					t.Skip("it takes root to mount")
				}
				stacked(t, spool)
			}
			r.fake.Configure(func(c *fakeapi.Config) { c.Rate = 16 << 20 })
			r.mount(t, span+2*time.Minute, append(mode.flags, "--spool-dir="+filepath.Join(spool, "s"))...)
			r.changes(t, span)
		})
	}
}

func (r *rig) changes(t *testing.T, span time.Duration) {
	total := stressCount{Partial: map[string]int{}, Whole: map[string]int{}}
	rounds, freed := 0, 0
	// A slow machine gets up to a minute more, until both have happened. With the race detector no machine is fast enough; there only
	// races matter.
	missing := func() bool { return !raceEnabled && (freed == 0 || total.Later == 0) }
	for start := time.Now(); rounds == 0 || time.Since(start) < span || missing() && time.Since(start) < span+time.Minute; rounds++ {
		asset := fakeapi.Asset{ID: fmt.Sprintf("re_%d", rounds), Name: "a.bin", Size: 6<<20 + int64(rounds)*4093 + 1, ETag: "auto"}
		r.fake.Put(asset)
		if _, err := os.Stat(filepath.Join(r.daemon.mnt, asset.ID)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan int)
		go func() { done <- r.disturb(ctx, t, asset) }()
		for _, c := range r.round(t, asset, stressVersions, uint64(rounds)) {
			total.add(c)
		}
		cancel()
		freed += <-done
		r.settle(t, asset)
		if t.Failed() {
			t.Fatalf("round %d; assetfs says:\n%s", rounds, r.daemon.log)
		}
		r.fake.Delete(asset.ID)
	}
	total.report(t)
	if missing() {
		t.Errorf("%d times freed while it was read, %d reads of a later content, want some of both", freed, total.Later)
	}
	t.Logf("%d rounds, %d times freed, %d reads of a later content, %d requests, %d bytes billed", rounds, freed, total.Later, len(r.fake.Requests()), r.fake.Billed())
}

// stressVersions is how many contents an asset has in one round.
const stressVersions = 3

// disturb frees and changes the asset each time more of it has been downloaded. It returns how often bytes were freed.
func (r *rig) disturb(ctx context.Context, t *testing.T, asset fakeapi.Asset) (freed int) {
	for step := 1; ; step++ {
		more := int64(step) * asset.Size / 2
		if err := r.fake.Wait(ctx, func(all []fakeapi.Request) bool {
			var billed int64
			for _, q := range all {
				if q.ID == asset.ID {
					billed += q.Bytes
				}
			}
			return billed >= more
		}); err != nil {
			return freed // the round is over
		}
		if step%2 == 0 && asset.Version < stressVersions-1 {
			asset.Version++
			r.fake.Put(asset)
		}
		if step > 2*stressVersions {
			return freed // so that the asset can become whole
		}
		out, err := r.free(ctx, asset.ID)
		if err != nil && ctx.Err() == nil {
			t.Errorf("free: %v\n%s", err, out)
		}
		if bytes.Contains(out, []byte(" freed")) {
			freed++
		}
	}
}

func (r *rig) free(ctx context.Context, id string) ([]byte, error) {
	return exec.CommandContext(ctx, filepath.Join(r.bin, "assetfs"), "free", filepath.Join(r.daemon.mnt, id)).CombinedOutput()
}

// settle frees the asset and reads it by its path: this must return the last content.
func (r *rig) settle(t *testing.T, asset fakeapi.Asset) {
	t.Helper()
	if out, err := r.free(t.Context(), asset.ID); err != nil {
		t.Fatalf("free: %v\n%s", err, out)
	}
	asset.Version = stressVersions - 1
	asset.ETag = "auto"
	r.fake.Put(asset)
	name := filepath.Join(r.daemon.mnt, asset.ID)
	got, err := os.ReadFile(name)
	for errors.Is(err, unix.ESTALE) { // the read that finds out about new content gets this
		got, err = os.ReadFile(name)
	}
	want := make([]byte, asset.Size)
	if _, rerr := fakeapi.Content(asset.ID, asset.Version).ReadAt(want, 0); rerr != nil || err != nil {
		t.Fatal(rerr, err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("in the end the path gives %d bytes, the wrong ones", len(got))
	}
}
