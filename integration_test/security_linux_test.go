package integration_test

import (
	"fmt"
	iofs "io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"assetfs/remote/fakeapi"
)

// TestKeyIsNowhere looks for the key in all that a mount says, shows, keeps and starts, in the end also where it dies and says where
// each of its goroutines was.
func TestKeyIsNowhere(t *testing.T) {
	r := newRig(t)
	r.fake.Configure(func(c *fakeapi.Config) { c.Key = apiKey })
	r.fake.Put(fakeapi.Asset{ID: "re_1", Name: "one.bin", Size: 1 << 20})
	r.fake.Put(fakeapi.Asset{ID: "re_2", Faults: []fakeapi.Fault{{Status: 402, Msg: "no balance for " + apiKey}}})
	r.fake.Put(fakeapi.Asset{ID: "re_3", Size: 5, Faults: []fakeapi.Fault{{Redirect: "http://localhost:1/" + apiKey + "?key=" + apiKey}}})
	r.fake.Put(fakeapi.Asset{ID: "re_4", Size: 64 << 20, Faults: []fakeapi.Fault{{Hang: true}}})
	for _, demo := range []bool{false, true} {
		args := []string{"-v", "-v", "--debug-fuse", "--retry-for=1s"}
		if demo {
			args = append(args, "--demo")
		}
		r.mount(t, time.Minute, append(args, "re_1", "re_2", "re_3", "re_4")...)
		d := r.daemon
		said := map[string]string{}
		if demo {
			if _, err := os.ReadFile(filepath.Join(r.mnt(), "welcome.txt")); err != nil {
				t.Error(err)
			}
		} else {
			for _, id := range []string{"re_1", "re_2", "re_3"} { // after re_3, whose host is unreachable, all calls pause
				if _, err := os.ReadFile(filepath.Join(r.mnt(), id)); (err == nil) != (id == "re_1") {
					t.Errorf("%s: %v", id, err)
				}
			}
			// A reader that waits while the mount dies.
			waiting := exec.CommandContext(t.Context(), "cat", filepath.Join(r.mnt(), "re_4"))
			if err := waiting.Start(); err != nil {
				t.Fatal(err)
			}
			defer waiting.Wait() //nolint:errcheck // it fails when the mount dies
			poll(t, readyLimit, "a reader waits", func() error {
				for _, q := range r.fake.Downloads() {
					if q.ID == "re_4" {
						return nil
					}
				}
				return fmt.Errorf("%d requests", len(r.fake.Downloads()))
			})
		}
		for _, args := range [][]string{{"status", "--json"}, {"status", "--all"}} {
			out, err := exec.CommandContext(t.Context(), filepath.Join(r.bin, "assetfs"), append(args, r.mnt())...).CombinedOutput()
			if err != nil {
				t.Errorf("%v: %v", args, err)
			}
			said[strings.Join(args, " ")] = string(out)
		}
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", d.cmd.Process.Pid))
		if err != nil {
			t.Error(err)
		}
		said["the command line"] = string(line)
		for _, file := range []string{"", "by-id/re_2", "by-id/re_3"} {
			for _, name := range []string{"user.assetfs.error", "user.assetfs.status", "user.assetfs.socket"} {
				b := make([]byte, 64<<10)
				if n, err := unix.Getxattr(filepath.Join(r.mnt(), file), name, b); err == nil {
					said[name+" of "+file] = string(b[:n])
				}
			}
		}
		if err := r.unmount("QUIT"); err == nil {
			t.Error("SIGQUIT ends a program of Go with a failure")
		}
		if err := unix.Unmount(r.mnt(), unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
		if said["the log"] = d.log.String(); !strings.Contains(said["the log"], "\ngoroutine ") {
			t.Errorf("there is no dump of goroutines: %s", d.log)
		}
		for where, text := range said {
			if text == "" {
				t.Errorf("%s is empty", where)
			}
			if at := strings.Index(text, apiKey); at >= 0 {
				t.Errorf("demo %t: the key is in %s: ...%s", demo, where, text[max(0, at-200):at+len(apiKey)])
			}
		}
	}
	if err := filepath.WalkDir(r.dir, func(path string, e iofs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if strings.Contains(path+string(b), apiKey) {
			t.Errorf("the key is in %s", path)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
	for _, q := range r.fake.Requests() {
		if strings.Contains(q.Path, apiKey) {
			t.Errorf("the key is in %s", q.Path)
		}
	}
}
