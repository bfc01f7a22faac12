package fs

import (
	"log/slog"
	"syscall"
	"time"

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
	f.o.Log.Log(f.ctx, level, "operation failed", "op", op, "asset", id, "errno", unix.ErrnoName(number), "error", err)
	if level == slog.LevelWarn {
		f.mu.Lock()
		f.lastErr, f.lastErrAt = op+" "+id+": "+err.Error(), time.Now()
		f.mu.Unlock()
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

// passing reports whether an error is the end of a wait, and no fault.
func passing(number syscall.Errno) bool { return number == syscall.EINTR || number == syscall.ENODEV }

// lastError is the last that went wrong with a, for people.
func lastError(a *catalog.Asset) error {
	if err := a.Err(); err != nil {
		return err
	}
	if e := awake(a); e != nil {
		return e.LastError()
	}
	return nil
}

// lastErrorTime is when that was; zero if nobody knows.
func lastErrorTime(a *catalog.Asset) time.Time {
	if a.Err() != nil {
		return a.ErrTime()
	}
	if e := awake(a); e != nil {
		return e.LastErrorTime()
	}
	return time.Time{}
}

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
