package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	iofs "io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"assetfs/fs/cli/idlist"
	"assetfs/fs/service"
)

// errOtherUser means that the mount belongs to another user.
var errOtherUser = errors.New("another user's mount; ask as that user")

// errNoSocket means that the mount has no socket: it could not make one, or is too old.
var errNoSocket = errors.New("the mount accepts no commands: its log says why, or it is an older version")

// The attributes with which commands find a mount and the assets in it.
const (
	socketAttr = "user.assetfs.socket"
	idAttr     = "user.assetfs.id"
)

// client sends commands to a running mount.
type client struct {
	socket string
	http   http.Client
}

// dial returns a client for the mount that contains path. The error is errNoSocket or a
// *noMountError.
func dial(path string) (*client, error) {
	socket, err := attr(path, socketAttr)
	if errors.Is(err, noAttr) && isMount(path) {
		return nil, errNoSocket
	}
	if err != nil {
		return nil, &noMountError{path, problem(err), err}
	}
	c := &client{socket: socket}
	c.http.Transport = &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dir, err := os.Open(filepath.Dir(socket))
		if err != nil {
			return nil, err
		}
		defer dir.Close()
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", within(dir, filepath.Base(socket)))
		if err == nil && os.Geteuid() != 0 && !allowed(peer(conn).uid) {
			conn.Close() // it may be any socket: another user's file system tells where it is
			return nil, errOtherUser
		}
		return conn, err
	}}
	return c, nil
}

// isMount reports whether path lies in a mount of ours.
func isMount(path string) bool {
	_, err := attr(path, idAttr)
	if err != nil {
		_, err = attr(path, "user.assetfs.uptime")
	}
	return err == nil
}

// call makes a request and returns the body of the answer, which the caller closes.
func (c *client) call(ctx context.Context, method, path string, body any) (io.ReadCloser, error) {
	var text bytes.Buffer
	if body != nil {
		if err := json.NewEncoder(&text).Encode(body); err != nil {
			return nil, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://assetfs"+path, &text)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(r)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, os.ErrPermission), errors.Is(err, errOtherUser):
		return nil, errOtherUser
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("the mount does not answer at %s; does it belong to another machine or container?", c.socket)
	case err != nil:
		return nil, fmt.Errorf("the mount has ended: %w", errors.Unwrap(err))
	}
	if resp.StatusCode == http.StatusOK {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	why, err := io.ReadAll(io.LimitReader(resp.Body, 4096))
	switch {
	case err != nil:
		return nil, err
	case resp.StatusCode == http.StatusNotFound:
		return nil, errors.New("the mount is an older version without this command; unmount it and mount it again")
	}
	return nil, errors.New(printable(strings.TrimSpace(string(why)))) // another user's mount may answer anything
}

// ask makes a request and decodes the answer.
func (c *client) ask(ctx context.Context, method, path string, body, into any) error {
	from, err := c.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer from.Close()
	return decode(from, into)
}

// maxAnswer bounds an answer, in bytes: a status of a million assets.
const maxAnswer = 1 << 30

// decode reads an answer.
func decode(from io.Reader, into any) error {
	if err := json.NewDecoder(io.LimitReader(from, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("the answer of the mount: %w", err)
	}
	return nil
}

// attr returns the value of an extended attribute.
func attr(path, name string) (string, error) {
	buf := make([]byte, service.MaxAttr)
	n, err := unix.Getxattr(path, name, buf)
	for errors.Is(err, unix.EINTR) {
		n, err = unix.Getxattr(path, name, buf)
	}
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

// target is a group of assets in one mount, for a command.
type target struct {
	*client
	ids  []string
	path map[string]string // as the user gave it, by ID
}

// title returns the user's path of an asset, or its name in the mount.
func (t *target) title(r *result) string {
	switch {
	case t.path[r.ID] != "":
		return t.path[r.ID]
	case r.Name != "":
		return r.Name
	}
	return r.ID
}

// add adds an asset, once.
func (t *target) add(id, path string) {
	id = strings.ToValidUTF8(id, "\uFFFD") // as JSON has it
	if _, ok := t.path[id]; !ok {
		t.ids = append(t.ids, id)
		t.path[id] = path
	}
}

// targets finds the assets that args denote. With mount they are IDs in that mount, and "-"
// reads IDs from in. Otherwise they are files and directories in mounts.
func targets(args []string, mount string, in io.Reader) ([]*target, error) {
	if mount == "" {
		return filesOf(args)
	}
	c, err := dial(mount)
	if err != nil {
		return nil, err
	}
	t := &target{client: c, path: map[string]string{}}
	for _, arg := range args {
		if arg != "-" {
			t.add(arg, "")
			continue
		}
		if err := t.addListed(in); err != nil {
			return nil, err
		}
	}
	if len(t.ids) == 0 {
		return nil, usagef("standard input has no asset ID; write one a line")
	}
	return []*target{t}, nil
}

// addListed adds the IDs in a list. Lines that can be none are added, too, so that the mount
// refuses them: a command must not succeed because it has left something out.
func (t *target) addListed(list io.Reader) error {
	anything, err := idlist.Anchored(".*")
	if err != nil {
		return err
	}
	ids, bad, err := idlist.Read(list, "-", anything)
	for _, id := range ids {
		t.add(id, "")
	}
	for _, line := range bad {
		t.add(line.Text, "")
	}
	return err
}

// filesOf finds the assets of files, and of all files in directories.
func filesOf(paths []string) ([]*target, error) {
	var all []*target
	add := func(path string) error {
		id, err := attr(path, idAttr)
		if err != nil {
			return &noMountError{path, fileProblem(err), err}
		}
		socket, err := attr(path, socketAttr)
		for _, t := range all {
			if err == nil && t.socket == socket {
				t.add(id, path)
				return nil
			}
		}
		c, err := dial(path)
		if err != nil {
			return err
		}
		t := &target{client: c, path: map[string]string{}}
		t.add(id, path)
		all = append(all, t)
		return nil
	}
	for _, path := range paths {
		err := add(path) // before Stat, which may wait for a size
		if errors.Is(err, noAttr) {
			if info, serr := os.Stat(path); serr == nil && info.IsDir() {
				err = walk(path, add)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// walk calls add with the files in a directory of a mount. It skips by-id, whose links lead to
// the same files, unless dir is by-id itself.
func walk(dir string, add func(string) error) error {
	if _, err := dial(dir); err != nil && filepath.Base(dir) != byID {
		return err
	}
	dir += "/" // it may be a link
	return filepath.WalkDir(dir, func(path string, d iofs.DirEntry, err error) error {
		switch {
		case err != nil:
			return &noMountError{path, fileProblem(err), err}
		case d.IsDir() && path != dir && d.Name() == byID:
			return filepath.SkipDir
		case d.IsDir():
			return nil
		}
		return add(path)
	})
}

// byID is the directory of links in a mount.
const byID = "by-id"

// fileProblem describes an error of a file to the user who gave its path.
func fileProblem(err error) string {
	switch {
	case errors.Is(err, noAttr), errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EPERM):
		return "not a file in an assetfs mount"
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return "no such file"
	case errors.Is(err, unix.ENOTCONN), errors.Is(err, unix.EACCES):
		return problem(err)
	}
	var no syscall.Errno
	if errors.As(err, &no) {
		return no.Error()
	}
	return err.Error()
}
