// Package report tells people what a mount does: the page of --status, and the
// live lines of --progress. It is a leaf: it knows a mount by its extended
// attributes and by the Status it is handed.
package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The attributes of a mount's root that tell its Status in JSON. An attribute is
// 64 KiB at most, so the first tells of as many assets as fit, and the second,
// with a number N behind it, of the next ones from the Nth on.
const (
	statusAttr = "user.assetfs.status"
	assetsAttr = "user.assetfs.assets."
)

// MaxValue is the most that an attribute holds, in bytes, on Linux.
const MaxValue = 64 << 10

// Status is what a mount has done, as the root's attribute user.assetfs.status
// and --status --json tell it. A field that an older mount doesn't tell is zero.
type Status struct {
	Mountpoint   string  `json:"mountpoint"`
	PID          int     `json:"pid"`
	Uptime       float64 `json:"uptime_seconds"`
	Requests     int64   `json:"requests"`
	RequestsLeft int     `json:"requests_left"`      // -1: no limit
	Downloaded   int64   `json:"downloaded_bytes"`   // at least: what was on its way when a download ended, only the server knows
	MaxDownload  int64   `json:"max_download_bytes"` // 0: no budget
	Served       int64   `json:"served_bytes"`       // read through us, not by the kernel itself
	FromSpool    int64   `json:"from_spool_bytes"`   // that much of Served was not downloaded for it
	Cost         float64 `json:"cost_dollars"`       // of Downloaded: at least
	Saved        float64 `json:"saved_dollars"`      // what FromSpool would have cost
	Kernel       Kernel  `json:"kernel"`
	Spool        Spool   `json:"spool"`
	LastError    string  `json:"last_error,omitempty"`
	Listed       int     `json:"assets_listed"` // Assets holds fewer if the list was changed meanwhile
	Assets       []Asset `json:"assets"`
}

// Kernel is what was left to the kernel, and is in no other figure.
type Kernel struct {
	Passthrough bool  `json:"passthrough"` // it reads whole assets by itself
	Opens       int64 `json:"opens"`       // of whole assets
	Bytes       int64 `json:"bytes"`       // their sizes together
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
	Name    string   `json:"name,omitempty"` // "" while unknown
	Size    int64    `json:"size"`           // -1: unknown
	Spooled int64    `json:"spooled_bytes"`
	Streams []Stream `json:"streams,omitempty"`
	Error   string   `json:"error,omitempty"`
}

// Stream is one download.
type Stream struct {
	Pos    int64   `json:"pos"`
	Speed  float64 `json:"bytes_per_second"`
	Paused bool    `json:"paused"`
	ETA    float64 `json:"eta_seconds,omitempty"` // 0: unknown
}

// NoMountError means that nothing can be told of a path.
type NoMountError struct {
	Path    string
	Problem string // what is wrong, and what to do instead
	Err     error  // nil if it is not what matters
}

func (e *NoMountError) Error() string { return e.Path + ": " + e.Problem }
func (e *NoMountError) Unwrap() error { return e.Err }

// Read asks the assetfs mounted at path for its Status. Errors are of type
// *NoMountError.
func Read(path string) (*Status, error) {
	s := &Status{}
	if err := get(path, statusAttr, s); err != nil {
		return nil, &NoMountError{path, problem(err), err}
	}
	for len(s.Assets) < s.Listed {
		var more []Asset
		err := get(path, assetsAttr+strconv.Itoa(len(s.Assets)), &more)
		if err != nil && !errors.Is(err, noAttr) {
			return nil, &NoMountError{path, problem(err), err}
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
	buf := make([]byte, MaxValue)
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

// Print writes what the assetfs mounted at path has done to out: as a page, or
// as JSON. Errors that the path is to blame for are of type *NoMountError.
func Print(out *os.File, path string, asJSON bool) error {
	s, err := Read(path)
	if err != nil {
		return err
	}
	if asJSON {
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(s)
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
