package cli

import (
	"fmt"
	"syscall"
)

const (
	// filesLeast is how many open files a mount needs: a few dozen of its own, and some for
	// readers, downloads and programs that it starts.
	filesLeast = 64
	// filesEnough is how many suffice for ordinary use.
	filesEnough = 1024
)

// openFiles returns this process's limit of open files. Go has already raised it to the maximum.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return filesEnough
	}
	return limit.Cur
}

// enoughFiles rejects a limit of open files that would make reads fail.
func enoughFiles(limit uint64) error {
	if limit >= filesLeast {
		return nil
	}
	return fmt.Errorf("the open-file limit of %d is too low, %d are needed; raise it (ulimit -n %d)", limit, filesLeast, filesEnough)
}
