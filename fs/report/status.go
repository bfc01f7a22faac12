// Package report tells people what a mount does: the page of --status, and the
// live lines of --progress. It is a leaf: it knows a mount by its extended
// attributes and by what it is handed.
package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// statusAttr is the attribute of a mount's root that holds its Status in JSON.
const statusAttr = "user.assetfs.status"

// Status is what a mount has done. A field that an older mount doesn't tell is
// zero.
type Status struct {
	Mountpoint   string  `json:"mountpoint"`
	PID          int     `json:"pid"`
	Uptime       float64 `json:"uptime_seconds"`
	Requests     int64   `json:"requests"`
	RequestsLeft int     `json:"requests_left"` // -1: no limit
	Downloaded   int64   `json:"downloaded_bytes"`
	Served       int64   `json:"served_bytes"`
	Cost         float64 `json:"cost_dollars"`
	Spool        Spool   `json:"spool"`
	Passthrough  bool    `json:"passthrough"`
	LastError    string  `json:"last_error"`
	Listed       int     `json:"assets_listed"` // Assets may hold fewer: an attribute is 64 KiB at most
	Assets       []Asset `json:"assets"`
}

// Spool is what the spool holds, in bytes.
type Spool struct {
	Dir   string `json:"dir"`
	Bytes int64  `json:"bytes"`
	Limit int64  `json:"limit_bytes"` // 0: none
	Free  int64  `json:"free_bytes"`  // on its disk
}

// Asset is one listed asset.
type Asset struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"` // "" while unknown
	Size    int64    `json:"size"` // -1: unknown
	Spooled int64    `json:"spooled_bytes"`
	Streams []Stream `json:"streams"`
	Error   string   `json:"error"`
}

// Stream is one download.
type Stream struct {
	Speed  float64 `json:"bytes_per_second"`
	Paused bool    `json:"paused"`
	ETA    float64 `json:"eta_seconds"` // 0: unknown
}

// NoMountError means that nothing can be told of a path.
type NoMountError struct {
	Path    string
	Problem string // what is wrong, and what to do instead
	Err     error  // nil if it is not what matters
}

func (e *NoMountError) Error() string { return e.Path + ": " + e.Problem }
func (e *NoMountError) Unwrap() error { return e.Err }

// Read asks the assetfs mounted at path for its Status, as JSON. Errors are of
// type *NoMountError.
func Read(path string) ([]byte, error) {
	text, err := getxattr(path, statusAttr)
	if err == nil && !json.Valid(text) {
		err = errors.New("what it tells is not JSON")
	}
	if err == nil {
		return text, nil
	}
	problem := err.Error()
	switch {
	case errors.Is(err, noAttr), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOTDIR):
		problem = "no assetfs is mounted there; give the directory that was given to assetfs"
	case errors.Is(err, unix.ENOENT):
		problem = "no such directory; give the directory that was given to assetfs"
	case errors.Is(err, unix.ENOTCONN):
		problem = "the assetfs mounted there was killed; run umount " + path + ", then mount again"
	case errors.Is(err, unix.EACCES):
		problem = "another user's mount; ask as that user, or mount with --allow-other"
	}
	return nil, &NoMountError{path, problem, err}
}

// getxattr reads an attribute of any length. One that grows meanwhile is read
// again.
func getxattr(path, name string) ([]byte, error) {
	for {
		n, err := unix.Getxattr(path, name, nil)
		if err != nil {
			return nil, err
		}
		buf := make([]byte, n+4096)
		n, err = unix.Getxattr(path, name, buf)
		if errors.Is(err, unix.ERANGE) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return buf[:n], nil
	}
}

// Decode reads what Read has returned.
func Decode(text []byte) (*Status, error) {
	s := &Status{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("the mount's status: %w", err)
	}
	return s, nil
}

// Print writes what the assetfs mounted at path has done to out: as a page, or
// as JSON. Errors that the path is to blame for are of type *NoMountError.
func Print(out *os.File, path string, asJSON bool) error {
	text, err := Read(path)
	if err != nil {
		return err
	}
	if asJSON {
		var page bytes.Buffer
		if err := json.Indent(&page, text, "", "  "); err != nil {
			return err
		}
		page.WriteByte('\n')
		_, err = page.WriteTo(out)
		return err
	}
	s, err := Decode(text)
	if err != nil {
		return err
	}
	width, _ := Terminal(out)
	return s.Page(out, width)
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
