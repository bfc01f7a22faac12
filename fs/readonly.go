package fs

import "github.com/hanwen/go-fuse/v2/fuse"

// readOnly answers every change with EROFS. The kernel does so itself, until root mounts
// again with rw; then go-fuse's answer to unlink and rmdir of what can't be removed is
// success.
type readOnly struct{ fuse.RawFileSystem }

type cancel = <-chan struct{}

func (readOnly) SetAttr(cancel, *fuse.SetAttrIn, *fuse.AttrOut) fuse.Status { return fuse.EROFS }

func (readOnly) Mknod(cancel, *fuse.MknodIn, string, *fuse.EntryOut) fuse.Status { return fuse.EROFS }

func (readOnly) Mkdir(cancel, *fuse.MkdirIn, string, *fuse.EntryOut) fuse.Status { return fuse.EROFS }

func (readOnly) Unlink(cancel, *fuse.InHeader, string) fuse.Status { return fuse.EROFS }

func (readOnly) Rmdir(cancel, *fuse.InHeader, string) fuse.Status { return fuse.EROFS }

func (readOnly) Rename(cancel, *fuse.RenameIn, string, string) fuse.Status { return fuse.EROFS }

func (readOnly) Link(cancel, *fuse.LinkIn, string, *fuse.EntryOut) fuse.Status { return fuse.EROFS }

func (readOnly) Symlink(cancel, *fuse.InHeader, string, string, *fuse.EntryOut) fuse.Status {
	return fuse.EROFS
}
func (readOnly) SetXAttr(cancel, *fuse.SetXAttrIn, string, []byte) fuse.Status { return fuse.EROFS }
func (readOnly) RemoveXAttr(cancel, *fuse.InHeader, string) fuse.Status        { return fuse.EROFS }
func (readOnly) Tmpfile(cancel, *fuse.CreateIn, *fuse.CreateOut) fuse.Status   { return fuse.EROFS }
