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

// directoryName returns the name of the directory for a base URL: the host, for people, and a hash, so
// that other base URLs never share it. A trailing slash and the case of scheme and host don't matter.
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

// maxEscaped keeps a name with its incarnation and a suffix below the 255 bytes that file systems allow.
const maxEscaped = 200

// escape makes a safe and unique file name from an ID. It is in lower case, since some file systems
// ignore case, and keeps of the punctuation only what IDs need and what plain allows. A long ID is
// replaced by its hash.
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

// Root returns the directory for spools if the user has given path: path itself or, if that is the root
// of a volume that others can use, too, as in containers, a directory in it.
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

// enter opens the directory of baseURL below the directory root; with create it makes both. It returns
// an error if other users could change it, or could have made it.
func enter(root, baseURL string, create bool) (*os.Root, error) {
	root, err := filepath.Abs(root)
	if err == nil && create {
		err = os.MkdirAll(root, 0o700)
	}
	if err != nil {
		return nil, err
	}
	// The spool may be behind a symbolic link, but the link must belong to the user.
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
	// An open directory can't be exchanged, nor can what is in it if it is private.
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

// ours returns an error if path belongs to another user.
func ours(path string, fi os.FileInfo) error {
	if uid := int(fi.Sys().(*syscall.Stat_t).Uid); uid != os.Geteuid() {
		return unfit(path, fmt.Sprintf("belongs to user %d", uid))
	}
	return nil
}

// private returns an error unless name is a directory that only its owner, this user, may write to.
// stat finds it by that name.
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

// unfit is the error for a directory that can't be trusted with private data.
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

// lock locks dir, until f, its lock file, is closed. how is as for flock(2).
func lock(f *os.File, how int, dir string) error {
	err := control(f, func(fd int) error { return syscall.Flock(fd, how|syscall.LOCK_NB) })
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return err
	}
	said, _ := io.ReadAll(io.NewSectionReader(f, 0, 4096)) // by Dir.SetHolder
	return &LockedError{dir, cmp.Or(strings.TrimSpace(string(said)), "another process")}
}
