package fs

import (
	"context"
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"

	"assetfs/fs/catalog"
)

// fail returns the errno of an operation's error. It logs the error once, and keeps its text
// for user.assetfs.error.
func (f *FS) fail(op, id string, err error) syscall.Errno {
	number := errno(err)
	level := slog.LevelWarn
	if passing(number) {
		level = slog.LevelDebug
	}
	f.o.Log.Log(context.Background(), level, "operation failed", "op", op, "asset", id, "errno", unix.ErrnoName(number), "error", err)
	if level == slog.LevelWarn {
		f.SetLastError(op + " " + id + ": " + err.Error())
	}
	return number
}

// failed is like fail, for an operation on a, whose user.assetfs.error shows the text.
func (f *FS) failed(op string, a *catalog.Asset, err error) syscall.Errno {
	number := f.fail(op, a.ID, err)
	if !passing(number) {
		a.SetErr(err)
	}
	return number
}

// passing reports whether an error only ended a wait, so that there is no fault to log.
func passing(number syscall.Errno) bool { return number == syscall.EINTR || number == syscall.ENODEV }
