package background

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

const (
	// LogName is the name of the log in its directory.
	LogName = "assetfs.log"
	// maxLog is the size, in bytes, at which a new log is started.
	maxLog = 10 << 20
)

// LogError means that a log can't be written where it should be.
type LogError struct {
	Path string
	Err  error
}

func (e *LogError) Error() string { return fmt.Sprintf("can't write the log %s: %v", e.Path, e.Err) }
func (e *LogError) Unwrap() error { return e.Err }

// Journaled reports whether standard error is systemd's journal, which is the log of a child then.
func Journaled() bool {
	journaled, err := journal.StderrIsJournalStream()
	return err == nil && journaled
}

// OpenLog opens the log of a child: LogName in dir, for appending, readable by its owner
// alone. A log of more than 10 MiB is first renamed to LogName.1, which is replaced. See
// Journaled for the other one. Errors are of type *LogError. The caller closes the file.
func OpenLog(dir string) (*os.File, error) {
	if Journaled() {
		fd, err := unix.FcntlInt(uintptr(syscall.Stderr), unix.F_DUPFD_CLOEXEC, 0)
		if err != nil {
			return nil, &LogError{"journal", err}
		}
		return os.NewFile(uintptr(fd), "journal"), nil
	}
	path := filepath.Join(dir, LogName)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &LogError{path, err}
	}
	if info, err := os.Lstat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, &LogError{path, err}
		}
	}
	// The directory may belong to somebody hostile: follow no link, and make sure that the
	// file is ours.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if errors.Is(err, syscall.ELOOP) {
		err = errors.New("it is a symbolic link")
	}
	if err != nil {
		return nil, &LogError{path, err}
	}
	if err := private(f); err != nil {
		f.Close()
		return nil, &LogError{path, err}
	}
	return f, nil
}

// private makes sure that f is a file of ours that nobody else can read.
func private(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("it is not a regular file")
	}
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		return errors.New("it belongs to another user")
	}
	return f.Chmod(0o600)
}
