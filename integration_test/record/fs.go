//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// read is one read, as the kernel requests it.
type read struct {
	thread     uint32 // that reads; 0: a thread of the kernel
	start, end time.Duration
	off, n     int64
}

// log holds the reads of one file.
type log struct {
	name    string
	latency time.Duration

	mu      sync.Mutex // guards the fields below
	began   time.Time  // the first read
	reads   []read
	kernels map[uint32]bool // whether a thread is the kernel's
}

// start records that a read begins, and returns the time since the first one.
func (l *log) start() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.began.IsZero() {
		l.began = time.Now()
	}
	return time.Since(l.began)
}

func (l *log) add(r read) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kernel, known := l.kernels[r.thread]
	if !known {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", r.thread))
		kernel = err == nil && len(b) == 0
		if l.kernels == nil {
			l.kernels = map[uint32]bool{}
		}
		l.kernels[r.thread] = kernel
	}
	if kernel {
		r.thread = 0
	}
	r.end = time.Since(l.began)
	l.reads = append(l.reads, r)
}

// mount mounts dir on mnt, with the settings of fs.Mount.
func mount(dir, mnt string, l *log) (*fuse.Server, error) {
	return fusefs.Mount(mnt, &dirNode{path: dir, log: l}, &fusefs.Options{
		NullPermissions: true,
		MountOptions: fuse.MountOptions{
			FsName:                   "assetfs",
			Name:                     "assetfs",
			AllowOther:               true, // VLC refuses to run as root
			Options:                  []string{"ro", "nosuid", "nodev"},
			MaxWrite:                 1 << 20,
			MaxBackground:            4096,
			ExplicitDataCacheControl: true,
			DirectMount:              true,
			DirectMountFlags:         unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV,
			ExtraCapabilities:        fuse.CAP_DIRECT_IO_ALLOW_MMAP | fuse.CAP_READDIRPLUS_AUTO,
		},
	})
}

// dirNode is a directory of regular files.
type dirNode struct {
	fusefs.Inode
	path string
	log  *log
}

var (
	_ fusefs.NodeOnAdder   = (*dirNode)(nil)
	_ fusefs.NodeGetattrer = (*dirNode)(nil)
	_ fusefs.NodeGetattrer = (*fileNode)(nil)
	_ fusefs.NodeOpener    = (*fileNode)(nil)
	_ fusefs.FileReader    = (*handle)(nil)
	_ fusefs.FileReleaser  = (*handle)(nil)
)

// OnAdd adds the files. The directory does not change.
func (d *dirNode) OnAdd(ctx context.Context) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		fmt.Fprintln(os.Stderr, "record:", err)
	}
	for _, e := range entries {
		f := &fileNode{path: filepath.Join(d.path, e.Name()), log: d.log, traced: e.Name() == d.log.name}
		d.AddChild(e.Name(), d.NewPersistentInode(ctx, f, fusefs.StableAttr{Mode: syscall.S_IFREG}), true)
	}
}

func (d *dirNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode = syscall.S_IFDIR | 0o555
	return 0
}

type fileNode struct {
	fusefs.Inode
	path   string
	log    *log
	traced bool
}

// Getattr returns the sizes by which programs choose their buffers. They are those that assetfs
// returns for an absent asset. Like assetfs it sets no timeout.
func (f *fileNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	var st syscall.Stat_t
	if err := syscall.Stat(f.path, &st); err != nil {
		return fusefs.ToErrno(err)
	}
	out.FromStat(&st)
	out.Blksize, out.Blocks = 128<<10, 1
	out.Mode = syscall.S_IFREG | 0o444
	return 0
}

// Open opens a file as assetfs opens an asset that is partly present.
func (f *fileNode) Open(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, 0, fusefs.ToErrno(err)
	}
	return &handle{fileNode: f, File: file}, fuse.FOPEN_DIRECT_IO | fuse.FOPEN_NOFLUSH, 0
}

type handle struct {
	*fileNode
	*os.File
}

// Read reads the file, and records who read what.
func (h *handle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	var start time.Duration
	if h.traced {
		start = h.log.start()
	}
	n, err := h.ReadAt(dest, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fusefs.ToErrno(err)
	}
	time.Sleep(h.log.latency)
	// Reads at the end of the file return nothing and are not recorded.
	if c, ok := fuse.FromContext(ctx); ok && h.traced && n > 0 {
		h.log.add(read{thread: c.Pid, start: start, off: off, n: int64(n)})
	}
	return fuse.ReadResultData(dest[:n]), 0
}

func (h *handle) Release(context.Context) syscall.Errno {
	h.Close()
	return 0
}
