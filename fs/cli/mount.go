package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"

	"assetfs/fs"
	"assetfs/fs/cli/background"
	"assetfs/fs/cli/idlist"
	"assetfs/fs/cli/limits"
	"assetfs/fs/cli/mountopt"
	"assetfs/fs/mount"
	"assetfs/fs/service"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// fuseConf is the configuration of fusermount.
const fuseConf = "/etc/fuse.conf"

// app is one run of the mount command.
type app struct {
	*settings
	base *url.URL

	libraryURL *url.URL // nil: none
	listLimit  remote.RateLimit

	key   string            // from the environment
	noKey bool              // there is no key at all; set by apiKey
	found *remote.Key       // the result of apiKey; nil: not yet
	child *background.Child // set if we run in the background
	list  *idlist.List      // of --ids; nil: none
	log   *slog.Logger

	out  *console
	live bool // there are live lines
}

func newApp(s *settings, child *background.Child, out *console) (*app, error) {
	if err := enoughFiles(openFiles()); err != nil {
		return nil, err
	}
	a := &app{settings: s, child: child, out: out, key: os.Getenv(keyVariable)}
	// Programs that we start must not see the key.
	if err := os.Unsetenv(keyVariable); err != nil {
		return nil, err
	}
	a.live = s.Progress.Value == "always" || s.Progress.Value == "auto" && out.tty && !s.Daemon && child == nil
	options := &slog.HandlerOptions{Level: slog.LevelWarn - slog.Level(4*s.Verbose)}
	a.log = slog.New(out.Handler(func(w io.Writer) slog.Handler {
		if s.LogFormat.Value == "json" {
			return slog.NewJSONHandler(plainJSON{w}, options)
		}
		return slog.NewTextHandler(w, options)
	}))
	// net/http and go-fuse write some messages to the standard logger.
	slog.SetDefault(a.log)
	slog.SetLogLoggerLevel(slog.LevelWarn)
	if child != nil {
		a.key = child.Key
		if child.KeyRead {
			a.KeyFile = ""
		}
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
			return nil, &usageError{Err: err}
		}
		if a.libraryURL, err = s.Library.root(s.Insecure); err != nil {
			return nil, &usageError{Err: err}
		}
		a.listLimit = remote.RateLimit{Rates: []remote.Rate{remote.ListRate}}
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
		return ids, a.listError(err)
	}
	ids, err := a.list.Read()
	return ids, a.listError(err)
}

func (a *app) listError(err error) error {
	if err == nil {
		return nil
	}
	return fileError("--ids", a.IDs, err, "give a file of asset IDs, one a line, or - for standard input")
}

// apiKey returns the key, if there is one. It rejects a file that can't be read now rather than
// at the first read.
func (a *app) apiKey() (*remote.Key, error) {
	if a.found != nil {
		return a.found, nil // its file may be a pipe
	}
	key := remote.NewKey(a.KeyFile, a.key)
	err := key.Check()
	switch {
	case err == nil:
		a.found = key
		return key, nil
	case err == remote.ErrNoKey: //nolint:errorlint // a wrapped one has another reason
		a.noKey = !a.Demo
		a.found = key
		return key, nil
	case a.KeyFile == "":
		return nil, &usageError{Err: fmt.Errorf("%s: %w; write the key and nothing else", keyVariable, err)}
	}
	return nil, fileError("--api-key-file", a.KeyFile, err, "give a file that holds the key and nothing else")
}

// trust returns the certificates to trust; nil: those of this machine.
func (a *app) trust() (*tls.Config, error) {
	if a.CAFile == "" {
		return nil, nil
	}
	text, err := a.certificates()
	if err != nil {
		return nil, err
	}
	roots, err := remote.Roots(text)
	if err != nil {
		return nil, a.caError(err)
	}
	return &tls.Config{RootCAs: roots}, nil
}

// certificates returns the text of --ca-file.
func (a *app) certificates() ([]byte, error) {
	const most = 16 << 20 // bytes; all that a machine trusts are some 200 KiB
	if a.child != nil && a.child.Certificates != nil {
		return a.child.Certificates, nil
	}
	f, err := os.Open(a.CAFile)
	if err != nil {
		return nil, a.caError(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	switch {
	case err != nil:
		return nil, a.caError(err)
	case len(text) > most:
		return nil, a.caError(fmt.Errorf("longer than %d bytes", most))
	}
	return text, nil
}

func (a *app) caError(err error) error {
	return fileError("--ca-file", a.CAFile, err, "give a file of certificates in PEM form")
}

// serve mounts and serves until the mount is gone.
func (a *app) serve() error {
	few, err := limits.Threads()
	if err != nil {
		return err
	}
	listed, err := a.readList()
	if err != nil {
		return err
	}
	always := slices.Clone(a.Args) // listed whatever --ids says
	key, err := a.apiKey()
	if err != nil {
		return err
	}
	trust, err := a.trust()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP) // before anything is made that they would leave behind
	if a.Demo {
		stop, err := a.serveDemo()
		if err != nil {
			return err
		}
		defer stop()
		key = remote.NewKey("", "demo")
		always = append(always, fakeapi.DemoIDs()...)
	}
	point, err := mount.Prepare(a.Mountpoint, a.log)
	if err != nil {
		return a.orCommand(err)
	}
	defer point.Remove()
	dir, err := a.openSpool(signals)
	if err != nil {
		return err
	}
	defer func() {
		if err := dir.Close(); err != nil {
			a.log.Error("closing the spool", "error", err)
		}
	}()
	dir.Dir().SetHolder(fmt.Sprintf("pid %d, mounted at %s", os.Getpid(), point.Path))
	client := remote.NewClient(a.base, a.clientOptions(key, trust, dir))
	defer client.Close()
	review := a.newReview(client, a.base, dir, slices.Concat(always, listed))
	defer review.close()
	m, err := fs.Mount(point.Path, slices.Concat(always, listed), client, dir, a.mountOptions(few))
	if err != nil {
		return fmt.Errorf("can't mount on %s: %w", point.Path, err)
	}
	point.Mounted()
	end := a.attend(m, client, key, dir.Dir().Path(), always, signals)
	a.sayMounted(point.Path)
	if a.noKey {
		a.log.Warn("no API key (--api-key-file or MEMORIES_API_KEY): only what is in the spool can be read")
	}
	if a.live {
		requests := func() int64 { return client.Stats().Requests }
		a.out.screen.Start(activity{Requests: requests, Status: func() service.Status { return m.Status(service.Active) }})
	}
	daemon.SdNotify(false, daemon.SdNotifyReady) //nolint:errcheck // fails without systemd
	if a.child != nil && a.child.Ready(review.wait()...) != nil {
		signals <- syscall.SIGTERM // the parent is gone, so unmount again
	}
	review.publish()
	m.Wait()
	dir.Dir().SetHolder(fmt.Sprintf("pid %d, %s", os.Getpid(), ending))
	daemon.SdNotify(false, daemon.SdNotifyStopping) //nolint:errcheck // fails without systemd
	end()
	m.Close()
	fmt.Fprintln(a.out, "assetfs:", m.Summary())
	return nil
}

// attend serves commands, obeys signals, and follows changes of --ids, whose assets are listed beside always,
// and of the key, until end is called. Later signals are obeyed still.
func (a *app) attend(m *fs.FS, client *remote.Client, key *remote.Key, spool string, always []string, signals <-chan os.Signal) (end func()) {
	commands, err := listen(m.Service, spool, a.log)
	if err != nil {
		a.log.Warn("commands (status, fetch, free, pin) are not possible", "error", err)
	}
	forget := func() {
		client.ForgetFailures()
		m.ForgetFailures()
	}
	reread := make(chan struct{}, 1)
	endList := a.watch(reread, func(ids []string) { m.SetList(slices.Concat(always, ids)) })
	endKey := watchKey(a.KeyFile, key, func() {
		forget()
		a.log.Info("the key has changed: failures are forgotten", "file", a.KeyFile)
	})
	go obey(signals, a.out, m, func() {
		forget()
		a.log.Info("SIGHUP: failures are forgotten, --ids and the key are read again")
		select {
		case reread <- struct{}{}:
		default: // a reread is pending already
		}
	})
	return func() {
		endList()
		endKey()
		a.out.screen.Close(farewell)
		if commands != nil {
			commands.close()
		}
	}
}

func (a *app) clientOptions(key *remote.Key, trust *tls.Config, dir *service.Store) remote.Options {
	return remote.Options{
		Key:             key,
		RateLimit:       a.RateLimit,
		Library:         a.libraryURL,
		ListLimit:       a.listLimit,
		Ledger:          dir,
		Notes:           dir,
		MaxDownload:     int64(a.MaxDownload),
		ResponseTimeout: a.StallTimeout,
		TLS:             trust,
		Log:             a.log,
	}
}

func (a *app) mountOptions(fewThreads bool) fs.Options {
	return fs.Options{
		Options: service.Options{
			IDPattern: a.IDPattern, ByMetadata: a.Resolve.Value == "metadata", ListWait: a.ListWait,
			ReadAhead: int64(a.ReadAhead), StallTimeout: a.StallTimeout, RetryFor: a.RetryFor,
			PricePerGB: a.PricePerGB, MaxDownload: int64(a.MaxDownload), MaxPerMonth: int64(a.MaxPerMonth),
			Libraries: a.Library.Scopes, Looked: a.looked, Log: a.log,
		},
		UID: a.UID, GID: a.GID, Umask: uint32(a.Umask), AllowOther: a.AllowOther, Source: a.Source,
		StableInodes: a.StableInodes, FewThreads: fewThreads, Debug: a.DebugFUSE,
	}
}

// watch reports changes of --ids until end is called.
func (a *app) watch(reread <-chan struct{}, changed func(ids []string)) (end func()) {
	if a.list == nil || a.IDs == "-" || passing(a.IDs) {
		return func() {}
	}
	return watching(func(ctx context.Context, do func(func())) {
		a.list.Watch(ctx, reread, func(ids []string) {
			do(func() { changed(ids) })
			a.log.Info("the list of assets has changed", "file", a.IDs, "assets", len(ids)) // after the change took effect
		})
	})
}

// obey unmounts on SIGINT and SIGTERM, and renews on SIGHUP. It never waits, so no signal is
// missed.
func obey(signals <-chan os.Signal, out io.Writer, m *fs.FS, renew func()) {
	say := func(text string) { fmt.Fprintln(out, "assetfs:", printable(text)) }
	asked := false
	for s := range signals {
		switch {
		case s == syscall.SIGHUP:
			renew()
		case s == syscall.SIGINT && !asked:
			m.Unmount(say)
			asked = true
		default: // a second SIGINT, or SIGTERM, which systemd sends only once
			m.Detach(say)
		}
	}
}
