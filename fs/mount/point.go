package mount

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Point is a directory made ready to be mounted on.
type Point struct {
	Path    string // absolute, without symbolic links
	created bool
}

// Prepare makes path ready: it is created when it doesn't exist, and
// a dead mount of ours is taken away. Errors say what to do instead.
func Prepare(path string, log *slog.Logger) (*Point, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		abs = target
	}
	m := &Point{Path: abs}
	if err := m.clear(log); err != nil {
		return nil, err
	}
	if _, err := os.Stat(abs); errors.Is(err, os.ErrNotExist) {
		err := os.Mkdir(abs, 0o755)
		if errors.Is(err, os.ErrExist) {
			return nil, nowhere(abs)
		}
		if err != nil {
			return nil, fmt.Errorf("can't create the mount point: %w; create it yourself, or give another one", err)
		}
		m.created = true
		return m, nil
	}
	return m, usable(abs)
}

// Check says what Prepare would, and changes nothing: remark is
// what mounting would do besides.
func Check(path string) (remark string, err error) {
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
	return fmt.Errorf("%s is a symbolic link to nowhere; give an empty directory, or a path that doesn't exist", path)
}

// usable refuses what nobody can or should mount on.
func usable(abs string) error {
	info, err := os.Stat(abs)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory; give an empty directory, or a path that doesn't exist", abs)
	}
	d, err := os.Open(abs)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("you may not read %s; give a directory of your own", abs)
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Readdirnames(1); err != io.EOF {
		return fmt.Errorf("%s is not empty; give an empty directory, or a path that doesn't exist", abs)
	}
	return mayWrite(abs)
}

// mayWrite refuses a directory of somebody else, as fusermount3 would in more
// words.
func mayWrite(dir string) error {
	if err := unix.Access(dir, unix.W_OK); errors.Is(err, unix.EACCES) {
		return fmt.Errorf("you may not write to %s, so you may not mount there; give a directory of your own", dir)
	}
	return nil
}

// taken refuses a path that is mounted on, but for a dead mount of ours: of a
// process that was killed. One that is alive answers statfs.
func taken(path string) (dead bool, err error) {
	ours, mounted := mountedOn(path)
	if !mounted {
		return false, nil
	}
	var st syscall.Statfs_t
	if !ours {
		return false, fmt.Errorf("%s is mounted already, by another program; give another directory", path)
	}
	if err := syscall.Statfs(path, &st); !errors.Is(err, syscall.ENOTCONN) {
		return false, fmt.Errorf("%s is mounted already; unmount it first: %s", path, unmountHint(path))
	}
	return true, nil
}

// clear refuses a path that is mounted on, and takes away a dead mount of ours.
func (m *Point) clear(log *slog.Logger) error {
	dead, err := taken(m.Path)
	if err != nil || !dead {
		return err
	}
	if err := Detach(m.Path); err != nil {
		return fmt.Errorf("%s holds a dead mount of assetfs that can't be removed; try: %s: %w", m.Path, unmountHint(m.Path), err)
	}
	log.Warn("removed the mount of an assetfs that was killed", "mountpoint", m.Path)
	return nil
}

// Remove takes the mount point away if it was created for the mount.
func (m *Point) Remove() {
	if m.created {
		os.Remove(m.Path)
	}
}

// Nested reports whether two directories, which need not exist, are the same or
// one inside the other.
func Nested(a, b string) bool {
	a, b = resolve(a), resolve(b)
	return within(a, b) || within(b, a)
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// resolve resolves the symbolic links of an absolute path as far as it exists.
func resolve(path string) string {
	target, err := filepath.EvalSymlinks(path)
	if err == nil {
		return target
	}
	parent := filepath.Dir(path)
	if parent == path {
		return path
	}
	return filepath.Join(resolve(parent), filepath.Base(path))
}

// shellQuoted writes path so that it can be pasted into a shell.
func shellQuoted(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$`!*?[]{}()<>|&;#~") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
