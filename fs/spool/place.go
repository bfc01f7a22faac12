package spool

import (
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
	switch {
	case b.Len() == 0:
		return "%"
	case b.Len() > maxEscaped:
		sum := sha256.Sum256([]byte(id))
		return "%h" + hex.EncodeToString(sum[:])
	}
	return b.String()
}

// isBlobName reports whether name is one that BlobName makes.
func isBlobName(name string) bool {
	stem, number, ok := strings.Cut(name, ".")
	if !ok || stem == "" || strings.Trim(stem, "abcdefghijklmnopqrstuvwxyz0123456789_-%") != "" {
		return false
	}
	_, err := strconv.ParseUint(number, 10, 64)
	return err == nil
}

// Root returns the directory for spools where path is asked for: path, or, if
// that is the root of a volume that is not this user's alone, as containers get
// them, a directory inside.
func Root(path string) string {
	fi, err := os.Stat(path)
	if err != nil || !isMountRoot(path) {
		return path
	}
	if ownedBy(fi) == os.Geteuid() && fi.Mode().Perm()&0o022 == 0 {
		return path
	}
	return filepath.Join(path, "assetfs-"+strconv.Itoa(os.Geteuid()))
}

// isMountRoot reports whether something is mounted on path.
func isMountRoot(path string) bool {
	if mounted, known := mountedThere(path); known {
		return mounted
	}
	var here, above unix.Stat_t
	if unix.Stat(path, &here) != nil || unix.Stat(filepath.Join(path, ".."), &above) != nil {
		return false
	}
	return here.Dev != above.Dev
}

// prepare makes sure that there is a directory for baseURL under root that
// belongs to this user alone, and returns its path.
func prepare(root, baseURL string) (string, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(root, 0o700); err != nil {
		return "", err
	}
	// A user may keep the spool behind a symbolic link, but it must be the user's.
	if err := ownedByUs(root); err != nil {
		return "", err
	}
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", err
	}
	if err := private(resolved); err != nil {
		return "", err
	}
	dir := filepath.Join(resolved, directoryName(baseURL))
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, iofs.ErrExist) {
		return "", err
	}
	if err := private(dir); err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o700)
}

// ownedByUs refuses what belongs to another user.
func ownedByUs(path string) error {
	fi, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if uid := ownedBy(fi); uid != os.Geteuid() {
		return &UnsafeError{path, fmt.Sprintf("belongs to user %d", uid)}
	}
	return nil
}

func ownedBy(fi os.FileInfo) int { return int(fi.Sys().(*syscall.Stat_t).Uid) }

// stillPrivate refuses a directory that was exchanged between prepare and its
// opening.
func stillPrivate(root *os.Root) error {
	fi, err := root.Stat(".")
	if err != nil {
		return err
	}
	if ownedBy(fi) != os.Geteuid() || fi.Mode().Perm()&0o077 != 0 {
		return &UnsafeError{root.Name(), "was exchanged by another user"}
	}
	return nil
}

// private refuses what is not a directory that only its owner, this user, may
// write to.
func private(path string) error {
	fi, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case fi.Mode()&os.ModeSymlink != 0:
		return &UnsafeError{path, "is a symbolic link"}
	case !fi.IsDir():
		return &UnsafeError{path, "is not a directory"}
	case fi.Mode().Perm()&0o022 != 0:
		return &UnsafeError{path, "can be written to by others (chmod go-w would help)"}
	}
	return ownedByUs(path)
}

// lockName is the name of the file that is locked, and that says by whom.
const lockName = "lock"

// lock takes the lock of a directory, which lasts until the file is closed.
func lock(root *os.Root) (*os.File, error) {
	for {
		f, err := root.OpenFile(lockName, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, err
		}
		err = control(f, func(fd int) error { return syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB) })
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = &LockedError{root.Name(), holder(f)}
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		// The file may have been removed before it was locked.
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if now, err := root.Lstat(lockName); err == nil && os.SameFile(mine, now) {
			return f, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// holder reads what the process that has the lock wrote about itself.
func holder(f *os.File) string {
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	text := strings.TrimSpace(string(b))
	if err != nil || text == "" {
		return "another process"
	}
	return text
}

// setHolder writes text for others to read.
func setHolder(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text+"\n"), 0)
	return err
}
