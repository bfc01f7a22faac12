package cli

import (
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"assetfs/fs/mount"
	"assetfs/fs/spool"
	"assetfs/remote"
)

// seeded is the environment of one check.
type seeded struct {
	dir   string
	args  []string
	serve http.HandlerFunc
}

// write makes a file in the test's directory and returns its path.
func (s *seeded) write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func say(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
}

// Each fault in what a user gives, and in what the server answers, has its line. None costs a download, and nothing is
// left behind.
func TestCheckNamesFaults(t *testing.T) {
	unknown := say(400, `{"code":400,"msg":"Asset not found","data":null}`)
	for name, tt := range map[string]struct {
		seed func(t *testing.T, s *seeded)
		want string // a line
	}{
		"nothing":          {func(*testing.T, *seeded) {}, `^ok +API .* accepts the key$`},
		"key file missing": {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--api-key-file", s.dir+"/none") }, `^fault +key +--api-key-file .*/none: no such file; give`},
		"key file dangling": {func(_ *testing.T, s *seeded) {
			_ = os.Symlink("nowhere", s.dir+"/link")
			s.args = append(s.args, "--api-key-file", s.dir+"/link")
		}, `^fault +key .*is a dangling symbolic link`},
		"key file in UTF-16": {func(t *testing.T, s *seeded) {
			s.args = append(s.args, "--api-key-file", s.write(t, "k", "\xff\xfes\x00k\x00"))
		}, `^fault +key .*begins with a byte order mark`},
		"key of two lines": {func(t *testing.T, s *seeded) { s.args = append(s.args, "--api-key-file", s.write(t, "k", "sk\nsk2")) }, `^fault +key .*it holds a space, a line break`},
		"empty key file":   {func(t *testing.T, s *seeded) { s.args = append(s.args, "--api-key-file", s.write(t, "k", "\n")) }, `^fault +key +there is none: give one`},
		"key for all to read": {func(_ *testing.T, s *seeded) {
			_ = os.Chmod(s.dir+"/key", 0o644)
		}, `^warning +key .*chmod 600`},
		"key refused":     {func(_ *testing.T, s *seeded) { s.serve = say(401, `{"code":401,"msg":"Unauthorized","data":null}`) }, `^fault +key +the server refuses the key`},
		"account refused": {func(_ *testing.T, s *seeded) { s.serve = say(403, `{"code":403,"msg":"Account disabled","data":null}`) }, `^fault +key +the server refuses this account, .*Account disabled`},
		"no balance": {func(_ *testing.T, s *seeded) {
			s.serve = say(402, `{"code":402,"msg":"Insufficient balance","data":null}`)
		}, `^warning +API .*recharge`},
		"wrong path":     {func(_ *testing.T, s *seeded) { s.serve = http.NotFound }, `^fault +API .*is --base-url right\?`},
		"login page":     {func(_ *testing.T, s *seeded) { s.serve = say(200, `<html><body>log in</body></html>`) }, `^fault +proxy +the proxy does not work, or a login page answers`},
		"rate limit":     {func(_ *testing.T, s *seeded) { s.serve = say(429, `{"code":429,"msg":"slow down","data":null}`) }, `^warning +API .*somebody else may use this account`},
		"server trouble": {func(_ *testing.T, s *seeded) { s.serve = say(503, `no`) }, `^fault +API +the server has trouble`},
		"clock behind": {func(_ *testing.T, s *seeded) {
			s.serve = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", time.Now().Add(3*time.Hour).UTC().Format(http.TimeFormat))
				unknown(w, r)
			}
		}, `^fault +clock +this machine's is (3h 0m|2h 59m) behind`},
		"clock ahead": {func(_ *testing.T, s *seeded) {
			s.serve = func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Date", "Mon, 01 Jan 2001 00:00:00 GMT")
				unknown(w, r)
			}
		}, `^fault +clock +this machine's is \d+d \d+h ahead`},
		"no host":           {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--base-url=http://127.0.0.1:1") }, `^fault +network +127\.0\.0\.1:1 can't be reached`},
		"bad base URL":      {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--base-url=ftp://x/y") }, `^fault +API +--base-url: .*neither http nor https`},
		"http, not secure":  {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--base-url=http://example.com/y") }, `^fault +API +--base-url: .*plain http`},
		"bad library URL":   {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--library=x", "--library-url=ftp://x/y") }, `^fault +library +--library-url: .*neither http nor https`},
		"no CA file":        {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--ca-file", s.dir+"/none") }, `^fault +certificate +--ca-file .*/none: no such file`},
		"CA file of no use": {func(t *testing.T, s *seeded) { s.args = append(s.args, "--ca-file", s.write(t, "ca", "hello")) }, `^fault +certificate +--ca-file .*no certificate in it`},
		"CA file is a key": {func(t *testing.T, s *seeded) {
			s.args = append(s.args, "--ca-file", s.write(t, "ca", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
		}, `^fault +certificate +--ca-file .*a private key`},
		"spool is a file":      {func(t *testing.T, s *seeded) { s.args = append(s.args, "--spool-dir", s.write(t, "f", "")) }, `^fault +spool .*not a directory`},
		"spool open to others": {func(_ *testing.T, s *seeded) { _ = os.Chmod(s.dir+"/spool", 0o777) }, `^fault +spool .*can be written to by others`},
		"spool dangling": {func(_ *testing.T, s *seeded) {
			_ = os.Symlink("nowhere", s.dir+"/link")
			s.args = append(s.args, "--spool-dir", s.dir+"/link")
		}, `^fault +spool .*is a dangling symbolic link`},
		"spool below a file":    {func(t *testing.T, s *seeded) { s.args = append(s.args, "--spool-dir", s.write(t, "f", "")+"/x") }, `^fault +spool .*not a directory`},
		"spool for a giant":     {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--spool-size=4EiB") }, `^warning +disk +--spool-size=4EiB is more than the disk has`},
		"more free than there":  {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--spool-min-free=2EiB") }, `^fault +disk +--spool-min-free=2EiB is more than the whole disk`},
		"spool is mount point":  {func(_ *testing.T, s *seeded) { s.args = append(s.args, s.dir+"/spool/x") }, `^fault +mount point +the spool .* must not contain each other`},
		"mount point not empty": {func(_ *testing.T, s *seeded) { s.args = append(s.args, "/etc") }, `^fault +mount point +/etc is not empty`},
		"mount point a file":    {func(t *testing.T, s *seeded) { s.args = append(s.args, s.write(t, "f", "")) }, `^fault +mount point .*is not a directory`},
		"mount point dangling": {func(_ *testing.T, s *seeded) {
			_ = os.Symlink("nowhere", s.dir+"/link")
			s.args = append(s.args, s.dir+"/link")
		}, `^fault +mount point .*is a dangling symbolic link`},
		"mount point in use": {func(_ *testing.T, s *seeded) { s.args = append(s.args, "/proc") }, `^fault +mount point .*is mounted already, by another program`},
		"mount point in nothing": {func(_ *testing.T, s *seeded) {
			s.args = append(s.args, s.dir+"/a/b/c")
		}, `^fault +mount point +can't create the mount point`},
		"no list":         {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--ids", s.dir+"/none") }, `^fault +assets +--ids .*/none: no such file`},
		"list of names":   {func(t *testing.T, s *seeded) { s.args = append(s.args, "--ids", s.write(t, "ids", "re_1\nfilm.mp4\n")) }, `^warning +assets .*ids:2: "film.mp4" is not an asset ID`},
		"empty list":      {func(t *testing.T, s *seeded) { s.args = append(s.args, "--ids", s.write(t, "ids", "# none\n")) }, `^warning +assets .*lists no asset yet`},
		"list is a place": {func(_ *testing.T, s *seeded) { s.args = append(s.args, "--ids", s.dir) }, `^fault +assets .*is a directory`},
		"control bytes":   {func(_ *testing.T, s *seeded) { s.serve = say(401, `{"code":401,"msg":"\u001b[31m\u202e","data":null}`) }, `^fault +key +[ -~]*$`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(keyVariable, "")
			t.Setenv("ASSETFS_BASE_URL", "")
			s := &seeded{dir: t.TempDir(), serve: unknown}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/metadata") {
					t.Errorf("it asked for %s", r.URL.Path)
				}
				s.serve(w, r)
			}))
			defer server.Close()
			s.args = []string{"--base-url", server.URL, "--api-key-file", s.write(t, "key", "sk-1\n"), "--spool-dir", s.dir + "/spool", "--spool-min-free=1", "--rate-limit=none"}
			if err := os.Mkdir(s.dir+"/spool", 0o700); err != nil {
				t.Fatal(err)
			}
			tt.seed(t, s)
			settings := newSettings()
			if err := settings.flags.Parse(s.args); err != nil {
				t.Fatal(err)
			}
			if err := settings.completeCheck(settings.flags.Args()); err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			err := check(t.Context(), &out, settings)
			if !regexp.MustCompile("(?m)" + tt.want).MatchString(out.String()) {
				t.Errorf("no line with %s:\n%s", tt.want, out.String())
			}
			if faulty := strings.Contains("\n"+out.String(), "\nfault "); faulty != errors.Is(err, errFaults) {
				t.Errorf("it returned %v for\n%s", err, out.String())
			}
			if left, err := os.ReadDir(s.dir + "/spool"); err != nil || len(left) > 0 {
				t.Errorf("it left %v in the spool, %v", left, err)
			}
		})
	}
}

// wantFindings fails unless what is in the lines and the worst grade is grade.
func wantFindings(t *testing.T, name string, all []finding, what string, g grade) {
	t.Helper()
	var page strings.Builder
	worst := fine
	for _, f := range all {
		f.write(&page)
		worst = max(worst, f.grade)
	}
	if !strings.Contains(page.String(), what) || worst != g {
		t.Errorf("%s: want %q and %v:\n%s", name, what, g, page.String())
	}
}

// Each fault of the machine has its line.
func TestMachineFindings(t *testing.T) {
	good := mount.Machine{Release: "6.18.0", MayMount: true, Passthrough: true}
	for _, tt := range []struct {
		name   string
		change func(m *mount.Machine, s *settings)
		want   string
		grade  grade
	}{
		{"good", func(*mount.Machine, *settings) {}, "passthrough", fine},
		{"no FUSE", func(m *mount.Machine, _ *settings) { m.Device = errors.New("modprobe fuse") }, "fault    FUSE         modprobe fuse", bad},
		{"no helper", func(m *mount.Machine, _ *settings) { m.MayMount, m.Helper = false, errors.New("install fuse3") }, "fault    mounting     install fuse3", bad},
		{"root needs none", func(m *mount.Machine, _ *settings) { m.Helper = errors.New("install fuse3") }, "by itself", fine},
		{"user", func(m *mount.Machine, _ *settings) { m.MayMount, m.Passthrough = false, false }, "CAP_SYS_ADMIN", fine},
		{"old kernel", func(m *mount.Machine, _ *settings) { m.Passthrough = false }, "Linux 6.9", fine},
		{"stable", func(_ *mount.Machine, s *settings) { s.StableInodes = true }, "--stable-inodes", fine},
		{"timeouts", func(m *mount.Machine, _ *settings) { m.Timeout = time.Minute }, "warning  timeouts     the kernel ends a mount whose answer takes 1m0s, so a read waits 48s at most", odd},
		{"long timeouts", func(m *mount.Machine, _ *settings) { m.Timeout = time.Hour }, "reads wait 48m0s", fine},
	} {
		m, s := good, newSettings()
		tt.change(&m, s)
		all := machineFindings(m, s)
		wantFindings(t, tt.name, all, tt.want, tt.grade)
	}
}

func TestProcessFindings(t *testing.T) {
	for _, tt := range []struct {
		name   string
		files  uint64
		memory int64
		env    map[string]string
		want   string
		grade  grade
	}{
		{"good", 4096, 0, nil, "4096 are allowed", fine},
		{"no files", 12, 0, nil, "the open-file limit of 12 is too low, 64 are needed", bad},
		{"few files", 256, 0, nil, "the limit of 256 is low", odd},
		{"little memory", 4096, 32 << 20, nil, "the limit of 32 MiB is low: give the container 64 MiB", odd},
		{"proxy in vain", 4096, 0, map[string]string{"ALL_PROXY": "socks5://x"}, "ALL_PROXY is not read: set HTTPS_PROXY", odd},
		{"proxy", 4096, 0, map[string]string{"all_proxy": "socks5://x", "https_proxy": "socks5://x"}, "allowed", fine},
	} {
		all := processFindings(tt.files, tt.memory, func(name string) string { return tt.env[name] })
		wantFindings(t, tt.name, all, tt.want, tt.grade)
	}
}

func TestDiskFindings(t *testing.T) {
	const gib = 1 << 30
	for _, tt := range []struct {
		name  string
		state spool.State
		want  string
		grade grade
	}{
		{"good", spool.State{Disk: 100 * gib, Free: 50 * gib}, "50 GiB are free", fine},
		{"unknown", spool.State{}, "", fine},
		{"full", spool.State{Disk: 100 * gib, Free: gib / 2}, "512 MiB are free and --spool-min-free=1GiB must stay free: nothing can be downloaded", bad},
		{"full of ours", spool.State{Disk: 100 * gib, Free: gib / 2, Held: 10 * gib}, "replace what is in the spool", odd},
		{"small", spool.State{Disk: 100 * gib, Free: 9 * gib, Held: 2 * gib}, "--spool-size=20GiB is more than the disk has: 10 GiB beyond --spool-min-free=1GiB", odd},
		{"small, by default", spool.State{Disk: 100 * gib, Free: 9 * gib, Held: 2 * gib}, "9.0 GiB are free, which is less than --spool-size=20GiB", fine},
		{"tiny", spool.State{Disk: gib / 2, Free: gib / 2}, "more than the whole disk of 512 MiB", bad},
		{"memory", spool.State{Disk: 100 * gib, Free: 50 * gib, Kind: spool.Memory}, "is in memory", odd},
		{"network", spool.State{Disk: 100 * gib, Free: 50 * gib, Kind: spool.Network}, "network or FUSE", odd},
	} {
		s := newSettings()
		if tt.grade == odd {
			if err := s.flags.Set("spool-size", "20GiB"); err != nil {
				t.Fatal(err)
			}
		}
		all := diskFindings(tt.state, s)
		wantFindings(t, tt.name, all, tt.want, tt.grade)
	}
}

// Each verdict about the path to the API has a text and a grade.
func TestNetworkFindings(t *testing.T) {
	base := &url.URL{Scheme: "https", Host: "api.example"}
	why := errors.New("why " + hex.EncodeToString([]byte{1}))
	for _, tt := range []struct {
		c     remote.Checkup
		key   bool
		want  string
		grade grade
	}{
		{remote.Checkup{Verdict: remote.Accepted, Proxy: "p:1"}, true, "through the proxy p:1, and accepts the key", fine},
		{remote.Checkup{Verdict: remote.KeyRefused}, true, "the server refuses the key", bad},
		{remote.Checkup{Verdict: remote.KeyRefused}, false, "answers, and requires a key", fine},
		{remote.Checkup{Verdict: remote.AccessDenied}, true, "ask the vendor", bad},
		{remote.Checkup{Verdict: remote.NotTheAPI}, true, "is --base-url right?", bad},
		{remote.Checkup{Verdict: remote.ProxyInWay}, true, "the proxy does not work, or a login page answers", bad},
		{remote.Checkup{Verdict: remote.Untrusted}, true, "fault    certificate  why 01", bad},
		{remote.Checkup{Verdict: remote.Unreachable}, true, "is there a network", bad},
		{remote.Checkup{Verdict: remote.Silent, Took: 15 * time.Second}, true, "does not answer within 15s", bad},
		{remote.Checkup{Verdict: remote.Busy}, true, "somebody else may use this account", odd},
		{remote.Checkup{Verdict: remote.Faulty}, true, "the server has trouble", bad},
		{remote.Checkup{Expires: time.Now().Add(time.Hour)}, true, "warning  certificate", odd},
		{remote.Checkup{Expires: time.Now().Add(9999 * time.Hour)}, true, "is valid until", fine},
	} {
		tt.c.Err = why
		if tt.c.Verdict == remote.Accepted {
			tt.c.Err = nil
		}
		all := networkFindings(tt.c, base, tt.key)
		wantFindings(t, tt.want, all, tt.want, tt.grade)
	}
}
