package fs

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"sync"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/caller"
	"assetfs/fs/catalog"
	"assetfs/fs/inode"
	"assetfs/fs/mount"
	"assetfs/fs/service"
	"assetfs/remote"
)

// Options configure a mount. Each field says what its zero value means.
type Options struct {
	service.Options

	UID, GID     uint32 // owner of everything shown
	Umask        uint32 // mode bits not shown
	AllowOther   bool   // other users may use the mount
	Source       string // what the mount table shows as mounted; "": assetfs
	StableInodes bool   // one inode for each content, whatever is present of it; no passthrough
	FewThreads   bool   // the process may not have many: what waits for the disk takes turns
	Debug        bool   // log every kernel request
}

// FS is a mounted file system.
type FS struct {
	*mount.Mount
	*service.Service
	o      Options
	root   *dir
	server *fuse.Server
	turns  turns

	inodesMu sync.Mutex // guards inodes; a leaf
	inodes   map[*catalog.Asset]*inode.Inodes
}

// Mount mounts the assets with the given IDs on mountpoint. The caller still owns client and
// store. Close ends the mount, even if it was unmounted from outside.
func Mount(mountpoint string, ids []string, client *remote.Client, store *service.Store, o Options) (*FS, error) {
	f := &FS{o: o, inodes: map[*catalog.Asset]*inode.Inodes{}}
	if o.FewThreads {
		f.turns = make(turns, atOnce)
		o.Turns = f.turns
	}
	f.Service = service.New(mountpoint, ids, client, store, service.Hooks{
		Changed: f.directoriesChanged, Failed: func(op string, a *catalog.Asset, err error) { _ = f.failed(op, a, err) },
	}, o.Options)
	f.Mount = mount.New(mountpoint, mount.Options{Log: o.Log, Suspend: f.Suspend, Holds: store.Dir().SetHolder})
	err := mount.Available()
	if err == nil {
		// A fifth of the limit is left for the kernel's and go-fuse's own time: at least
		// 3 s, since the kernel takes a limit of 15 s to be shorter.
		caller.ReplyWithin(mount.Patience(mount.RequestTimeout()))
		err = mount.Explain(f.start())
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	f.Begin(f.server.Wait)
	if !f.Kernel.Passthrough.Load() {
		f.RaiseReadAhead()
	}
	return f, nil
}

// serve mounts on point and serves it, as fusefs.Mount does. The kernel sends requests as soon as
// it is mounted, so what they need is there before the first one is answered.
func (f *FS) serve(point string, o *fusefs.Options) (err error) {
	f.root = f.newRoot()
	f.server, err = fuse.NewServer(readOnly{fusefs.NewNodeFS(f.root, o)}, point, &o.MountOptions)
	if err != nil {
		return err
	}
	f.probePassthrough()
	f.Start()
	go f.server.Serve()
	return f.server.WaitMount()
}

// call returns the context of a kernel request that may have to wait. End must be called on it
// before the reply. go-fuse's own context ends with any signal, and must not be used later.
func (f *FS) call(ctx context.Context, w service.Wait) *caller.Call {
	return caller.New(threadOf(ctx), ctx.Done(), &f.Waits, w)
}

// threadOf returns the thread that made a kernel request; 0 if unknown.
func threadOf(ctx context.Context) uint32 {
	if fc, ok := ctx.(*fuse.Context); ok {
		return fc.Pid
	}
	return 0
}

// fuseOptions returns the best settings found (KERNEL.md, "Settings found best").
func (f *FS) fuseOptions() *fusefs.Options {
	level := slog.LevelDebug
	if f.o.Debug {
		level = slog.LevelWarn // asked for, so it must be seen
	}
	o := &fusefs.Options{
		// No default timeouts: go-fuse would use them where 0 is meant.
		NullPermissions: true,
		RootStableAttr:  &fusefs.StableAttr{Ino: rootIno, Mode: fuse.S_IFDIR},
		Logger:          slog.NewLogLogger(f.o.Log.Handler(), level),
	}
	o.MountOptions = fuse.MountOptions{
		Name:                     "assetfs",
		MaxWrite:                 mount.LargestRead(),
		MaxBackground:            4096,
		MaxInflightRequestBytes:  64 << 20, // of memory: at most 17 reads of 1 MiB, and tens of thousands of waiting requests
		PanicHandler:             f.panicked,
		ExplicitDataCacheControl: true,
		MaxStackDepth:            f.Store.State().StackDepth,
		// READDIRPLUS only where the entries are looked at (`ls -l`). Without AUTO every listing would look all of them up.
		ExtraCapabilities: fuse.CAP_DIRECT_IO_ALLOW_MMAP | fuse.CAP_READDIRPLUS_AUTO,
		Logger:            o.Logger,
	}
	o.Debug = f.o.Debug
	return o
}

// panicked turns a panic in a handler into one failed request and a log line.
func (f *FS) panicked(reason any) fuse.Status {
	f.o.Log.Error("a fault in assetfs: please report it", "panic", reason, "stack", string(debug.Stack()))
	return fuse.EIO
}

// probePassthrough finds out whether the kernel can read spool files by itself. It tries that
// before the first open, because go-fuse silently gives it up for the whole mount at the first
// failure.
func (f *FS) probePassthrough() {
	err := errors.New("--stable-inodes") // the kernel refuses it on an inode with handles from when it was partly present
	if !f.o.StableInodes {
		err = f.tryPassthrough()
	}
	f.Kernel.Passthrough.Store(err == nil)
	if err != nil {
		f.o.Log.Info("whole assets are read through the page cache", "reason", err)
	} else {
		f.o.Log.Info("whole assets are read by kernel passthrough")
	}
}

func (f *FS) owner(out *fuse.Attr) {
	out.Uid, out.Gid = f.o.UID, f.o.GID
	out.Nlink = 1
}

// directoriesChanged has the kernel ask for the times of the directories again.
func (f *FS) directoriesChanged() {
	if f.server == nil {
		return // it is not mounted yet
	}
	f.timeMoved(rootIno)
	f.timeMoved(byIDIno)
	for _, d := range f.Catalog.Dirs() {
		f.timeMoved(d.Ino)
	}
}

// timeMoved has the kernel ask for a directory's time again, if it knows the directory. Unlike
// invalidating an entry, this needs no directory lock, so it may be done while a request is answered.
func (f *FS) timeMoved(ino uint64) { f.server.InodeNotify(ino, -1, 0) }
