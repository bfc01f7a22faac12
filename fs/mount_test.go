package fs

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/service"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
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

// A listing waits for names although the kernel asks before Mount has begun the background work.
func TestListedAtOnce(t *testing.T) {
	web := httptest.NewServer(fakeapi.New(fakeapi.Asset{ID: "re_1", Name: "one.txt", Size: 1}))
	defer web.Close()
	base, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	store, err := service.OpenStore(t.TempDir(), base.String(), service.StoreOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	client := remote.NewClient(base, remote.Options{Key: remote.NewKey("", faultKey)})
	defer client.Close()
	f := &FS{o: Options{Options: service.Options{IDPattern: regexp.MustCompile("^re_[0-9]+$"), ByMetadata: true, ListWait: time.Minute, Log: slog.New(slog.DiscardHandler)}}}
	f.Service = service.New("/mnt", []string{"re_1"}, client, store, service.Hooks{Changed: func() {}}, f.o.Options)
	defer f.Close()
	root := f.newRoot()
	if _, _, number := root.OpendirHandle(t.Context(), 0); number != 0 {
		t.Fatal(number)
	}
	if names := root.entries(); len(names) != 2 || names[0].Name != "one.txt" && names[1].Name != "one.txt" {
		t.Errorf("listed: %v", names)
	}
}
