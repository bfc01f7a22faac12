package spool

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// directoryName is the name of the directory of a base URL: the host, for
// people, and a hash, so that another base URL never sees these bytes. A
// trailing slash and the case of scheme and host make no difference.
func directoryName(baseURL string) string {
	host := "local"
	if u, err := url.Parse(baseURL); err == nil && u.Host != "" {
		u.Scheme, u.Host = strings.ToLower(u.Scheme), strings.ToLower(u.Host)
		host = u.Hostname()
		baseURL = u.String()
	}
	sum := sha256.Sum256([]byte(strings.TrimRight(baseURL, "/")))
	return escape(host, ".") + "-" + hex.EncodeToString(sum[:6])
}

// maxEscaped keeps a name, its incarnation and a suffix below the 255 bytes
// that file systems allow.
const maxEscaped = 200

// escape makes a safe and unique file name of an ID. Lower case only, since some
// file systems fold it; of punctuation only what ID need and plain names what
// may stay. A long one is replaced by its hash.
func escape(id, plain string) string {
	var b strings.Builder
	for i := range len(id) {
		c := id[i]
		if 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '-' || strings.IndexByte(plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	if b.Len() > maxEscaped {
		sum := sha256.Sum256([]byte(id))
		return "%h" + hex.EncodeToString(sum[:])
	}
	return cmp.Or(b.String(), "%")
}

// Root returns the directory for spools where path is asked for: path, or, if
// that is the root of a volume that is not this user's alone, as containers get
// them, a directory inside.
func Root(path string) string {
	var here, above unix.Stat_t
	if unix.Stat(path, &here) != nil || unix.Stat(filepath.Join(path, ".."), &above) != nil {
		return path
	}
	mine := int(here.Uid) == os.Geteuid() && here.Mode&0o022 == 0
	if mine || here.Dev == above.Dev && !mountedThere(path) {
		return path
	}
	return filepath.Join(path, "assetfs-"+strconv.Itoa(os.Geteuid()))
}

// enter opens the directory of baseURL below the directory root, and makes both
// if it is told to. It refuses what others could change, or could have made.
func enter(root, baseURL string, create bool) (*os.Root, error) {
	root, err := filepath.Abs(root)
	if err == nil && create {
		err = os.MkdirAll(root, 0o700)
	}
	if err != nil {
		return nil, err
	}
	// A user may keep the spool behind a symbolic link, but it must be the user's.
	fi, err := os.Lstat(root)
	if err != nil {
		return nil, err
	}
	if err := ours(root, fi); err != nil {
		return nil, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	above, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer above.Close()
	// What is open can't be exchanged; nor can what is in it, if it is private.
	if err := private(root, above.Stat, "."); err != nil {
		return nil, err
	}
	name := directoryName(baseURL)
	if create {
		if err := above.Mkdir(name, 0o700); err != nil && !errors.Is(err, iofs.ErrExist) {
			return nil, err
		}
	}
	if err := private(filepath.Join(root, name), above.Lstat, name); err != nil {
		return nil, err
	}
	return above.OpenRoot(name)
}

// ours refuses what belongs to another user.
func ours(path string, fi os.FileInfo) error {
	if uid := int(fi.Sys().(*syscall.Stat_t).Uid); uid != os.Geteuid() {
		return unfit(path, fmt.Sprintf("belongs to user %d", uid))
	}
	return nil
}

// private refuses what is not a directory that only its owner, this user, may
// write to. stat finds it by name.
func private(path string, stat func(string) (os.FileInfo, error), name string) error {
	fi, err := stat(name)
	switch {
	case err != nil:
		return err
	case fi.Mode()&os.ModeSymlink != 0:
		return unfit(path, "is a symbolic link")
	case !fi.IsDir():
		return unfit(path, "is not a directory")
	case fi.Mode().Perm()&0o022 != 0:
		return unfit(path, "can be written to by others (chmod go-w would help)")
	}
	return ours(path, fi)
}

// unfit is the error of what can't be trusted with private bytes.
func unfit(path, why string) error {
	return fmt.Errorf("spool directory %s %s: give another --spool-dir", path, why)
}

// LockedError means that another process uses the directory.
type LockedError struct {
	Dir    string
	Holder string // what the other process said of itself
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("spool directory %s is in use by %s: unmount that one or give another --spool-dir", e.Dir, e.Holder)
}

// lock takes the lock of dir, for which f stands, until f is closed. how is that
// of flock(2).
func lock(f *os.File, how int, dir string) error {
	err := control(f, func(fd int) error { return syscall.Flock(fd, how|syscall.LOCK_NB) })
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	said, _ := io.ReadAll(io.NewSectionReader(f, 0, 4096)) // by Dir.SetHolder
	return &LockedError{dir, cmp.Or(strings.TrimSpace(string(said)), "another process")}
}
