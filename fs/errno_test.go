package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"assetfs/fs/asset"
	"assetfs/fs/caller"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
	"assetfs/remote"
)

func answer(status int, code, msg string) error {
	return &remote.Error{Op: "download", ID: "re_1", Status: status, Code: code, Msg: msg}
}

// TestErrno is the table of DESIGN.md, "errno: one table, one function".
func TestErrno(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want syscall.Errno
	}{
		{"nothing", nil, 0},
		{"the kernel's patience", caller.ErrLate, syscall.ETIMEDOUT},
		{"a long name", errNameTooLong, syscall.ENAMETOOLONG},
		{"no room to note a request", &remote.Error{Op: "download", ID: "re_1", Err: &os.PathError{Op: "write", Path: "index", Err: syscall.ENOSPC}}, syscall.ENOSPC},
		{"a disk's quota", &os.PathError{Op: "write", Path: "index", Err: syscall.EDQUOT}, syscall.ENOSPC},
		{"FAT, or ulimit -f", os.NewSyscallError("pwrite", syscall.EFBIG), syscall.EFBIG},
		{"404", answer(404, "", ""), syscall.ENOENT},
		{"410", answer(410, "", ""), syscall.ENOENT},
		{"unknown asset", answer(400, "400", "Asset not found"), syscall.ENOENT},
		{"unknown place", answer(400, "400", "Resource does not exist"), syscall.ENOENT},
		{"unknown asset, old", answer(200, "0003", "Asset not found"), syscall.ENOENT},
		{"400", answer(400, "400", "Invalid parameters."), syscall.EINVAL},
		{"405", answer(405, "405", ""), syscall.EINVAL},
		{"409", answer(409, "409", ""), syscall.EINVAL},
		{"415", answer(415, "415", ""), syscall.EINVAL},
		{"0001", answer(200, "0001", ""), syscall.EINVAL},
		{"0003", answer(200, "0003", ""), syscall.EINVAL},
		{"401", answer(401, "401", ""), syscall.EACCES},
		{"0401", answer(200, "0401", ""), syscall.EACCES},
		{"no key", &remote.Error{Err: remote.ErrNoKey}, syscall.EACCES},
		{"403", answer(403, "403", ""), syscall.EPERM},
		{"0403", answer(200, "0403", ""), syscall.EPERM},
		{"9009", answer(200, "9009", ""), syscall.EPERM},
		{"402", answer(402, "402", "Insufficient balance"), syscall.EDQUOT},
		{"0402", answer(200, "0402", ""), syscall.EDQUOT},
		{"--max-download", &remote.Error{Err: remote.ErrBudget}, syscall.EDQUOT},
		{"429", answer(429, "429", "Request has exceeded the limit."), syscall.EBUSY},
		{"0429", answer(200, "0429", ""), syscall.EBUSY},
		{"0429 on 400", answer(400, "0429", "slow"), syscall.EBUSY},
		{"0402 on 400", answer(400, "0402", "slow"), syscall.EDQUOT},
		{"0500 on 400", answer(400, "0500", "slow"), syscall.EIO},
		{"a limit, perhaps on requests", &remote.Error{Status: 400, Err: remote.ErrExceeded}, syscall.EBUSY},
		{"no request for background work", &remote.Error{Err: remote.ErrNoSlot}, syscall.EBUSY},
		{"unfinished upload", &remote.Error{Status: 200, Err: fmt.Errorf("%w: WAITING", remote.ErrUploading)}, syscall.EBUSY},
		{"success without an asset", &remote.Error{Status: 200, Code: "0000", Err: remote.ErrMalformed}, syscall.EIO},
		{"proxy", &remote.Error{Status: 407, Err: remote.ErrProxy}, syscall.EACCES},
		{"refused CONNECT", &remote.Error{Err: remote.ErrUnreachable}, syscall.EHOSTUNREACH},
		{"login page", &remote.Error{Status: 200, Err: remote.ErrUnreachable}, syscall.EHOSTUNREACH},
		{"login wanted", &remote.Error{Status: 511, Err: remote.ErrUnreachable}, syscall.EHOSTUNREACH},
		{"503", answer(503, "", ""), syscall.EIO},
		{"429 as the reader's patience ends", &remote.Error{Status: 429, Err: context.DeadlineExceeded}, syscall.EBUSY},
		{"no request left for a stat", catalog.ErrBusy, syscall.EBUSY},
		{"no answer for a stat", catalog.ErrSlow, syscall.ETIMEDOUT},
		{"an unfinished upload", catalog.ErrUploading, syscall.EBUSY},
		{"changed", asset.ErrChanged, syscall.ESTALE},
		{"stalled", fmt.Errorf("%w for a while", asset.ErrStalled), syscall.ETIMEDOUT},
		{"no answer in time", &remote.Error{Err: remote.ErrStalled}, syscall.ETIMEDOUT},
		{"listing's patience", context.DeadlineExceeded, syscall.ETIMEDOUT},
		{"unreachable", &remote.Error{Err: fmt.Errorf("%w: connection refused", remote.ErrUnreachable)}, syscall.EHOSTUNREACH},
		{"unreachable as the reader's patience ends", errors.Join(&remote.Error{Err: remote.ErrUnreachable}, context.DeadlineExceeded), syscall.EHOSTUNREACH},
		{"500", answer(500, "500", ""), syscall.EIO},
		{"502 page", answer(502, "", ""), syscall.EIO},
		{"malformed", &remote.Error{Status: 206, Err: remote.ErrMalformed}, syscall.EIO},
		{"anything else", errors.New("?"), syscall.EIO},
		{"no room", fmt.Errorf("%w for 1 byte: %w", asset.ErrNoSpace, syscall.EDQUOT), syscall.ENOSPC},
		{"no room within --spool-size", fmt.Errorf("%w for 1 byte", asset.ErrNoSpace), syscall.ENOSPC},
		{"interrupted", caller.ErrInterrupted, syscall.EINTR},
		{"a program that gave up", context.Canceled, syscall.EINTR},
		{"a download that was ended", &remote.Error{Err: context.Canceled}, syscall.EIO},
		{"cuts until the reader's patience ends", errors.Join(io.ErrUnexpectedEOF, context.DeadlineExceeded), syscall.EIO},
		{"the end of the mount", service.ErrUnmounting, syscall.ENODEV},
		{"the end of an asset", asset.ErrClosed, syscall.ENODEV},
	}
	for _, tt := range tests {
		got := errno(tt.err)
		if got != tt.want {
			t.Errorf("%s: errno(%v) = %s, want %s", tt.name, tt.err, unix.ErrnoName(got), unix.ErrnoName(tt.want))
		}
		if got == syscall.ENOSYS || got == syscall.ENOTSUP || got == syscall.EAGAIN {
			t.Errorf("%s: the kernel or programs misunderstand %s", tt.name, unix.ErrnoName(got))
		}
	}
}

// An asset that metadata does not list does not exist, although that call succeeds.
func TestErrnoNotListed(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"code":200,"msg":"success","data":{"total":0,"resource":[]},"success":true,"failed":false}`)
	}))
	defer api.Close()
	base, err := remote.CheckBaseURL(api.URL, false)
	if err != nil {
		t.Fatal(err)
	}
	c := remote.NewClient(base, remote.Options{Key: remote.NewKey("", "sk-1")})
	defer c.Close()
	if _, err := c.Metadata(t.Context(), remote.Reader, "re_1"); errno(err) != syscall.ENOENT {
		t.Errorf("%v is %v, want ENOENT", err, errno(err))
	}
}
