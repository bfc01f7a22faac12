package fs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"regexp"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/ledger"
	"assetfs/fs/mount"
	"assetfs/remote"
)

// Options say how a mount behaves. The zero value of a field is what its
// comment says.
type Options struct {
	IDPattern    *regexp.Regexp // what a valid asset ID looks like, anchored; required
	ByMetadata   bool           // names come from the free metadata call, not from the download's header
	ListWait     time.Duration  // how long a listing waits for names
	ReadAhead    int64          // bytes a stream may run ahead
	StallTimeout time.Duration  // no byte for this long is a dead stream
	RetryFor     time.Duration  // how long one read keeps retrying
	PricePerGB   float64        // dollars, for reports
	MaxDownload  int64          // bytes, for reports; the client enforces it
	MaxPerMonth  int64          // bytes that this spool downloads in a month of local time; 0: no limit
	UID, GID     uint32         // owner of everything shown
	Umask        uint32         // mode bits not shown
	AllowOther   bool           // other users may use the mount
	Source       string         // what the mount table shows as mounted; "": assetfs
	StableInodes bool           // one inode for each content, whatever is present of it; no passthrough
	FewThreads   bool           // the process may not have many: what waits for the disk takes turns
	Debug        bool           // log every kernel request

	// Libraries are scopes whose videos are listed. Those of a single one stand in the
	// root, of several each has a directory. Looked is called after each look at one;
	// nil: nobody.
	Libraries []string
	Looked    func(Look)

	Log *slog.Logger // required
}

// FS is a mounted file system.
type FS struct {
	*mount.Mount
	o           Options
	client      *remote.Client
	store       *asset.Store
	catalog     *catalog.Catalog
	root        *root
	server      *fuse.Server
	started     time.Time
	ledger      *ledger.Ledger
	passthrough bool // the kernel reads whole assets by itself
	turns       turns

	ctx        context.Context // ends with the mount
	cancel     context.CancelFunc
	mounted    atomic.Bool  // server is set; requests may come before
	served     atomic.Int64 // bytes given to readers by us
	opens      atomic.Int64 // of whole assets, left to the kernel
	opened     atomic.Int64 // their sizes together
	waits      waits
	pins       chan struct{} // has an element when pinned assets are to be looked at
	background sync.WaitGroup
	socket     atomic.Pointer[string] // where commands are taken, nil if nowhere

	mu        sync.Mutex      // guards what follows
	warned    map[string]bool // IDs whose unknown size was logged
	lastErr   string
	lastErrAt time.Time
}

// Mount mounts the assets with those IDs on mountpoint. The mount owns neither
// client nor store. Close ends it, whether or not it was unmounted from outside.
func Mount(mountpoint string, ids []string, client *remote.Client, store *asset.Store, o Options) (*FS, error) {
	f := &FS{
		o: o, client: client, store: store, started: time.Now(),
		warned: map[string]bool{},
		pins:   make(chan struct{}, 1),
	}
	f.Mount = mount.New(mountpoint, mount.Options{Log: o.Log, Suspend: f.suspend, Lost: store.Dir().SetHolder})
	if o.FewThreads {
		f.turns = make(turns, atOnce)
	}
	f.ctx, f.cancel = context.WithCancel(context.Background())
	f.ledger = ledger.New(ledger.Options{
		Notes: store, PricePerGB: o.PricePerGB, MaxPerMonth: o.MaxPerMonth,
		Spent: client.Spent, Served: f.served.Load, Allow: client.Allow, Log: o.Log,
	})
	f.ledger.Start()
	api := source{client, o.Log, func(id string) (bucket, blob string, err error) { return f.catalog.Place(id) }}
	store.Serve(&asset.Options{
		Source:       api,
		ReadAhead:    o.ReadAhead,
		StallTimeout: o.StallTimeout,
		RetryFor:     o.RetryFor,
		Log:          o.Log,
		Turns:        f.turns,
	})
	f.root = &root{fs: f}
	f.catalog = catalog.New(catalog.Options{
		Pattern:    o.IDPattern,
		ByMetadata: o.ByMetadata,
		ListWait:   o.ListWait,
		RetryFor:   o.RetryFor,
		API:        api,
		Record:     record{store},
		Facts: func(id string, learnt func()) catalog.Facts {
			a := store.Asset(id)
			a.OnFacts(learnt)
			return &content{Asset: a}
		},
		Fold:    foldNames,
		Changed: f.directoriesChanged,
		Scopes:  o.Libraries,
		Lister:  api,
		Notes:   store,
		Looked:  o.Looked,
	})
	f.SetList(ids)

	if err := mount.Available(); err != nil {
		f.Close()
		return nil, err
	}
	readReplyLimit()
	server, err := f.start()
	if err != nil {
		f.Close()
		return nil, mount.Explain(err)
	}
	f.server = server
	f.Begin(server.Wait)
	f.mounted.Store(true)
	f.probePassthrough()
	f.catalog.Start()
	f.background.Go(f.keepPinned)
	return f, nil
}

// fuseOptions are the settings found best (KERNEL.md, "Settings found best").
func (f *FS) fuseOptions() *fusefs.Options {
	level := slog.LevelDebug
	if f.o.Debug {
		level = slog.LevelWarn // asked for, so it must be seen
	}
	o := &fusefs.Options{
		// No default timeouts: go-fuse would apply them to a 0 that is meant.
		NullPermissions: true,
		RootStableAttr:  &fusefs.StableAttr{Ino: rootIno, Mode: fuse.S_IFDIR},
		Logger:          slog.NewLogLogger(f.o.Log.Handler(), level),
	}
	o.MountOptions = fuse.MountOptions{
		FsName:                   cmp.Or(f.o.Source, "assetfs"),
		Name:                     "assetfs",
		AllowOther:               f.o.AllowOther,
		Options:                  []string{"ro", "nosuid", "nodev"},
		MaxWrite:                 largestRead(),
		MaxBackground:            4096,
		MaxInflightRequestBytes:  maxInflight,
		PanicHandler:             f.panicked,
		ExplicitDataCacheControl: true,
		DirectMount:              true,
		MaxStackDepth:            f.store.State().StackDepth,
		// READDIRPLUS where somebody looks at what was listed (`ls -l`); without AUTO each listing would look all of it up.
		ExtraCapabilities: fuse.CAP_DIRECT_IO_ALLOW_MMAP | fuse.CAP_READDIRPLUS_AUTO,
		Logger:            o.Logger,
	}
	if f.o.AllowOther {
		o.Options = append(o.Options, "default_permissions")
	}
	platformOptions(&o.MountOptions)
	o.Debug = f.o.Debug
	return o
}

// largestRead is what the kernel may ask for at a time, in bytes. go-fuse holds that
// for each read that waits, so where memory is little it is no more than reads of
// ordinary files ask for.
func largestRead() int {
	const usual, little = 1 << 20, 512 << 20
	if debug.SetMemoryLimit(-1) < little { // it asks
		return usual / 8
	}
	return usual
}

// maxInflight bounds what go-fuse holds of requests, in bytes: 17 readers of 1 MiB
// at most, and the rest is enough for tens of thousands that wait.
const maxInflight = 64 << 20

// panicked makes of a panic in a handler one failed request and a log line.
func (f *FS) panicked(reason any) fuse.Status {
	f.o.Log.Error("a fault in assetfs: please report it", "panic", reason, "stack", string(debug.Stack()))
	return fuse.EIO
}

// SetList makes ids the listed assets, in that order.
func (f *FS) SetList(ids []string) { f.catalog.SetList(ids) }

// ForgetFailures lets everything that failed be tried again at once.
func (f *FS) ForgetFailures() {
	for _, a := range f.catalog.All() {
		engine(a).ForgetFailure()
	}
	f.catalog.Forget()
}

// suspend has reads fail that wait.
func (f *FS) suspend() {
	for _, a := range f.catalog.All() {
		engine(a).Suspend(errUnmounting)
	}
}

// Close ends all downloads, after the unmount, and what the mount started.
func (f *FS) Close() {
	f.cancel()
	var wg sync.WaitGroup
	for _, a := range f.catalog.All() {
		wg.Go(engine(a).Close)
	}
	wg.Wait()
	f.background.Wait()
	f.catalog.Close()
	f.ledger.Close()
}

// probePassthrough finds out whether the kernel may read spool files by itself.
// It is tried once: go-fuse gives up on it for the whole mount at the first
// failure, silently.
func (f *FS) probePassthrough() {
	err := errStable
	if !f.o.StableInodes {
		err = f.tryPassthrough()
	}
	f.passthrough = err == nil
	if err != nil {
		f.o.Log.Info("whole assets are read through the page cache", "reason", err)
		f.RaiseReadAhead()
	} else {
		f.o.Log.Info("whole assets are read by kernel passthrough")
	}
}

// errStable is why there is no passthrough with one inode for each content: the
// kernel refuses it beside handles of an inode that was partly present.
var errStable = errors.New("--stable-inodes")

func (f *FS) owner(out *fuse.Attr) {
	out.Uid, out.Gid = f.o.UID, f.o.GID
	out.Nlink = 1
}

// dirAttr describes a directory whose list of names last changed at changed.
func (f *FS) dirAttr(out *fuse.Attr, ino uint64, changed time.Time) {
	f.owner(out)
	out.Ino = ino
	out.Mode = fuse.S_IFDIR | 0o555&^f.o.Umask
	out.Nlink = 2
	out.SetTimes(&changed, &changed, &changed)
}

// directoriesChanged has the kernel ask again for the times of the directories.
// Unlike an invalidated entry that needs no lock of a directory.
func (f *FS) directoriesChanged() {
	if !f.mounted.Load() {
		return
	}
	inos := []uint64{rootIno, byIDIno}
	for _, d := range f.catalog.Dirs() {
		inos = append(inos, d.Ino)
	}
	for _, ino := range inos {
		f.server.InodeNotify(ino, -1, 0) // the kernel may know neither
	}
}
