package integration_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// serversLimit ends a script that hangs. Scripts with a pause of 90 s take some 120 s.
const serversLimit = 4 * time.Minute

// serverTools are the programs that TestServers needs. Those that are not in the PATH are given by path.
var serverTools = []string{
	"apache2", "cmp", "curl", "dd", "fusermount3", "haproxy", "java", "lighttpd", "nginx", "node", "php", "setpriv", "sha256sum", "squid", "varnishd", "varnishncsa",
	"/usr/share/tomcat10/bin/bootstrap.jar",
}

// serverKinds are the servers for which the scripts in testdata/servers/each and alone run, with the command that starts them. The
// scripts in testdata/servers/ranges run for servers that answer ranges directly from files.
var serverKinds = []struct {
	label, start string
	ranges       bool
	proofs       int // most requests per asset to find out whether entity tags mean anything
}{
	{"nginx", "nginx epoch", true, 0},
	{"nginx_tls", "nginx tls gzip", true, 0},
	{"nginx_proxy", "nginx_proxy behind=apache", true, 0},
	{"apache", "apache deflate", true, 0},
	{"lighttpd", "lighttpd", true, 0},
	{"express", "express epoch", true, 0},
	{"haproxy", "haproxy behind=nginx,lighttpd", true, 2},
	{"tomcat", "tomcat", true, 0},
	{"varnish", "varnish behind=nginx", false, 0},
	{"php", "php", false, 0},
	{"php_nolength", "php nolength metadata", false, 0},
}

// TestServers runs the scripts in testdata/servers: the same assets behind servers, caches and proxies that people use. Costs are
// read from the servers' own logs. It runs only in a plain run, not with the race detector or on one processor.
func TestServers(t *testing.T) {
	if raceEnabled || testing.Short() || runtime.GOMAXPROCS(0) == 1 {
		t.Skip("real servers run only in a plain run")
	}
	modules, err := serversMissing(t)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skipf("NOT TESTED, because of what this machine lacks (.ci/tools installs it): %v", err)
	}
	s := &setup{bin: build(t), limit: serversLimit, turns: make(chan struct{}, 4), modules: modules}
	master := t.TempDir()
	tools, err := filepath.Abs(filepath.Join("testdata", "servers", "tools"))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeAssets(master); err != nil {
		t.Fatal(err)
	}
	running := new(sync.WaitGroup)
	defer running.Wait()
	run := func(dir, label, start string, proofs int) {
		name, _, _ := strings.Cut(start, " ")
		settle := "0s"
		if strings.Contains(start, "behind=") {
			settle = "3s"
		}
		testscript.RunT(turns{T: t, setup: s, running: running, label: label}, testscript.Params{
			Dir:                filepath.Join("testdata", "servers", dir),
			RequireUniqueNames: true,
			Deadline:           time.Now().Add(serversLimit + time.Minute),
			Setup: func(env *testscript.Env) error {
				for k, v := range map[string]string{
					"TOOLS":   tools,
					"FILES":   filepath.Join(env.WorkDir, "files", basePath),
					"SERVER":  start,
					"SWAPPED": strings.ReplaceAll(start, " epoch", ""),
					"NAME":    name,
					"SETTLE":  settle,
					"MOST1":   strconv.Itoa(2 + proofs),
					"MOST2":   strconv.Itoa(8 + proofs),
					"MOST3":   strconv.Itoa(3 + proofs),
					"AUTO":    "--rate-limit=auto", // the default of assetfs; that of "mount" is none
				} {
					env.Setenv(k, v)
				}
				return errors.Join(s.prepare(env), linkAssets(master, filepath.Join(env.WorkDir, "files")))
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"asset":  cmdAsset,
				"errno":  cmdErrno,
				"logged": cmdLogged,
				"mount":  cmdMount,
				"rest":   cmdRest,
				"server": cmdServer,
				"signal": cmdSignal,
				"umount": cmdUmount,
			},
		})
	}
	for _, kind := range serverKinds {
		run("pauses", kind.label+"_", kind.start, kind.proofs) // first, so that other scripts run during the pauses
	}
	run("", "", "", 0)
	for _, kind := range serverKinds {
		run("each", kind.label+"_", kind.start, kind.proofs)
		run("alone", kind.label+"_", kind.start, kind.proofs)
		if kind.ranges {
			run("ranges", kind.label+"_", kind.start, kind.proofs)
		}
	}
}

// serversMissing returns the directory of Node's modules, or an error that names what this machine lacks.
func serversMissing(t *testing.T) (modules string, err error) {
	errs := []error{missing()}
	for _, tool := range serverTools {
		if _, err := exec.LookPath(tool); err != nil && !exists(tool) {
			errs = append(errs, fmt.Errorf("no %s", tool))
		}
	}
	// .ci/tools uses the same directory.
	cache, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE").Output()
	if err != nil {
		return "", err
	}
	modules = filepath.Join(filepath.Dir(strings.TrimSpace(string(cache))), "assetfs-ci", "node_modules")
	if !exists(filepath.Join(modules, "express")) {
		errs = append(errs, errors.New("no express for Node"))
	}
	return modules, errors.Join(errs...)
}

// exists reports whether a file exists.
func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}

// turns runs scripts in parallel and in order, but only as many at the same time as there are turns. A script that rests gives its turn
// to another, so that pauses of 90 s cost nothing but time.
type turns struct {
	*testing.T
	setup   *setup
	running *sync.WaitGroup
	label   string // prefix for the names of scripts
}

// Parallel does nothing, because Run has already done it.
func (t turns) Parallel() {}

// Run waits for a turn and starts a script.
func (t turns) Run(name string, f func(testscript.T)) {
	t.setup.turns <- struct{}{}
	t.running.Go(func() {
		defer func() { <-t.setup.turns }()
		t.T.Run(t.label+name, func(one *testing.T) { f(turns{T: one, setup: t.setup}) })
	})
}

// Verbose reports whether scripts that pass should log, too.
func (t turns) Verbose() bool { return testing.Verbose() }

// cmdRest implements "rest DURATION".
func cmdRest(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		usage(ts, "rest DURATION")
	}
	pause, err := time.ParseDuration(args[0])
	ts.Check(err)
	s := of(ts).setup
	<-s.turns
	time.Sleep(pause) // the test is that nothing happens during the pause
	s.turns <- struct{}{}
}
