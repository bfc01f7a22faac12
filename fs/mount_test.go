package fs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/service"
)

// A panic in a handler is one failed request and a line of the log.
func TestPanic(t *testing.T) {
	var said bytes.Buffer
	f := &FS{o: Options{Options: service.Options{Log: slog.New(slog.NewTextHandler(&said, nil))}}}
	func() {
		defer func() {
			if got := f.panicked(recover()); got != fuse.EIO {
				t.Errorf("the request gets %v, want EIO", got)
			}
		}()
		panic("no such thing")
	}()
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "no such thing") || !strings.Contains(text, "TestPanic") {
		t.Errorf("logged: %q", text)
	}
}
