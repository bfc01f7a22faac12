package fs

import (
	"context"
	"strconv"
	"syscall"
)

// The extended attributes of a file. Only the first two are listed, so that
// `cp -a` doesn't copy what changes.
const (
	xattrID      = "user.assetfs.id"
	xattrType    = "user.mime_type" // the freedesktop.org name
	xattrSpooled = "user.assetfs.spooled"
	xattrError   = "user.assetfs.error"
	xattrPinned  = "user.assetfs.pinned"
	xattrWaiting = "user.assetfs.waiting" // as JSON
	xattrSocket  = "user.assetfs.socket"  // of every file, and of the root
)

// Getxattr answers from memory.
func (n *file) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	switch attr {
	case xattrID:
		return give(dest, n.asset.ID)
	case xattrType:
		if e := awake(n.asset); e != nil && e.Info().Type != "" {
			return give(dest, e.Info().Type)
		}
	case xattrSpooled:
		return give(dest, strconv.FormatInt(spooledOf(n.asset), 10))
	case xattrError:
		if err := lastError(n.asset); err != nil {
			return give(dest, err.Error())
		}
	case xattrPinned:
		e := awake(n.asset)
		return give(dest, strconv.Itoa(toInt(e != nil && e.Pinned())))
	case xattrWaiting:
		if w := n.fs.waitingFor(n.asset); len(w) > 0 {
			text, ok := fitting(w, func(w []WaitStatus) any { return w })
			if ok {
				return give(dest, text)
			}
		}
	case xattrSocket:
		if path := n.fs.socket.Load(); path != nil {
			return give(dest, *path)
		}
	}
	return 0, absent(attr)
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Listxattr lists what is worth copying.
func (n *file) Listxattr(_ context.Context, dest []byte) (uint32, syscall.Errno) {
	names := xattrID + "\x00"
	if e := awake(n.asset); e != nil && e.Info().Type != "" {
		names += xattrType + "\x00"
	}
	return give(dest, names)
}

// Getxattr of the root tells what the mount has done.
func (n *root) Getxattr(_ context.Context, attr string, dest []byte) (uint32, syscall.Errno) {
	value, ok := n.fs.statusAttr(attr)
	if !ok {
		return 0, absent(attr)
	}
	return give(dest, value)
}

// noAttrs is for embedding in nodes that have no extended attribute.
type noAttrs struct{}

// Getxattr finds nothing.
func (noAttrs) Getxattr(_ context.Context, attr string, _ []byte) (uint32, syscall.Errno) {
	return 0, absent(attr)
}

// give copies an attribute's value, or says how long it is.
func give(dest []byte, value string) (uint32, syscall.Errno) {
	if len(dest) < len(value) {
		return uint32(len(value)), syscall.ERANGE
	}
	return uint32(copy(dest, value)), 0
}
