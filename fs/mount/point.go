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
	"time"

	"golang.org/x/sys/unix"
)

// Point is a directory to mount on.
type Point struct {
	Path    string   // absolute, without symbolic links
	missing bool     // it is to be created
	dead    bool     // it holds a dead mount of ours, which is to be removed
	claimed *os.File // the directory, locked until it is mounted on
}

// look finds out what is at path, and returns an error if nothing can be mounted there. Errors
// say what to do instead.
func look(path string) (*Point, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if target, err := filepath.EvalSymlinks(abs); err == nil {
		abs = target
	}
	p := &Point{Path: abs}
	if p.dead, err = taken(abs); err != nil || p.dead {
		return p, err
	}
	if _, err := os.Stat(abs); !errors.Is(err, os.ErrNotExist) {
		return p, usable(abs)
	}
	if info, err := os.Lstat(abs); err == nil && info.Mode()&os.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s is a dangling symbolic link; give an empty directory, or a path that doesn't exist", abs)
	}
	p.missing = true
	return p, nil
}

// Prepare makes path ready to be mounted on: it creates a missing directory, and removes a
// dead mount of assetfs. If another process has the directory for the moment in which it mounts
// or removes it, Prepare waits for that.
func Prepare(path string, log *slog.Logger) (*Point, error) {
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		p, err := prepare(path, log)
		if !errors.Is(err, errClaimed) || time.Since(start) > time.Second {
			return p, err
		}
	}
}

func prepare(path string, log *slog.Logger) (*Point, error) {
	p, err := look(path)
	if err == nil && p.dead {
		if err := removeDead(p.Path); err != nil {
			return nil, fmt.Errorf("%s holds a dead mount of assetfs that can't be removed; try: %s: %w", p.Path, UnmountHint(p.Path), err)
		}
		log.Warn("removed the mount of an assetfs that was killed", "mountpoint", p.Path)
		p, err = look(path)
	}
	if err == nil && p.missing {
		if err = os.Mkdir(p.Path, 0o755); errors.Is(err, os.ErrExist) {
			p.missing, err = false, nil // somebody else has made it meanwhile
		}
		err = uncreated(err)
	}
	if err == nil {
		err = p.claim()
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// errClaimed means that another process has claimed a directory, or has just removed it.
var errClaimed = errors.New("another assetfs is about to mount there")

// claim keeps others from mounting there at the same time: one mount would hide the
// other. Where directories can't be locked, it does nothing.
func (p *Point) claim() (err error) {
	p.claimed, err = os.Open(p.Path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return busy(p.Path)
	case err != nil:
		return nil // so it can't be locked
	}
	err = unix.Flock(int(p.claimed.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = busy(p.Path)
	} else if _, err = taken(p.Path); err == nil { // by one that had not finished when it was looked at
		err = p.unchanged()
	}
	if err != nil {
		p.claimed.Close()
	}
	return err
}

func busy(path string) error {
	return fmt.Errorf("%s: %w; give another directory", path, errClaimed)
}

// unchanged returns an error if the directory that is claimed has been removed.
func (p *Point) unchanged() error {
	claimed, err := p.claimed.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Stat(p.Path); err != nil || !os.SameFile(now, claimed) {
		return busy(p.Path)
	}
	return nil
}

// Mounted says that the mount is made.
func (p *Point) Mounted() { p.claimed.Close() }

// uncreated adds to the error of creating a mount point what to do.
func uncreated(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("can't create the mount point: %w; create it yourself, or give another one", err)
}

// Remove removes the mount point if Prepare created it, unless somebody else is about to
// mount there.
func (p *Point) Remove() {
	p.claimed.Close()
	if p.missing && p.claim() == nil {
		os.Remove(p.Path)
		p.claimed.Close()
	}
}

// Check returns the errors of Prepare, but changes nothing. remark says what mounting would do
// first.
func Check(path string) (remark string, err error) {
	p, err := look(path)
	switch {
	case err != nil:
		return "", err
	case p.dead:
		return "mounting removes the mount of an assetfs that was killed", nil
	case !p.missing:
		return "", nil
	}
	above := filepath.Dir(p.Path)
	if _, err := os.Stat(above); err != nil {
		return "", uncreated(err)
	}
	return "mounting creates it", mayWrite(above)
}

// usable returns an error if nobody can or should mount on a directory.
func usable(abs string) error {
	info, err := os.Stat(abs)
	if errors.Is(err, os.ErrNotExist) {
		return busy(abs) // it was there a moment ago
	}
	if err != nil {
		return fmt.Errorf("%w; give an empty directory, or a path that doesn't exist", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory; give an empty directory, or a path that doesn't exist", abs)
	}
	d, err := os.Open(abs)
	if errors.Is(err, os.ErrPermission) {
		return fmt.Errorf("you may not read %s; give a directory of your own", abs)
	}
	if errors.Is(err, os.ErrNotExist) {
		return busy(abs)
	}
	if err != nil {
		return err
	}
	defer d.Close()
	if _, err := d.Readdirnames(1); errors.Is(err, os.ErrNotExist) {
		return busy(abs)
	} else if err != io.EOF {
		return fmt.Errorf("%s is not empty; give an empty directory, or a path that doesn't exist", abs)
	}
	return mayWrite(abs)
}

// mayWrite returns an error if the directory belongs to somebody else. fusermount3 would say
// the same in more words.
func mayWrite(dir string) error {
	if err := unix.Access(dir, unix.W_OK); errors.Is(err, unix.EACCES) {
		return fmt.Errorf("you may not write to %s, so you may not mount there; give a directory of your own", dir)
	}
	return nil
}

// taken returns an error if path is mounted on, unless by an assetfs that was killed; then it
// returns dead. A mount whose process lives answers statfs.
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
		return false, fmt.Errorf("%s is mounted already; unmount it first: %s", path, UnmountHint(path))
	}
	return true, nil
}

// Nested reports whether two directories are the same, or one is inside the other. They need
// not exist.
func Nested(a, b string) bool {
	a, b = resolve(a), resolve(b)
	return within(a, b) || within(b, a)
}

func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// resolve resolves the symbolic links in an absolute path, in as much of it as exists.
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

// Quoted writes a path so that it can be pasted into a shell.
func Quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@%") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
