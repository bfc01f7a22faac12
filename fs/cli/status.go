package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"assetfs/fs/service"
)

// The attributes of a mount's root that hold its Status as JSON. An attribute has at most 64 KiB. So
// the first has as many assets as fit; the second, followed by a number N, has those from the Nth on.
const (
	statusAttr = "user.assetfs.status"
	assetsAttr = "user.assetfs.assets."
)

// newStatus is "assetfs status MOUNTPOINT".
func newStatus() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "status [--all] [--json] MOUNTPOINT",
		Short: "Show what a running mount does, has done, and waits for",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usagef("status takes one mount point; write %s", c.UseLine())
			}
			return nil
		},
		ValidArgsFunction:     completeMount,
		DisableFlagsInUseLine: true,
		RunE: func(_ *cobra.Command, args []string) error {
			ctx, stop := interruptible()
			defer stop()
			// Enough for 100 000 assets.
			debug.SetMemoryLimit(48 << 20)
			if asJSON {
				return printJSON(ctx, args[0])
			}
			s, err := askStatus(ctx, args[0], all)
			if err != nil {
				return err
			}
			width, tty := terminal(os.Stdout)
			if n, err := strconv.Atoi(os.Getenv("COLUMNS")); err == nil && !tty {
				width = max(n, 0)
			}
			return writePage(os.Stdout, s, pageOptions{width: width, all: all})
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as JSON, with all assets")
	c.Flags().BoolVar(&all, "all", false, "show all assets, not only those that are downloaded, waited for or fail")
	return c
}

// printJSON prints the status with all assets, as the mount sends it.
func printJSON(ctx context.Context, path string) error {
	from, err := callStatus(ctx, path, true)
	if errors.Is(err, errNoSocket) {
		s, err := readStatus(path)
		if err != nil {
			return err
		}
		return encode(plainJSON{os.Stdout}, s)
	}
	if err != nil {
		return err
	}
	defer from.Close()
	for lines := bufio.NewReader(io.LimitReader(from, maxAnswer)); ; {
		line, err := lines.ReadBytes('\n')
		if _, werr := (plainJSON{os.Stdout}).Write(line); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// encode writes s as people read it.
func encode(w io.Writer, s *service.Status) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(s)
}

// writeJSON is encode of s with those assets, one after the other, instead of its own.
func writeJSON(w io.Writer, s *service.Status, assets iter.Seq[*service.AssetStatus]) error {
	const none = "[]"
	head := *s
	head.Assets = []service.AssetStatus{} // which come last
	var text bytes.Buffer
	if err := encode(&text, &head); err != nil {
		return err
	}
	all := text.String()
	at := strings.LastIndex(all, none) + 1
	out := bufio.NewWriter(w)
	fmt.Fprint(out, all[:at])
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("    ", "  ")
	separator, end := "\n    ", ""
	for a := range assets {
		text.Reset()
		if err := e.Encode(a); err != nil {
			return err
		}
		fmt.Fprintf(out, "%s%s", separator, bytes.TrimSuffix(text.Bytes(), []byte("\n")))
		separator, end = ",\n    ", "\n  "
	}
	fmt.Fprint(out, end+all[at:])
	return out.Flush()
}

// askStatus asks the mount at path for its status: through its socket, or, if it has none, through the
// attributes of its root.
func askStatus(ctx context.Context, path string, all bool) (*service.Status, error) {
	from, err := callStatus(ctx, path, all)
	if errors.Is(err, errNoSocket) {
		return readStatus(path)
	}
	if err != nil {
		return nil, err
	}
	defer from.Close()
	s := &service.Status{}
	if err := decode(from, s); err != nil {
		return nil, &noMountError{path, err.Error(), err}
	}
	return s, nil
}

// callStatus returns the status in JSON, with all assets or only those worth showing.
func callStatus(ctx context.Context, path string, all bool) (io.ReadCloser, error) {
	if _, err := attr(path, idAttr); err == nil {
		return nil, &noMountError{path, problem(noAttr), nil}
	}
	c, err := dial(path)
	if err != nil {
		return nil, err
	}
	url := "/v1/status"
	if all {
		url += "?all=1"
	}
	from, err := c.call(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, &noMountError{path, err.Error(), err}
	}
	return from, nil
}

// noMountError means that there is no status for a path.
type noMountError struct {
	Path    string
	Problem string // what is wrong, and what to do instead
	Err     error  // may be nil
}

func (e *noMountError) Error() string { return e.Path + ": " + e.Problem }
func (e *noMountError) Unwrap() error { return e.Err }

// readStatus reads the Status of the mount at path from attributes. Errors are of type *noMountError.
func readStatus(path string) (*service.Status, error) {
	s := &service.Status{}
	if err := get(path, statusAttr, s); err != nil {
		return nil, &noMountError{path, problem(err), err}
	}
	for len(s.Assets) < s.Listed {
		var more []service.AssetStatus
		err := get(path, assetsAttr+strconv.Itoa(len(s.Assets)), &more)
		if err != nil && !errors.Is(err, noAttr) {
			return nil, &noMountError{path, problem(err), err}
		}
		if len(more) == 0 {
			break // the list has become shorter, or the mount is too old to have this attribute
		}
		s.Assets = append(s.Assets, more...)
	}
	return s, nil
}

// problem describes an error of get to the user who gave the path.
func problem(err error) string {
	switch {
	case errors.Is(err, noAttr), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOTDIR):
		return "no assetfs is mounted there; give the directory that was given to assetfs"
	case errors.Is(err, unix.ENOENT):
		return "no such directory; give the directory that was given to assetfs"
	case errors.Is(err, unix.ENOTCONN):
		return "the assetfs mounted there was killed; start it again, which removes the dead mount, or run umount"
	case errors.Is(err, unix.EACCES):
		return "another user's mount; ask as that user, or mount with --allow-other"
	}
	return err.Error()
}

// get decodes the value of an attribute.
func get(path, name string, into any) error {
	text, err := attr(path, name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("its answer is not a status: %w", err)
	}
	return nil
}
