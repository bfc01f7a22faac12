package cli

import (
	"fmt"
	"syscall"
)

const (
	// filesLeast is how many open files a mount needs to begin with: some dozen of
	// its own, and room for a few readers, downloads and programs that it starts.
	filesLeast = 64
	// filesEnough is from how many on ordinary use meets no limit.
	filesEnough = 1024
)

// openFiles is the limit of open files of this process. Go has raised it as far as
// it may.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return filesEnough
	}
	return limit.Cur
}

// enoughFiles refuses a limit of open files with which reads would fail.
func enoughFiles(limit uint64) error {
	if limit >= filesLeast {
		return nil
	}
	return fmt.Errorf("the open-file limit of %d is too low, %d are needed; raise it (ulimit -n %d)", limit, filesLeast, filesEnough)
}
