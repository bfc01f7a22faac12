package fs

import (
	"errors"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// platformOptions are macFUSE's: the name in the Finder, 600 s (its most) until
// a volume that waits for the network is declared dead, and no AppleDouble
// files looked up.
func platformOptions(o *fuse.MountOptions) {
	o.FsName = "assetfs" // by which mountedOn knows our own
	o.Options = append(o.Options, "volname=assetfs", "daemon_timeout=600", "noappledouble", "noapplexattr")
}

func (f *FS) tryPassthrough() error {
	return errors.New("macOS has no passthrough")
}

func (f *FS) raiseReadAhead() {} // macOS reads ahead by itself

// fuseAvailable leaves it to go-fuse to look for macFUSE.
func fuseAvailable() error { return nil }

func (f *FS) start() (*fuse.Server, error) {
	return fusefs.Mount(f.mountpoint, f.root, f.fuseOptions())
}

// requestTimeout is daemon_timeout.
func requestTimeout() time.Duration { return 10 * time.Minute }
