package integration_test

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptLimit ends a script whose mount hangs. With a race-built binary on two cores, the slowest scripts take some ten seconds.
const scriptLimit = 90 * time.Second

// tools are the programs that the scripts run, beyond those of POSIX.
var tools = []string{
	"7z", "busybox", "cmp", "dd", "debugfs", "df", "du", "ffmpeg", "ffprobe", "file", "find", "findmnt", "fio", "flock", "fusermount3", "getfattr", "gio", "git",
	"grep", "inotifywait", "losetup", "mkfs.ext4", "mksquashfs", "mpv", "nginx", "python3", "rsync", "setfattr", "setpriv", "sha256sum", "sqlite3", "stat", "tar",
	"timeout", "truncate", "unshare", "unzip",
}

// clientTools are further programs that the scripts of TestClients run.
var clientTools = []string{
	"borg", "exiftool", "ffmpegthumbnailer", "mediainfo", "node", "pdftotext", "prlimit", "qpdf", "restic", "smbclient", "smbd",
}

// stateKey is the key of a script's state in its environment.
type stateKey struct{}

// state is what a running script has started. Its commands run one after another, so there is no lock.
type state struct {
	api     *api
	daemon  *daemon
	proxy   *proxy
	forward *forward
	notify  net.Conn // listens as systemd would
	servers map[string]*server
	setup   *setup
	env     *testscript.Env
}

// setup is shared by all scripts of a test.
type setup struct {
	bin   string        // directory of the binary under test
	media *media        // nil in TestServers
	limit time.Duration // ends a script whose mount hangs

	// For TestServers:
	turns   chan struct{} // holds one element for each running script
	modules string        // directory of Node's modules
}

// TestMain runs more scripts at a time than there are processors, because scripts mostly wait. With the race detector they compute.
func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if n := runtime.GOMAXPROCS(0); n < 3 && !given && !raceEnabled {
		if err := flag.Set("test.parallel", "3"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func TestScript(t *testing.T) {
	if err := missing(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED, because of what this machine lacks: %v", err)
	}
	s := &setup{bin: build(t), media: newMedia(t), limit: scriptLimit}
	testscript.Run(t, s.params(t, "script"))
}

// TestClients runs the scripts in testdata/clients: programs as people use them, and what each costs in requests and bytes. It runs
// only in a plain run, not with the race detector or on one processor.
func TestClients(t *testing.T) {
	if raceEnabled || testing.Short() || runtime.GOMAXPROCS(0) == 1 {
		t.Skip("clients run only in a plain run")
	}
	if err := lacks(slices.Concat(tools, clientTools)); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED, because of what this machine lacks (.ci/tools installs it): %v", err)
	}
	s := &setup{bin: build(t), media: newMedia(t), limit: scriptLimit}
	testscript.Run(t, s.params(t, "clients"))
}

// scripts returns the files of all scripts in a folder of testdata and in its subfolders, which are subjects.
func scripts(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"*.txtar", "*/*.txtar"} {
		found, err := filepath.Glob(filepath.Join("testdata", dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Fatalf("no scripts in testdata/%s", dir)
	}
	return files
}

// params returns the parameters for the scripts in a folder of testdata.
func (s *setup) params(t *testing.T, dir string) testscript.Params {
	deadline := time.Now().Add(20 * time.Minute) // for all scripts, even one by one with the race detector
	if d, ok := t.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	return testscript.Params{
		Files:              scripts(t, dir),
		RequireUniqueNames: true,
		Deadline:           deadline,
		Setup:              s.prepare,
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "memory":
				_, err := os.Stat("/sys/fs/cgroup/memory/memory.limit_in_bytes")
				return err == nil, nil
			case "pids":
				_, err := os.Stat("/sys/fs/cgroup/pids/cgroup.procs")
				return err == nil, nil
			case "patience":
				return hasPatience(), nil
			case "race":
				return raceEnabled, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"api":       cmdAPI,
			"content":   cmdContent,
			"errno":     cmdErrno,
			"files":     cmdFiles,
			"forward":   cmdForward,
			"logged":    cmdLogged,
			"media":     cmdMedia,
			"named":     cmdNamed,
			"notify":    cmdNotify,
			"patience":  cmdPatience,
			"proxy":     cmdProxy,
			"signal":    cmdSignal,
			"smalldisk": cmdSmalldisk,
			"mount":     cmdMount,
			"umount":    cmdUmount,
		},
	}
}

// missing returns an error that names what this machine lacks to run the scripts, or nil.
func missing() error { return lacks(tools) }

// lacks returns an error that names what this machine lacks of FUSE and programs, or nil.
func lacks(programs []string) error {
	var errs []error
	if f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		errs = append(errs, fmt.Errorf("no FUSE: %w", err))
	} else {
		f.Close()
	}
	for _, tool := range programs {
		if _, err := exec.LookPath(tool); err != nil {
			errs = append(errs, fmt.Errorf("no program %s", tool))
		}
	}
	return errors.Join(errs...)
}

// prepare sets a script's environment, and makes sure that everything it starts is ended.
func (s *setup) prepare(env *testscript.Env) error {
	st := &state{setup: s, env: env}
	env.Values[stateKey{}] = st
	home := filepath.Join(env.WorkDir, ".home")
	if err := os.Mkdir(home, 0o700); err != nil {
		return err
	}
	keyFile := filepath.Join(env.WorkDir, ".key")
	if err := os.WriteFile(keyFile, []byte(apiKey+"\n"), 0o600); err != nil {
		return err
	}
	noKey := filepath.Join(env.WorkDir, ".nokey")
	if err := os.WriteFile(noKey, nil, 0o600); err != nil {
		return err
	}
	for k, v := range map[string]string{
		"PATH":           s.bin + string(os.PathListSeparator) + os.Getenv("PATH"),
		"HOME":           home,
		"XDG_CACHE_HOME": filepath.Join(home, ".cache"),
		"LC_ALL":         "C.UTF-8",
		"TZ":             "UTC",
		"MNT":            filepath.Join(env.WorkDir, "mnt"),
		"SPOOL":          filepath.Join(env.WorkDir, ".spool"),
		"KEYFILE":        keyFile,
		"NOKEY":          noKey,
	} {
		env.Setenv(k, v)
	}
	if s.media != nil {
		env.Setenv("MEDIA", s.media.dir)
	}
	env.Defer(func() {
		if err := st.close(); err != nil {
			env.T().Fatal(err)
		}
	})
	return nil
}

// close ends everything that the script left running. It returns an error if that does not end cleanly.
func (st *state) close() error {
	var err error
	if st.daemon != nil {
		err = st.daemon.stop("TERM")
		st.daemon = nil
	}
	if st.proxy != nil {
		err = errors.Join(err, st.proxy.stop())
	}
	if st.forward != nil {
		st.forward.stop()
	}
	for _, s := range st.servers {
		err = errors.Join(err, s.end(syscall.SIGKILL))
	}
	if st.notify != nil {
		st.notify.Close()
	}
	if st.api != nil {
		st.api.stop()
	}
	return errors.Join(err, detach(st.env.WorkDir))
}

// of returns the state of a running script.
func of(ts *testscript.TestScript) *state {
	return ts.Value(stateKey{}).(*state)
}

// usage fails a script that uses a command wrongly.
func usage(ts *testscript.TestScript, text string) {
	ts.Fatalf("usage: %s", strings.TrimSpace(text))
}

// build builds the binary under test, with the race detector if the test has it, and returns its directory.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + "/"}
	if raceEnabled {
		args = append(args, "-race")
	}
	args = append(args, "assetfs")
	if runtime.GOOS == "linux" {
		args = append(args, "assetfs/integration_test/reader")
	}
	cmd := exec.CommandContext(t.Context(), "go", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return dir
}
