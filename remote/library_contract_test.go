package remote_test

import (
	"io"
	"net/http/httptest"
	"net/url"
	"os"
	"testing"

	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// TestLibraryContract checks what assetfs relies on in the library, against the fake API, and against a real one if
// ASSETFS_CONTRACT_URL, ASSETFS_CONTRACT_LIBRARY, ASSETFS_CONTRACT_SCOPE and MEMORIES_API_KEY are set. The scope must exist
// (the server would create it) and hold a video. The real one gets two list calls and one download, of which little is read.
func TestLibraryContract(t *testing.T) {
	fake := fakeapi.New()
	addVideos(fake, "default", 250)
	for _, configure := range []func(*fakeapi.Config){
		func(*fakeapi.Config) {},
		func(c *fakeapi.Config) { c.ListStrings, c.ListOrder = true, "oldest" },
	} {
		fake.Configure(configure)
		libraryContract(t, newLibrary(t, fake, remote.RateLimit{}), "default")
	}
	if library := os.Getenv("ASSETFS_CONTRACT_LIBRARY"); library != "" {
		t.Run("Real", func(t *testing.T) {
			c := remote.NewClient(checked(t, os.Getenv("ASSETFS_CONTRACT_URL")), remote.Options{
				Key: remote.NewKey("", os.Getenv("MEMORIES_API_KEY")), RateLimit: remote.AutoRateLimit(),
				Library: checked(t, library), ListLimit: remote.RateLimit{Rates: []remote.Rate{remote.ListRate}},
			})
			t.Cleanup(c.Close)
			libraryContract(t, c, os.Getenv("ASSETFS_CONTRACT_SCOPE"))
		})
	}
}

func checked(t *testing.T, root string) *url.URL {
	t.Helper()
	u, err := remote.CheckBaseURL(root, false)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func libraryContract(t *testing.T, c *remote.Client, scope string) {
	t.Helper()
	first, l := list(t, c, scope)
	if len(first) == 0 || l.Shifted {
		t.Fatalf("%d videos, %+v", len(first), l)
	}
	var last remote.Video
	n := 0
	if _, err := c.ListVideos(t.Context(), scope, func(videos []remote.Video) {
		for _, v := range videos {
			n++
			if v.Name == "" || v.Size <= 0 || v.Time.IsZero() {
				t.Errorf("%s is listed as %+v", v.ID, v)
			}
			if v.Blob != "" {
				last = v
			}
		}
	}); err != nil || n != len(first) {
		t.Errorf("the second pass met %d videos, the first %d: %v", n, len(first), err)
	}
	if last.Blob == "" {
		t.Fatal("no video has a place")
	}
	resp, err := c.Download(t.Context(), remote.Request{ID: last.ID, Bucket: last.Bucket, Blob: last.Blob, End: min(last.Size, 64<<10)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if size := resp.Info.Size; size >= 0 && size != last.Size {
		t.Errorf("%s is downloaded with %d bytes, and listed with %d", last.ID, size, last.Size)
	}
	if _, err := io.ReadFull(resp.Body, make([]byte, min(last.Size, 64<<10))); err != nil {
		t.Error(err)
	}
}

// A base URL with and without a path leads to the same calls.
func TestLibraryURL(t *testing.T) {
	fake := fakeapi.New()
	addVideos(fake, "s", 1)
	server := httptest.NewServer(fake)
	defer server.Close()
	for _, path := range []string{"", "/", "/serve/api/v1", "/a%2Fb/"} {
		u := checked(t, server.URL+path)
		c := remote.NewClient(u, remote.Options{Key: remote.NewKey("", "k"), Library: u})
		if ids, _ := list(t, c, "s"); len(ids) != 1 {
			t.Errorf("%q: %d videos", path, len(ids))
		}
		c.Close()
	}
	for _, r := range fake.Requests() {
		if r.Status != 200 {
			t.Errorf("%+v", r)
		}
	}
}
