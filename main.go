// Command assetfs mounts remote assets as ordinary read-only files.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"assetfs/fs"
	"assetfs/fs/background"
	"assetfs/fs/idlist"
	"assetfs/fs/logqueue"
	"assetfs/fs/memlimit"
	"assetfs/fs/mountopt"
	"assetfs/fs/report"
	"assetfs/fs/settings"
	"assetfs/fs/spool"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// Exit statuses.
const (
	exitOK    = 0
	exitError = 1 // the mount could not be made, or something failed later
	exitUsage = 2
)

// fuseConf is where fusermount looks for what users may do.
const fuseConf = "/etc/fuse.conf"

// farewell is how long the end waits for somebody to take the last lines from
// standard error: more than a busy machine needs.
const farewell = time.Second

// console is standard error. Nobody waits for whoever reads it.
type console struct {
	*logqueue.Queue                  // takes all that is said, and hands it to:
	screen          *report.Progress // puts it above the live lines
	tty             bool             // it is a terminal
}

func newConsole() *console {
	_, tty := report.Terminal(os.Stderr)
	screen := report.NewProgress(os.Stderr, tty)
	return &console{logqueue.New(screen), screen, tty}
}

// app is one run of the command.
type app struct {
	*settings.Settings
	base  *url.URL
	key   string            // from the environment
	noKey bool              // there is no key, there neither; known once serving
	child *background.Child // what we are in the background, else nil
	list  *idlist.List      // of --ids; nil without
	log   *slog.Logger

	out  *console
	live bool // there are live lines
}

func main() {
	// A closed stderr or pipe must never leave a dead mount behind.
	signal.Ignore(syscall.SIGPIPE)
	// A core file would hold the key.
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) // lowering it is always allowed
	memlimit.Set()
	child, err := background.Inherited()
	out := newConsole()
	if err == nil {
		err = run(os.Args[1:], child, out)
	}
	status := exitStatus(err)
	if err != nil {
		fmt.Fprintf(out, "assetfs: %v\n", err)
		if child != nil {
			child.Fail(err.Error(), status)
		}
	}
	out.Close(farewell)
	os.Exit(status)
}

func exitStatus(err error) int {
	var usage *settings.UsageError
	var inner *background.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &inner):
		return inner.Status
	}
	return exitError
}

// run does what the command line asks for.
func run(args []string, child *background.Child, out *console) error {
	s, err := settings.Parse(args)
	if err != nil {
		return err
	}
	switch {
	case s.Help:
		return s.WriteHelp(os.Stdout)
	case s.Version:
		return printVersion()
	case s.Status:
		return report.Print(os.Stdout, s.Mountpoint, s.JSON)
	}
	a, err := newApp(s, child, out)
	if err != nil {
		return err
	}
	if s.Daemon && child == nil {
		return a.startChild(args)
	}
	return a.serve()
}

func newApp(s *settings.Settings, child *background.Child, out *console) (*app, error) {
	a := &app{Settings: s, child: child, out: out, key: os.Getenv(settings.KeyVariable)}
	// Programs that we start have no business with the key.
	if err := os.Unsetenv(settings.KeyVariable); err != nil {
		return nil, err
	}
	a.live = s.Progress.Value == "always" || s.Progress.Value == "auto" && out.tty && !s.Daemon && child == nil
	options := &slog.HandlerOptions{Level: slog.LevelWarn - slog.Level(4*s.Verbose)}
	a.log = slog.New(out.Handler(func(w io.Writer) slog.Handler {
		if s.LogFormat.Value == "json" {
			return slog.NewJSONHandler(w, options)
		}
		return slog.NewTextHandler(w, options)
	}))
	// Some of what net/http and go-fuse have to say goes to the standard logger.
	slog.SetDefault(a.log)
	slog.SetLogLoggerLevel(slog.LevelWarn)
	if child != nil {
		a.key = child.Key
		if err := os.Chdir("/"); err != nil {
			return nil, err
		}
	}
	if s.IDs != "" {
		a.list = &idlist.List{Name: s.IDs, Pattern: s.IDPattern, Log: a.log}
	}
	if !s.Demo {
		var err error
		if a.base, err = remote.CheckBaseURL(s.BaseURL, s.Insecure); err != nil {
			return nil, &settings.UsageError{Err: err}
		}
	}
	if !s.Demo || s.SpoolDir != "" {
		if err := a.checkPlaces(); err != nil {
			return nil, err
		}
	}
	if s.AllowOther && os.Geteuid() != 0 && runtime.GOOS == "linux" {
		if err := mountopt.MayAllowOther(fuseConf); err != nil {
			return nil, err
		}
	}
	return a, nil
}

func printVersion() error {
	version := "(unknown version)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version + " " + info.GoVersion
	}
	_, err := fmt.Println("assetfs", version)
	return err
}

// startChild goes on in the background, and returns when the mount is ready.
func (a *app) startChild(args []string) error {
	root, err := a.spoolRoot()
	if err != nil {
		return err
	}
	handover := background.Handover{Key: a.key}
	if a.list != nil && (a.IDs == "-" || a.list.Once()) {
		ids, err := a.readList()
		if err != nil {
			return err
		}
		handover.IDs = append([]string{}, ids...)
	}
	logFile, err := background.OpenLog(root)
	if err != nil {
		return a.spoolError(err)
	}
	defer logFile.Close()
	err = background.Start(background.Options{Args: args, Log: logFile, Handover: handover})
	if err != nil {
		return err
	}
	point, err := filepath.EvalSymlinks(a.Mountpoint)
	if err != nil {
		point = a.Mountpoint // unmounted again already
	}
	fmt.Fprintf(a.out, "assetfs: mounted %s\n", point)
	return nil
}

// handed reports whether the parent has read --ids for us, since only it could.
func (a *app) handed() bool { return a.child != nil && a.child.IDs != nil }

// readList reads --ids for the first time.
func (a *app) readList() ([]string, error) {
	switch {
	case a.list == nil:
		return nil, nil
	case a.handed():
		return a.child.IDs, nil
	case a.IDs == "-":
		ids, bad, err := idlist.Read(os.Stdin, "-", a.IDPattern)
		idlist.WarnBad(a.log, bad)
		return ids, err
	}
	ids, err := a.list.Read()
	if err != nil {
		return nil, &settings.UsageError{Err: fmt.Errorf("--ids: %w; give a file of asset IDs, one a line, or - for standard input", err)}
	}
	return ids, nil
}

// apiKey is the key, if there is one. A file that can't be read is refused
// rather than found out by the first read.
func (a *app) apiKey() (*remote.Key, error) {
	key := remote.NewKey(a.KeyFile, a.key)
	err := key.Check()
	switch {
	case err == nil:
		return key, nil
	case err == remote.ErrNoKey: //nolint:errorlint // wrapped, it has another reason
		a.noKey = !a.Demo
		return key, nil
	case a.KeyFile == "":
		return nil, &settings.UsageError{Err: fmt.Errorf("%s: %w; write the key and nothing else", settings.KeyVariable, err)}
	}
	return nil, &settings.UsageError{Err: fmt.Errorf("--api-key-file: %w; give a file that holds the key and nothing else", err)}
}

// serve mounts and serves until the mount is gone.
func (a *app) serve() error {
	listed, err := a.readList()
	if err != nil {
		return err
	}
	always := slices.Clone(a.Args) // whatever --ids says
	key, err := a.apiKey()
	if err != nil {
		return err
	}
	if a.Demo {
		stop, err := a.serveDemo()
		if err != nil {
			return err
		}
		defer stop()
		key = remote.NewKey("", "demo")
		always = append(always, fakeapi.DemoIDs()...)
	}
	point, err := fs.PrepareMountpoint(a.Mountpoint, a.log)
	if err != nil {
		return err
	}
	defer point.Remove()
	dir, err := a.openSpool()
	if err != nil {
		return err
	}
	defer func() {
		if err := dir.Close(); err != nil {
			a.log.Error("closing the spool", "error", err)
		}
	}()
	dir.SetHolder(fmt.Sprintf("pid %d, mounted at %s", os.Getpid(), point.Path))
	client := remote.NewClient(a.base, remote.Options{
		Key:             key,
		RateLimit:       a.RateLimit,
		Ledger:          dir,
		Notes:           dir,
		MaxDownload:     int64(a.MaxDownload),
		ResponseTimeout: a.StallTimeout,
		UserAgent:       "assetfs",
		Log:             a.log,
	})
	defer client.Close()
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) // before a signal could find a mount
	m, err := fs.Mount(point.Path, slices.Concat(always, listed), client, dir, a.mountOptions())
	if err != nil {
		return fmt.Errorf("can't mount on %s: %w", point.Path, err)
	}
	reread := make(chan struct{}, 1)
	endWatch := a.watch(reread, func(ids []string) { m.SetList(slices.Concat(always, ids)) })
	fmt.Fprintf(a.out, "assetfs: mounted %s\n", point.Path)
	if a.noKey {
		a.log.Warn("no API key (--api-key-file or MEMORIES_API_KEY): only what is in the spool can be read")
	}
	if a.live {
		requests := func() int64 { return client.Stats().Requests }
		a.out.screen.Start(report.Activity{Requests: requests, Status: m.Status})
	}
	daemon.SdNotify(false, daemon.SdNotifyReady) //nolint:errcheck // no systemd, no matter
	if a.child != nil && a.child.Ready() != nil {
		signals <- syscall.SIGTERM // whoever asked for the mount has gone meanwhile
	}
	go obey(signals, a.out, m, func() {
		client.ForgetFailures()
		m.ForgetFailures()
		a.log.Info("SIGHUP: failures are forgotten, --ids and the key are read again")
		select {
		case reread <- struct{}{}:
		default: // it is about to happen
		}
	})
	m.Wait()
	daemon.SdNotify(false, daemon.SdNotifyStopping) //nolint:errcheck // likewise
	endWatch()
	a.out.screen.Close(farewell)
	m.Close()
	fmt.Fprintln(a.out, "assetfs:", m.Summary())
	return nil
}

func (a *app) mountOptions() fs.Options {
	return fs.Options{
		IDPattern: a.IDPattern, ByMetadata: a.Resolve.Value == "metadata", ListWait: a.ListWait,
		ReadAhead: int64(a.ReadAhead), StallTimeout: a.StallTimeout, RetryFor: a.RetryFor,
		PricePerGB: a.PricePerGB, MaxDownload: int64(a.MaxDownload),
		UID: a.UID, GID: a.GID, Umask: uint32(a.Umask), AllowOther: a.AllowOther, Source: a.Source, StableInodes: a.StableInodes, Debug: a.DebugFUSE, Log: a.log,
	}
}

// watch tells changes of --ids until the function that it returns is called.
func (a *app) watch(reread <-chan struct{}, changed func(ids []string)) (end func()) {
	if a.list == nil || a.IDs == "-" || a.handed() || a.list.Once() {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		a.list.Watch(ctx, reread, func(ids []string) {
			changed(ids)
			a.log.Info("the list of assets has changed", "file", a.IDs, "assets", len(ids)) // what is said is so
		})
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// spoolRoot is the directory for spools of any base URL.
func (a *app) spoolRoot() (string, error) {
	if a.SpoolDir != "" {
		return spool.Root(a.SpoolDir), nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("no cache directory (%w); say where with --spool-dir", err)
	}
	return filepath.Join(cache, "assetfs"), nil
}

// checkPlaces refuses a spool that the mount would hide, or that would hold it.
func (a *app) checkPlaces() error {
	root, err := a.spoolRoot()
	if err != nil {
		return err
	}
	if fs.Nested(a.Mountpoint, root) {
		return &settings.UsageError{Err: fmt.Errorf("the spool (%s) and the mount point (%s) must not be one inside the other; give another --spool-dir or mount point", root, a.Mountpoint)}
	}
	return nil
}

func (a *app) openSpool() (*spool.Dir, error) {
	root, err := a.spoolRoot()
	if err != nil {
		return nil, err
	}
	dir, err := spool.Open(root, a.base.String(), spool.Options{
		Size: int64(a.SpoolSize), MinFree: int64(a.MinFree), Accept: fs.AcceptSpooled(remote.Impostor), Log: a.log,
	})
	return dir, a.spoolError(err)
}

// spoolError says of a directory that can't be used which one to give.
func (a *app) spoolError(err error) error {
	var path *os.PathError
	if !errors.As(err, &path) {
		return err // it says so itself, or it is nil
	}
	if errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("%w: raise the limit of open files (ulimit -n)", err)
	}
	err = fmt.Errorf("--spool-dir: %w; give a directory that you may write to", err)
	if a.SpoolDir == "" {
		return err
	}
	return &settings.UsageError{Err: err}
}

// serveDemo starts the embedded API on loopback and points the mount at it.
func (a *app) serveDemo() (stop func(), err error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: fakeapi.Demo(), ReadHeaderTimeout: time.Minute}
	go server.Serve(l) //nolint:errcheck // ends with Close
	a.base = &url.URL{Scheme: "http", Host: l.Addr().String()}
	a.RateLimit = remote.RateLimit{}
	remove := func() {}
	if a.SpoolDir == "" {
		if a.SpoolDir, err = os.MkdirTemp("", "assetfs-demo-"); err != nil {
			server.Close()
			return nil, err
		}
		remove = func() { os.RemoveAll(a.SpoolDir) }
	}
	return func() {
		server.Close()
		remove()
	}, nil
}

// obey ends the mount on SIGINT and SIGTERM, and renews on SIGHUP. It never
// waits, so that no signal goes unseen.
func obey(signals <-chan os.Signal, out io.Writer, m *fs.FS, renew func()) {
	say := func(text string) { fmt.Fprintln(out, "assetfs:", text) }
	asked := false
	for s := range signals {
		switch {
		case s == syscall.SIGHUP:
			renew()
		case s == syscall.SIGINT && !asked:
			m.Unmount(say)
			asked = true
		default: // systemd asks only once
			m.Detach(say)
		}
	}
}
