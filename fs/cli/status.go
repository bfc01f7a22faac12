package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"assetfs/fs"
)

// The attributes of a mount's root that tell its Status in JSON. An attribute is
// 64 KiB at most, so the first tells of as many assets as fit, and the second,
// with a number N behind it, of the next ones from the Nth on.
const (
	statusAttr = "user.assetfs.status"
	assetsAttr = "user.assetfs.assets."
)

// noMountError means that nothing can be told of a path.
type noMountError struct {
	Path    string
	Problem string // what is wrong, and what to do instead
	Err     error  // nil if it is not what matters
}

func (e *noMountError) Error() string { return e.Path + ": " + e.Problem }
func (e *noMountError) Unwrap() error { return e.Err }

// readStatus asks the assetfs mounted at path for its Status. Errors are of type
// *noMountError.
func readStatus(path string) (*fs.Status, error) {
	s := &fs.Status{}
	if err := get(path, statusAttr, s); err != nil {
		return nil, &noMountError{path, problem(err), err}
	}
	for len(s.Assets) < s.Listed {
		var more []fs.AssetStatus
		err := get(path, assetsAttr+strconv.Itoa(len(s.Assets)), &more)
		if err != nil && !errors.Is(err, noAttr) {
			return nil, &noMountError{path, problem(err), err}
		}
		if len(more) == 0 {
			break // the list has become shorter, or the mount is too old to tell
		}
		s.Assets = append(s.Assets, more...)
	}
	return s, nil
}

// problem says what an error of get means to whoever gave the path.
func problem(err error) string {
	switch {
	case errors.Is(err, noAttr), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOTDIR):
		return "no assetfs is mounted there; give the directory that was given to assetfs"
	case errors.Is(err, unix.ENOENT):
		return "no such directory; give the directory that was given to assetfs"
	case errors.Is(err, unix.ENOTCONN):
		return "the assetfs mounted there was killed; start it again, which takes the dead mount away, or run umount"
	case errors.Is(err, unix.EACCES):
		return "another user's mount; ask as that user, or mount with --allow-other"
	}
	return err.Error()
}

// get decodes an attribute's value.
func get(path, name string, into any) error {
	buf := make([]byte, fs.MaxAttr)
	n, err := unix.Getxattr(path, name, buf)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Getxattr(path, name, buf)
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(buf[:n], into); err != nil {
		return fmt.Errorf("what it tells is no status: %w", err)
	}
	return nil
}

// printStatus writes what the assetfs mounted at path has done to out: as a page, or
// as JSON. Errors that the path is to blame for are of type *noMountError.
func printStatus(out *os.File, path string, asJSON bool) error {
	s, err := readStatus(path)
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(s)
	}
	width, _ := terminal(out)
	return writePage(out, s, width)
}

// printable writes what a server chose so that a terminal only shows it:
// control characters and those that turn the direction of text are escaped.
func printable(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r == '\uFFFD' || !isPrint(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
