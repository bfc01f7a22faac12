package spool

import (
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// State is what can be said of a spool without opening it.
type State struct {
	Path   string // of the directory of the base URL
	Exists bool   // else Open would make it
	Held   int64  // bytes of the disk that its files take
	Disk   int64  // bytes of the whole disk
	Free   int64  // what this user may still write to it
	Kind   Kind   // of the file system
}

// Kind is a kind of file system that makes a difference.
type Kind int

// Kinds of file systems.
const (
	Lasting Kind = iota
	Memory       // lost at the next boot, and takes memory
	Network      // slow, and locks and holes may not hold
)

// State is that of an open spool, but for what its files take.
func (d *Dir) State() State {
	s := State{Path: d.path, Exists: true}
	if st, err := statfs(d.self); err == nil {
		s.set(&st)
	}
	return s
}

// Inspect looks at the spool of baseURL below the directory root and changes
// nothing. It calls apply with each record, valid until it returns. Its errors are those of Open, of which a *LockedError leaves the state
// complete; others leave what was found out before.
func Inspect(root, baseURL string, apply func(record []byte)) (s State, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return s, err
	}
	s.Path = filepath.Join(root, directoryName(baseURL))
	above := root
	for missing(above) && above != filepath.Dir(above) {
		above = filepath.Dir(above)
	}
	if err := s.measure(above); err != nil {
		return s, err
	}
	if above != root {
		return s, writable(above)
	}
	if err := ownedByUs(root); err != nil {
		return s, err
	}
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return s, err
	}
	if err := private(resolved); err != nil {
		return s, err
	}
	s.Path = filepath.Join(resolved, directoryName(baseURL))
	if missing(s.Path) {
		return s, writable(resolved)
	}
	if err := private(s.Path); err != nil {
		return s, err
	}
	s.Exists = true
	if err := writable(s.Path); err != nil {
		return s, err
	}
	return s, s.look(apply)
}

// missing reports whether there is nothing at path, not even a link.
func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, iofs.ErrNotExist)
}

// writable refuses a directory that files can't be made in.
func writable(dir string) error {
	if err := unix.Access(dir, unix.W_OK|unix.X_OK); err != nil {
		return &iofs.PathError{Op: "write to", Path: dir, Err: err}
	}
	return nil
}

// measure looks at the disk.
func (s *State) measure(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.IsDir() {
		return errors.Join(err, &iofs.PathError{Op: "open", Path: dir, Err: syscall.ENOTDIR})
	}
	st, err := statfs(f)
	if err != nil {
		return err
	}
	s.set(&st)
	return nil
}

func (s *State) set(st *unix.Statfs_t) {
	s.Free, s.Kind = available(st), kindOf(st)
	s.Disk = int64(min(st.Blocks, 1<<40)) * int64(st.Bsize) //nolint:unconvert // 32 bits on macOS
}

// look reads what the directory holds.
func (s *State) look(apply func([]byte)) error {
	root, err := os.OpenRoot(s.Path)
	if err != nil {
		return err
	}
	defer root.Close()
	entries, err := iofs.ReadDir(root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			if st, ok := info.Sys().(*syscall.Stat_t); ok {
				s.Held += st.Blocks * 512
			}
		}
	}
	if err := s.read(root, apply); err != nil {
		return err
	}
	f, err := root.OpenFile(lockName, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = control(f, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_SH|syscall.LOCK_NB) })
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return &LockedError{s.Path, holder(f)}
	}
	return err
}

// read reads the index. What is behind a damaged record doesn't count.
func (s *State) read(root *os.Root, apply func([]byte)) error {
	f, err := root.OpenFile(indexName, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = replay(f, apply)
	var version *VersionError
	if errors.As(err, &version) {
		version.Dir = s.Path
		return version
	}
	return nil
}
