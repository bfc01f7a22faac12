package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"assetfs/fs/mount"
	"assetfs/fs/service"
	"assetfs/fs/spool"
)

// spoolRoot returns the directory that holds the spools of all base URLs.
func (a *app) spoolRoot() (string, error) {
	if a.SpoolDir != "" {
		return spool.Root(a.SpoolDir), nil
	}
	cache, err := os.UserCacheDir()
	if err == nil && !filepath.IsAbs(cache) {
		err = errors.New("$HOME is relative") // to a directory that a process in the background leaves
	}
	if err != nil {
		return "", fmt.Errorf("no cache directory (%w); choose one with --spool-dir", err)
	}
	return filepath.Join(cache, "assetfs"), nil
}

// checkPlaces rejects a spool inside of the mount point, or around it.
func (a *app) checkPlaces() error {
	root, err := a.spoolRoot()
	if err != nil {
		return err
	}
	if mount.Nested(a.Mountpoint, root) {
		return &usageError{nested(root, a.Mountpoint)}
	}
	return nil
}

// openSpool opens the spool, unless a signal ends the wait for it.
func (a *app) openSpool(signals <-chan os.Signal) (*service.Store, error) {
	root, err := a.spoolRoot()
	if err != nil {
		return nil, err
	}
	for start := time.Now(); ; {
		store, err := service.OpenStore(root, a.base.String(), service.StoreOptions{Size: int64(a.SpoolSize), MinFree: int64(a.MinFree), Log: a.log})
		if !released(err, time.Since(start)) {
			return store, a.spoolError(err)
		}
		select {
		case s := <-signals:
			if s != syscall.SIGHUP {
				return nil, fmt.Errorf("interrupted: %w", err)
			}
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// ending is what a process says of itself that is not mounted any more and still has
// the spool.
const ending = "which is about to end"

// released reports whether a spool that is in use will be free in a moment: a mount
// that was just taken away writes the last of it, after a moment in which it doesn't
// know yet.
func released(err error, waited time.Duration) bool {
	var locked *spool.LockedError
	if !errors.As(err, &locked) {
		return false
	}
	return waited < time.Second || strings.HasSuffix(locked.Holder, ending) && waited < 30*time.Second
}

// spoolError adds what to do to the error of a directory that can't be used.
func (a *app) spoolError(err error) error {
	var path *os.PathError
	if !errors.As(err, &path) {
		return err // nil, or an error that says what to do
	}
	if errors.Is(err, syscall.EMFILE) {
		return fmt.Errorf("%w: raise the limit of open files (ulimit -n)", err)
	}
	if a.SpoolDir != "" && dangling(a.SpoolDir) {
		return fileError("--spool-dir", a.SpoolDir, os.ErrNotExist, "give a directory that you may write to")
	}
	err = fmt.Errorf("--spool-dir: %w; give a directory that you may write to", err)
	if a.SpoolDir == "" {
		return err
	}
	return &usageError{Err: err}
}
