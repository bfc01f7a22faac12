package fs

import (
	"context"
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"

	"assetfs/fs/catalog"
)

// fail turns the error of an operation into its errno, logs it, once, and keeps
// its words for user.assetfs.error.
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

// failed is fail of an operation on a, whose user.assetfs.error shows it.
func (f *FS) failed(op string, a *catalog.Asset, err error) syscall.Errno {
	number := f.fail(op, a.ID, err)
	if !passing(number) {
		a.SetErr(err)
	}
	return number
}

// failedAside is failed of what the kernel does not wait for.
func (f *FS) failedAside(op string, a *catalog.Asset, err error) { _ = f.failed(op, a, err) }

// passing reports whether an error is the end of a wait, and no fault.
func passing(number syscall.Errno) bool { return number == syscall.EINTR || number == syscall.ENODEV }

// unsized logs, once, that an asset of unknown size shows 0.
func (f *FS) unsized(a *catalog.Asset) {
	f.mu.Lock()
	warned := f.warned[a.ID]
	f.warned[a.ID] = true
	f.mu.Unlock()
	if !warned {
		f.o.Log.Warn("size unknown until the asset is read to its end; it shows as 0", "asset", a.ID)
	}
}
