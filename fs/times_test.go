package fs

import (
	"log/slog"
	"net/http/httptest"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/inode"
	"assetfs/fs/service"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// A file keeps the time that was shown first when a download's header gives another one: for programs that copy it, it
// would have changed (P23).
func TestTimeStays(t *testing.T) {
	for _, tt := range []struct{ name, omit string }{
		{"metadata has one", ""},
		{"metadata has none", "modify_time,create_time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := unmounted(t, fakeapi.Asset{
				ID: "re_1", Size: 10, ModTime: time.Unix(1714979289, 0), LastModified: "Tue, 24 Nov 2020 03:00:00 GMT", MetaOmit: tt.omit,
			})
			node := &file{fs: f, asset: f.Catalog.Listed("re_1")}
			var before, after fuse.AttrOut
			if number := node.Getattr(t.Context(), nil, &before); number != 0 {
				t.Fatal(number)
			}
			if i, err := service.Engine(node.asset).Contact(t.Context(), asset.Contact{}); err != nil || i.LastModified == "" {
				t.Fatalf("the header tells %+v, %v", i, err)
			}
			if number := node.Getattr(t.Context(), nil, &after); number != 0 {
				t.Fatal(number)
			}
			if before.ModTime() != after.ModTime() || before.ChangeTime() != after.ChangeTime() {
				t.Errorf("first it was changed at %v, %v, then at %v, %v", before.ModTime(), before.ChangeTime(), after.ModTime(), after.ChangeTime())
			}
		})
	}
}

// unmounted is a file system that shows a, without a mount.
func unmounted(t *testing.T, a fakeapi.Asset) *FS {
	t.Helper()
	web := httptest.NewServer(fakeapi.New(a))
	t.Cleanup(web.Close)
	base, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	store, err := service.OpenStore(t.TempDir(), base.String(), service.StoreOptions{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	client := remote.NewClient(base, remote.Options{Key: remote.NewKey("", faultKey)})
	t.Cleanup(client.Close)
	f := &FS{inodes: map[*catalog.Asset]*inode.Inodes{}, o: Options{Options: service.Options{
		IDPattern: regexp.MustCompile("^re_[0-9]+$"), ByMetadata: true, ListWait: time.Minute, RetryFor: time.Minute, Log: slog.New(slog.DiscardHandler),
	}}}
	f.Service = service.New("/mnt", []string{a.ID}, client, store, service.Hooks{}, f.o.Options)
	t.Cleanup(f.Close)
	return f
}
