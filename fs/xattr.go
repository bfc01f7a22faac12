package fs

import (
	"context"
	"strconv"
	"syscall"

	"assetfs/fs/service"
)

// The extended attributes of a file. Only the first two are listed, so that `cp -a` doesn't
// copy values that change.
const (
	xattrID      = "user.assetfs.id"
	xattrType    = "user.mime_type" // the freedesktop.org name
	xattrSpooled = "user.assetfs.spooled"
	xattrError   = "user.assetfs.error"
	xattrPinned  = "user.assetfs.pinned"
	xattrWaiting = "user.assetfs.waiting" // as JSON
	xattrSocket  = "user.assetfs.socket"  // of every file, and of the root
)

// Getxattr answers from memory only.
func (n *file) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	switch attr {
	case xattrID:
		return give(dest, n.asset.ID)
	case xattrType:
		if e := service.Awake(n.asset); e != nil && e.Info().Type != "" {
			return give(dest, e.Info().Type)
		}
	case xattrSpooled:
		return give(dest, strconv.FormatInt(service.SpooledOf(n.asset), 10))
	case xattrError:
		if _, _, err := service.LastError(n.asset); err != nil {
			return give(dest, err.Error())
		}
	case xattrPinned:
		if e := service.Awake(n.asset); e != nil && e.Status().Pinned {
			return give(dest, "1")
		}
		return give(dest, "0")
	case xattrWaiting:
		if text, ok := n.fs.WaitingFor(n.asset); ok {
			return give(dest, text)
		}
	}
	return n.fs.socketAttr(attr, dest)
}

// socketAttr answers the attribute with the path of the commands' socket.
func (f *FS) socketAttr(attr string, dest []byte) (uint32, syscall.Errno) {
	if path, ok := f.Socket(); ok && attr == xattrSocket {
		return give(dest, path)
	}
	return 0, absent(attr)
}

// Listxattr lists the attributes that are worth copying.
func (n *file) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	names := xattrID + "\x00"
	if e := service.Awake(n.asset); e != nil && e.Info().Type != "" {
		names += xattrType + "\x00"
	}
	return give(dest, names)
}

// give copies an attribute's value, or returns its length.
func give(dest []byte, value string) (uint32, syscall.Errno) {
	if len(dest) < len(value) {
		return uint32(len(value)), syscall.ERANGE
	}
	return uint32(copy(dest, value)), 0
}
