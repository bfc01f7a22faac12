package fs

import (
	"log/slog"
	"syscall"

	"golang.org/x/sys/unix"
)

// fail turns the error of an operation into its errno, logs it, once, and keeps
// its words for user.assetfs.error.
func (f *FS) fail(op, id string, err error) syscall.Errno {
	number := errno(err)
	level := slog.LevelWarn
	if number == syscall.EINTR || number == syscall.ENODEV {
		level = slog.LevelDebug
	}
	f.o.Log.Log(f.ctx, level, "operation failed", "op", op, "asset", id, "errno", unix.ErrnoName(number), "error", err)
	if level == slog.LevelWarn {
		f.mu.Lock()
		f.lastErr = op + " " + id + ": " + err.Error()
		f.mu.Unlock()
	}
	return number
}

// unsized logs, once, that an asset of unknown size shows 0.
func (f *FS) unsized(e *entry) {
	f.mu.Lock()
	warned := f.warned[e.id]
	f.warned[e.id] = true
	f.mu.Unlock()
	if !warned {
		f.o.Log.Warn("size unknown until the asset is read to its end; it shows as 0", "asset", e.id)
	}
}
