package spool

import (
	"errors"
	iofs "io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// State describes a spool that is not open.
type State struct {
	Path   string // of the directory of the base URL
	Exists bool   // else Open would make it
	Held   int64  // bytes of the disk that its files take
	Disk   int64  // bytes of the whole disk
	Free   int64  // what this user may still write to it
	Kind   Kind   // of the file system
	// Block is the unit in which room is taken and freed, in bytes. It is the file system's own
	// block, so that punching makes holes, but at least 4 KiB (a page) and at most 1 MiB.
	Block int64
	// StackDepth is what the kernel must be told so that it can read files there by itself: 1, or 2
	// on a stacked file system.
	StackDepth int
	// ZerosAreHoles means that the file system stores zeros as holes, so that a hole proves nothing.
	ZerosAreHoles bool
}

// Kind is a kind of file system that behaves differently.
type Kind int

// Kinds of file systems.
const (
	Lasting Kind = iota
	Memory       // lost at the next boot, and takes memory
	Network      // slow, and locks and holes may not hold
	FAT          // without sparse files: who stores the end of a file writes all of it
)

// Inspect describes the spool of baseURL below the directory root, and changes nothing. It calls apply
// with each record; a record is valid until apply returns. Its errors are those of Open and
// Journal.Replay. With a *LockedError the state is complete; with others it holds what was found out
// before.
func Inspect(root, baseURL string, apply func(record []byte)) (s State, err error) {
	s.Path = filepath.Join(root, directoryName(baseURL))
	there := s.Path // as far as it is there
	for _, err = os.Lstat(there); errors.Is(err, iofs.ErrNotExist); _, err = os.Lstat(there) {
		there = filepath.Dir(there)
	}
	f, err := os.Open(there)
	if err != nil {
		return s, err
	}
	defer f.Close()
	if err := s.measure(f); err != nil {
		return s, err
	}
	dir, err := enter(root, baseURL, false)
	if err != nil && !errors.Is(err, iofs.ErrNotExist) {
		return s, err
	}
	if err := unix.Access(there, unix.W_OK|unix.X_OK); err != nil {
		return s, &iofs.PathError{Op: "write to", Path: there, Err: err}
	}
	if dir == nil {
		return s, nil
	}
	defer dir.Close()
	s.Path, s.Exists = dir.Name(), true
	return s, s.read(dir, apply)
}

// measure examines the disk that f is on.
func (s *State) measure(f *os.File) error {
	var st unix.Statfs_t
	if err := control(f, func(fd int) error { return unix.Fstatfs(fd, &st) }); err != nil {
		return err
	}
	size := int64(st.Bsize)      //nolint:unconvert // 32 bits on macOS
	const most = uint64(1) << 40 // blocks: 4 PiB of the smallest, so that the products fit
	s.Disk, s.Free = int64(min(st.Blocks, most))*size, int64(min(st.Bavail, most))*size
	for s.Block = 4096; s.Block < min(size, 1<<20); {
		s.Block *= 2
	}
	s.StackDepth = 1
	s.judge(&st)
	return nil
}

// read reads the directory.
func (s *State) read(dir *os.Root, apply func([]byte)) error {
	entries, err := iofs.ReadDir(dir.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			s.Held += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
	}
	index, err := openOwn(dir, indexName, os.O_RDONLY)
	if err == nil {
		defer index.Close()
		_, err = replay(index, s.Path, apply)
	}
	if err != nil && !errors.Is(err, iofs.ErrNotExist) && !errors.Is(err, errDamaged) {
		return err
	}
	held, err := openOwn(dir, lockName, os.O_RDONLY)
	if errors.Is(err, iofs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer held.Close()
	return lock(held, syscall.LOCK_SH, s.Path)
}
