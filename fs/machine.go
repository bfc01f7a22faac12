package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Machine is what a mount needs of this machine.
type Machine struct {
	Release     string        // of the kernel
	Device      error         // why FUSE can't be used, nil if it can
	MayMount    bool          // this process may mount by itself
	Helper      error         // why fusermount3 can't mount for it, nil if it can
	Passthrough bool          // the kernel may read whole assets by itself
	Timeout     time.Duration // after which the kernel aborts a mount that doesn't answer; 0: never
}

// Patience is how long a request may wait below a limit of the kernel.
func Patience(limit time.Duration) time.Duration { return limit - limit/5 }

// CheckMountpoint says what PrepareMountpoint would, and changes nothing: remark is
// what mounting would do besides.
func CheckMountpoint(path string) (remark string, err error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		abs = target
	}
	dead, err := taken(abs)
	switch {
	case err != nil:
		return "", err
	case dead:
		return "mounting removes the mount of an assetfs that was killed", nil
	}
	if _, err := os.Stat(abs); errors.Is(err, os.ErrNotExist) {
		if info, err := os.Lstat(abs); err == nil && info.Mode()&os.ModeSymlink != 0 {
			return "", nowhere(abs)
		}
		above := filepath.Dir(abs)
		if _, err := os.Stat(above); err != nil {
			return "", fmt.Errorf("can't create the mount point: %w; create it yourself, or give another one", err)
		}
		if err := mayWrite(above); err != nil {
			return "", err
		}
		return "mounting creates it", nil
	}
	return "", usable(abs)
}

// nowhere refuses a symbolic link that leads to nothing.
func nowhere(path string) error {
	return fmt.Errorf("%s is a dangling symbolic link; give an empty directory, or a path that doesn't exist", path)
}
