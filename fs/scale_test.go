package fs

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"assetfs/fs/catalog"
	"assetfs/fs/inode"
	"assetfs/fs/service"
	"assetfs/remote"
)

// shelf is a library with so many videos.
type shelf int

// ListVideos lists them in pages, as the API does.
func (n shelf) ListVideos(_ context.Context, _ string, found func([]catalog.Video)) (catalog.Listing, error) {
	var page []catalog.Video
	for i := range int(n) {
		id := fmt.Sprint("VI", 606404158946574336+i)
		page = append(page, catalog.Video{
			ID: id, Name: fmt.Sprintf("Holiday %d.mp4", i), Size: int64(1000 + i), Time: time.UnixMilli(1764000000000 + int64(i)),
			Bucket: "mavi-resource", Blob: "videos/" + id + ".mp4",
		})
		if len(page) == 200 || i == int(n)-1 {
			found(page)
			page = page[:0]
		}
	}
	return catalog.Listing{}, nil
}

// scale is a mount of so many assets, without a kernel.
type scale struct {
	t   *testing.T
	n   int64
	was int64 // bytes in use
	*FS
	raw   fuse.RawFileSystem
	nodes []uint64 // those that the kernel knows, as often as it has looked them up
}

// open mounts store.
func (s *scale) open(store *service.Store, o service.Options) {
	client := remote.NewClient(&url.URL{Scheme: "http", Host: "127.0.0.1:9"}, remote.Options{Key: remote.NewKey("", "secret")})
	s.FS = &FS{o: Options{Options: o}, inodes: map[*catalog.Asset]*inode.Inodes{}}
	s.Service = service.New("/mnt", nil, client, store, service.Hooks{}, o)
	s.raw = fusefs.NewNodeFS(s.newRoot(), &fusefs.Options{NullPermissions: true, RootStableAttr: &fusefs.StableAttr{Ino: rootIno}})
	s.t.Cleanup(func() {
		s.Close()
		client.Close()
		if err := store.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

// lookup is a request of the kernel, with a copy of the name.
func (s *scale) lookup(parent uint64, name string) (node uint64) {
	var out fuse.EntryOut
	if status := s.raw.Lookup(nil, &fuse.InHeader{NodeId: parent}, strings.Clone(name), &out); status != fuse.OK {
		s.t.Fatal(name, status)
	}
	s.nodes = append(s.nodes, out.NodeId)
	return out.NodeId
}

// forget makes the kernel forget all that it knows.
func (s *scale) forget() {
	for _, id := range s.nodes {
		s.raw.Forget(id, 1)
	}
	s.nodes = nil
}

// takes checks how much memory what happened since the last call takes for each asset.
func (s *scale) takes(what string, most int64) {
	s.t.Helper()
	now := heap() - int64(8*cap(s.nodes))
	each := (now - s.was) / s.n
	s.t.Logf("%s takes %d bytes an asset", what, each)
	if each > most {
		s.t.Errorf("%s takes %d bytes an asset, want at most %d", what, each, most)
	}
	s.was = now
}

// heap returns how many bytes are in use.
func heap() int64 {
	runtime.GC() // twice, for what has a finalizer, and for pools
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func openStore(t *testing.T, dir string) *service.Store {
	store, err := service.OpenStore(dir, "http://127.0.0.1:9", service.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

var scaleOptions = service.Options{IDPattern: regexp.MustCompile("^re_[0-9]+$"), Log: slog.New(slog.DiscardHandler)}

// TestBytesPerVideo holds what a listed video takes in memory at the next mount, and what `ls -l` and
// `find -ls` add: the kernel keeps all that it has looked up, until it is short of memory itself.
func TestBytesPerVideo(t *testing.T) {
	o := scaleOptions
	o.Libraries = []string{"default"}
	s := &scale{t: t, n: 100_000 / faultShare}
	dir := t.TempDir()
	store := openStore(t, dir)
	c := catalog.New(catalog.Options{Pattern: o.IDPattern, Names: store, Notes: store, Scopes: o.Libraries, Lister: shelf(s.n)})
	c.Start()
	if looks, err := c.Refresh(t.Context()); err != nil || int64(looks[0].Videos) != s.n {
		t.Fatal(looks, err)
	}
	c.Close()
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	c, store = nil, nil

	s.was = heap()
	s.open(openStore(t, dir), o)
	s.takes("a library", 480)
	for _, e := range s.Catalog.Root().Entries() {
		s.lookup(fuse.FUSE_ROOT_ID, e.Name) // READDIRPLUS
		s.lookup(fuse.FUSE_ROOT_ID, e.Name) // stat
	}
	s.takes("ls -l", 500)
	links := s.lookup(fuse.FUSE_ROOT_ID, catalog.ByID)
	for _, e := range s.Catalog.Entries() {
		s.lookup(links, e.ID)
	}
	s.takes("find -ls", 500)
	s.forget()
	s.takes("what the kernel has forgotten", -650)
}

// TestBytesPerID holds what an asset takes that is listed by its ID, and of which nothing is known.
func TestBytesPerID(t *testing.T) {
	s := &scale{t: t, n: 50_000 / faultShare, was: heap()}
	s.open(openStore(t, t.TempDir()), scaleOptions)
	ids := make([]string, s.n)
	for i := range ids {
		ids[i] = fmt.Sprint("re_", 657739295220000000+i)
	}
	s.SetList(ids)
	s.takes("a list", 250)
	for _, id := range ids {
		s.lookup(fuse.FUSE_ROOT_ID, id)
	}
	s.takes("ls -l", 1400)
	s.forget()
	s.takes("what the kernel has forgotten", -250)
}
