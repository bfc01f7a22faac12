package fs

import (
	"context"
	"errors"
	"io"
	"syscall"

	"assetfs/fs/asset"
	"assetfs/fs/caller"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
	"assetfs/remote"
)

// errNameTooLong means that the name is too long for a directory entry.
var errNameTooLong = errors.New("name too long")

// maxName is the longest name of a directory entry, in bytes (NAME_MAX).
const maxName = 255

// errno is the only place where an error becomes a number (DESIGN.md, "errno: one table, one
// function"). It never returns ENOSYS or ENOTSUP, which the kernel would remember for the
// whole mount, or EAGAIN, on which programs spin.
func errno(err error) syscall.Errno {
	var re *remote.Error
	var number syscall.Errno
	switch {
	case err == nil:
		return 0
	case errors.Is(err, caller.ErrInterrupted), errors.Is(err, context.Canceled) && !errors.As(err, &re):
		return syscall.EINTR
	case errors.Is(err, asset.ErrChanged):
		return syscall.ESTALE
	case errors.Is(err, asset.ErrNoSpace):
		return syscall.ENOSPC
	case errors.Is(err, errNameTooLong):
		return syscall.ENAMETOOLONG
	case errors.Is(err, catalog.ErrBusy), errors.Is(err, catalog.ErrUploading), errors.Is(err, remote.ErrUploading),
		errors.Is(err, remote.ErrNoSlot), errors.Is(err, remote.ErrExceeded):
		return syscall.EBUSY
	case errors.Is(err, remote.ErrBudget):
		return syscall.EDQUOT
	case errors.Is(err, remote.ErrNoKey), errors.Is(err, remote.ErrProxy):
		return syscall.EACCES
	case errors.Is(err, remote.ErrUnreachable):
		return syscall.EHOSTUNREACH
	case errors.As(err, &re) && re.Number() != 0:
		return statusErrno(re)
	case errors.Is(err, caller.ErrLate), stalled(err):
		return syscall.ETIMEDOUT
	case errors.Is(err, service.ErrUnmounting), errors.Is(err, asset.ErrClosed):
		return syscall.ENODEV
	case errors.As(err, &number) && (number == syscall.EMFILE || number == syscall.EFBIG):
		return number
	case number == syscall.ENOSPC, number == syscall.EDQUOT: // of the disk: what EDQUOT means here is the account's
		return syscall.ENOSPC
	}
	return syscall.EIO
}

func stalled(err error) bool {
	return errors.Is(err, asset.ErrStalled) || errors.Is(err, remote.ErrStalled) || errors.Is(err, catalog.ErrSlow) ||
		errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, io.ErrUnexpectedEOF)
}

// statusErrno translates an answer of the API (API.md, "Error codes").
func statusErrno(e *remote.Error) syscall.Errno {
	if e.NotFound() {
		return syscall.ENOENT
	}
	switch e.Number() {
	case 400, 405, 409, 415:
		return syscall.EINVAL
	case 401:
		return syscall.EACCES
	case 402:
		return syscall.EDQUOT
	case 403:
		return syscall.EPERM
	case 429:
		return syscall.EBUSY
	}
	return syscall.EIO
}
