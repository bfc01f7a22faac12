package integration_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// readyLimit bounds waits for the ready line and for the exit after a signal. Both take milliseconds unless something hangs.
const readyLimit = 30 * time.Second

// daemon is a running assetfs.
type daemon struct {
	cmd      *exec.Cmd
	mnt      string
	exited   chan struct{} // closed after Wait
	err      error         // of Wait; valid when exited is closed
	log      *spoken
	watchdog *time.Timer
}

// spoken writes the output of assetfs to a file, and wakes whoever waits for a line of it.
type spoken struct {
	mu     sync.Mutex // guards the fields below: the process writes while the script reads
	text   bytes.Buffer
	file   io.Writer
	wanted map[chan struct{}]*regexp.Regexp // closed when the text matches
}

// said returns a channel that is closed when the output matches.
func (l *spoken) said(pattern *regexp.Regexp) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan struct{})
	if pattern.Match(l.text.Bytes()) {
		close(c)
	} else {
		l.wanted[c] = pattern
	}
	return c
}

// Write receives standard error of the process.
func (l *spoken) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	for said, pattern := range l.wanted {
		if pattern.Match(l.text.Bytes()) {
			close(said)
			delete(l.wanted, said)
		}
	}
	return l.file.Write(p)
}

// String returns the output so far.
func (l *spoken) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// cmdMount implements "mount [FLAG...] [ID...]". The value of a flag is written with =. Some flags have other defaults here, to keep
// away from the user's files and from the clock. The output of assetfs goes to mount.log.
func cmdMount(ts *testscript.TestScript, neg bool, args []string) {
	st := of(ts)
	if neg || st.daemon != nil {
		usage(ts, "mount [FLAG...] [ID...], once before umount")
	}
	var flags, ids []string
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			flags = append(flags, a)
		} else {
			ids = append(ids, a)
		}
	}
	given := func(name string) bool {
		for _, f := range flags {
			if f == name || strings.HasPrefix(f, name+"=") {
				return true
			}
		}
		return false
	}
	preset := [][2]string{
		{"--spool-dir", ts.Getenv("SPOOL")}, {"--spool-min-free", "0"},
	}
	if !given("--demo") {
		preset = append(preset, [][2]string{
			{"--base-url", ts.Getenv("API")}, {"--api-key-file", ts.Getenv("KEYFILE")}, {"--rate-limit", "none"},
		}...)
	}
	if ts.Getenv("AUTO") != "" {
		preset = append(preset, [2]string{"--list-wait", "1m"}) // some servers are slow to start
	}
	for _, p := range preset {
		if !given(p[0]) {
			flags = append(flags, p[0]+"="+p[1])
		}
	}
	d, err := startDaemon(ts, append(append(flags, ts.Getenv("MNT")), ids...))
	if err != nil {
		ts.Fatalf("%v", err)
	}
	st.daemon = d
	ts.Setenv("ASSETFS_PID", strconv.Itoa(d.cmd.Process.Pid))
}

// startDaemon runs assetfs and returns when it is ready.
func startDaemon(ts *testscript.TestScript, args []string) (*daemon, error) {
	mnt := ts.Getenv("MNT")
	file, err := os.OpenFile(ts.MkAbs("mount.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	d := &daemon{
		mnt:    mnt,
		exited: make(chan struct{}),
		log:    &spoken{file: file, wanted: map[chan struct{}]*regexp.Regexp{}},
	}
	ready := d.log.said(regexp.MustCompile("(?m)^assetfs: mounted " + regexp.QuoteMeta(mnt) + "$"))
	//nolint:noctx // it is ended by a signal, as users end it; the watchdog bounds its life
	d.cmd = exec.Command(filepath.Join(of(ts).setup.bin, "assetfs"), args...)
	d.cmd.Dir = ts.MkAbs(".")
	d.cmd.Env = environ(ts)
	d.cmd.Stderr = d.log
	d.cmd.Stdin = strings.NewReader(ts.Getenv("STDIN"))
	ts.Logf("[mount] assetfs %s", strings.Join(args, " "))
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		d.err = d.cmd.Wait()
		file.Close()
		close(d.exited)
	}()
	d.watchdog = time.AfterFunc(of(ts).setup.limit, d.abandon)
	timeout := time.NewTimer(readyLimit)
	defer timeout.Stop()
	select {
	case <-ready:
		return d, nil
	case <-d.exited:
		return nil, fmt.Errorf("assetfs ended before it was ready: %w\n%s", d.err, d.log)
	case <-timeout.C:
		d.abandon()
		return nil, fmt.Errorf("assetfs not ready after %v:\n%s", readyLimit, d.log)
	}
}

// environ returns the script's environment for a process.
func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, k := range []string{
		"PATH", "HOME", "XDG_CACHE_HOME", "LC_ALL", "TZ", "TMPDIR", "MEMORIES_API_KEY", "ASSETFS_BASE_URL", "SSL_CERT_FILE", "NOTIFY_SOCKET",
		"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY",
	} {
		if v := ts.Getenv(k); v != "" {
			env = append(env, k+"="+v)
		}
	}
	if v := os.Getenv("GOMAXPROCS"); v != "" {
		env = append(env, "GOMAXPROCS="+v)
	}
	return env
}

// abandon kills a process that does not end, and detaches its mount, so that programs blocked on it end, too.
func (d *daemon) abandon() {
	_ = d.cmd.Process.Kill() // it may have ended already
	<-d.exited
	if err := detach(d.mnt); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// cmdUmount implements "umount [TERM|INT|KILL]".
func cmdUmount(ts *testscript.TestScript, neg bool, args []string) {
	st := of(ts)
	if neg || st.daemon == nil || len(args) > 1 {
		usage(ts, "umount [TERM|INT|KILL], after mount")
	}
	sig := "TERM"
	if len(args) == 1 {
		sig = args[0]
	}
	d := st.daemon
	st.daemon = nil
	if err := d.stop(sig); err != nil {
		ts.Fatalf("%v", err)
	}
}

// stop sends a signal and waits. Unless the signal is KILL, the exit status must be 0 and the mount must be gone.
func (d *daemon) stop(name string) error {
	defer d.watchdog.Stop()
	if err := d.signal(name); err != nil {
		return err
	}
	timeout := time.NewTimer(readyLimit)
	defer timeout.Stop()
	select {
	case <-d.exited:
	case <-timeout.C:
		d.abandon()
		return fmt.Errorf("assetfs still ran %v after SIG%s:\n%s", readyLimit, name, d.log)
	}
	if name == "KILL" {
		return nil
	}
	if d.err != nil {
		return fmt.Errorf("assetfs after SIG%s: %w\n%s", name, d.err, d.log)
	}
	mounts, err := mountsBelow(d.mnt)
	if err != nil {
		return err
	}
	if len(mounts) > 0 {
		return fmt.Errorf("still mounted after SIG%s: %v\n%s", name, mounts, d.log)
	}
	return nil
}

// signal sends a signal. It is no error if the process has ended already.
func (d *daemon) signal(name string) error {
	sig := unix.SignalNum("SIG" + name)
	if sig == 0 {
		return fmt.Errorf("unknown signal %q", name)
	}
	if err := d.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// cmdSignal implements "signal NAME".
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	st := of(ts)
	if neg || st.daemon == nil || len(args) != 1 {
		usage(ts, "signal NAME, after mount")
	}
	ts.Check(st.daemon.signal(args[0]))
}

// cmdLogged implements "logged REGEXP", which waits until the output of assetfs matches.
func cmdLogged(ts *testscript.TestScript, neg bool, args []string) {
	st := of(ts)
	if neg || st.daemon == nil || len(args) != 1 {
		usage(ts, "logged REGEXP, after mount")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	timeout := time.NewTimer(readyLimit)
	defer timeout.Stop()
	select {
	case <-st.daemon.log.said(pattern):
	case <-st.daemon.exited:
		ts.Fatalf("assetfs ended and never said %q:\n%s", args[0], st.daemon.log)
	case <-timeout.C:
		ts.Fatalf("assetfs did not say %q:\n%s", args[0], st.daemon.log)
	}
}
