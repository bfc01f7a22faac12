package remote_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

const libraryKey = "sk-mavi-library"

// newLibrary serves base API and library as two hosts, and returns a client for both.
func newLibrary(t *testing.T, fake *fakeapi.Server, limit remote.RateLimit) *remote.Client {
	t.Helper()
	fake.Configure(func(c *fakeapi.Config) { c.Key = libraryKey })
	base, library := httptest.NewServer(fake), httptest.NewServer(fake)
	t.Cleanup(base.Close)
	t.Cleanup(library.Close)
	root := func(server string) *url.URL {
		u, err := remote.CheckBaseURL(server+"/serve/api/v1", false)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	c := remote.NewClient(root(base.URL), remote.Options{
		Key: remote.NewKey("", libraryKey), Library: root(library.URL), ListLimit: limit,
	})
	t.Cleanup(c.Close)
	return c
}

func videoID(i int) string { return fmt.Sprintf("VI%d", 606404158946574336+i) }

// aVideo returns the i-th video of a scope.
func aVideo(scope string, i int) fakeapi.Video {
	id := videoID(i)
	return fakeapi.Video{
		Asset: fakeapi.Asset{ID: id, Name: fmt.Sprintf("clip %d.mp4", i), Size: int64(1000 + i), Bucket: "mavi-resource", Blob: "a b/" + id + ".mp4"},
		Scope: scope, Created: time.UnixMilli(1754037217992 + int64(i)),
	}
}

func addVideos(fake *fakeapi.Server, scope string, n int) {
	videos := make([]fakeapi.Video, n)
	for i := range videos {
		videos[i] = aVideo(scope, i)
	}
	fake.AddVideos(videos)
}

// list makes one pass and returns the IDs in order of appearance.
func list(t *testing.T, c *remote.Client, scope string) ([]string, remote.Listing) {
	t.Helper()
	var ids []string
	l, err := c.ListVideos(t.Context(), scope, func(videos []remote.Video) {
		for _, v := range videos {
			ids = append(ids, v.ID)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return ids, l
}

func TestListVideos(t *testing.T) {
	for name, tc := range map[string]struct {
		configure func(*fakeapi.Config)
		videos    int
		pages     int
	}{
		"None":        {func(*fakeapi.Config) {}, 0, 1},
		"One page":    {func(*fakeapi.Config) {}, 199, 1},
		"A full page": {func(*fakeapi.Config) {}, 200, 2},
		"Two pages":   {func(*fakeapi.Config) {}, 201, 2},
		"Oldest":      {func(c *fakeapi.Config) { c.ListOrder = "oldest" }, 401, 3},
		"By name":     {func(c *fakeapi.Config) { c.ListOrder = "name" }, 401, 3},
		"Strings":     {func(c *fakeapi.Config) { c.ListStrings = true }, 401, 3},
		"Bare":        {func(c *fakeapi.Config) { c.Bare = true }, 401, 3},
		"Smaller":     {func(c *fakeapi.Config) { c.PageMost = 50 }, 401, 9},
		"No total":    {func(c *fakeapi.Config) { c.ListOmit = "total_count" }, 401, 4},
		"No size":     {func(c *fakeapi.Config) { c.ListOmit = "page_size" }, 401, 3},
		"No numbers":  {func(c *fakeapi.Config) { c.ListOmit = "total_count,page_size" }, 401, 4},
		"Wrong total": {func(c *fakeapi.Config) { c.ListTotal = 7 }, 401, 4},
		"Old total":   {func(c *fakeapi.Config) { c.ListTotal = 400 }, 401, 3},
		"Exact":       {func(c *fakeapi.Config) { c.ListOmit = "total_count,page_size" }, 400, 3},
		"Refused 200": {func(c *fakeapi.Config) { c.PageMost, c.PageRefuse = 50, true }, 101, 3},
	} {
		t.Run(name, func(t *testing.T) {
			fake := fakeapi.New()
			addVideos(fake, "default", tc.videos)
			fake.Configure(tc.configure)
			c := newLibrary(t, fake, remote.RateLimit{})
			ids, l := list(t, c, "default")
			if len(ids) != tc.videos || l.Videos != tc.videos || l.Pages != tc.pages || l.Shifted {
				t.Errorf("%d videos, %+v, want %d on %d pages", len(ids), l, tc.videos, tc.pages)
			}
			if slices.Sort(ids); len(slices.Compact(ids)) != tc.videos {
				t.Error("a video came twice")
			}
			if again, _ := list(t, c, "default"); len(again) != tc.videos {
				t.Errorf("the second pass met %d videos, want %d", len(again), tc.videos)
			}
		})
	}
}

// A list that gives a greater length than it has is short; one that is right or gives none is not.
func TestListVideosShort(t *testing.T) {
	for total, want := range map[int]int{0: 0, 7: 0, 401: 0, 402: 1, 1000: 599} {
		fake := fakeapi.New()
		addVideos(fake, "default", 401)
		fake.Configure(func(c *fakeapi.Config) { c.ListTotal = total })
		if ids, l := list(t, newLibrary(t, fake, remote.RateLimit{}), "default"); len(ids) != 401 || l.Missing != want || l.Shifted != (want > 0) {
			t.Errorf("total_count %d: %d videos, %+v", total, len(ids), l)
		}
	}
}

// A video's fields are read however they are written.
func TestListVideosFields(t *testing.T) {
	for name, tc := range map[string]struct {
		json string
		want remote.Video
	}{
		"documented": {
			`{"video_no":"VI1","video_name":"a_tiny","duration":12,"size":3284512,"status":"PARSE","create_time":1754037217992,"datetime_taken":1729388400000,"tags":["holiday"],"bucket":"b","blob":"VI1.mp4"}`,
			remote.Video{ID: "VI1", Name: "a_tiny.mp4", Size: 3284512, Time: time.UnixMilli(1729388400000), Bucket: "b", Blob: "VI1.mp4"},
		},
		"strings, no place": {
			`{"video_no":"VI1","video_name":"a","size":"5","create_time":"1754037217992"}`,
			remote.Video{ID: "VI1", Name: "a", Size: 5, Time: time.UnixMilli(1754037217992)},
		},
		"no blob":       {`{"video_no":"VI1","video_name":"a.mp4","size":1152921504606846977,"bucket":"b"}`, remote.Video{ID: "VI1", Name: "a.mp4", Size: -1}},
		"no extension":  {`{"video_no":"VI1","video_name":"a","size":5,"bucket":"b","blob":"x/y"}`, remote.Video{ID: "VI1", Name: "a", Size: 5, Bucket: "b", Blob: "x/y"}},
		"half a place":  {`{"video_no":"VI1","video_name":"a.mp4","size":5,"blob":"x/VI1.mp4"}`, remote.Video{ID: "VI1", Name: "a.mp4", Size: 5}},
		"no name":       {`{"video_no":"VI1","bucket":"b","blob":"x/y.MP4","size":null}`, remote.Video{ID: "VI1", Name: "VI1.MP4", Size: -1, Bucket: "b", Blob: "x/y.MP4"}},
		"odd extension": {`{"video_no":1,"video_name":"a","bucket":"b","blob":"x.y/z.so on","size":0}`, remote.Video{ID: "1", Name: "a", Size: -1, Bucket: "b", Blob: "x.y/z.so on"}},
		"odd times":     {`{"video_no":"VI1","video_name":7,"size":-3,"datetime_taken":"2024-10-20","create_time":1.754037217992E12}`, remote.Video{ID: "VI1", Name: "7", Size: -1, Time: time.UnixMilli(1754037217992)}},
		"impostor ID":   {`{"video_no":"../etc"},{"video_no":null},null,7,{"video_no":"VI1"}`, remote.Video{ID: "VI1", Name: "VI1", Size: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"code":"0000","msg":"success","data":{"total_count":1,"videos":[`+tc.json+`],"x":{}}}`)
			}))
			defer server.Close()
			u, _ := url.Parse(server.URL)
			c := remote.NewClient(u, remote.Options{Key: remote.NewKey("", "k"), Library: u})
			defer c.Close()
			var got []remote.Video
			if _, err := c.ListVideos(t.Context(), "s", func(v []remote.Video) { got = append(got, v...) }); err != nil || len(got) != 1 || got[0] != tc.want {
				t.Errorf("%+v, %v, want %+v", got, err, tc.want)
			}
		})
	}
}

// The list shifts between its pages. If a video was missed, the pass says so. If it does not, no video that was there all the
// time was missed.
func TestListVideosShifted(t *testing.T) {
	for _, order := range []string{"newest", "oldest", "name"} {
		for round := range 40 {
			random := rand.New(rand.NewPCG(uint64(round), 16))
			fake := fakeapi.New()
			addVideos(fake, "s", 90)
			fake.Configure(func(c *fakeapi.Config) { c.ListOrder, c.PageMost = order, 20 })
			stable, next := map[string]bool{}, 90
			for i := range 90 {
				stable[videoID(i)] = true
			}
			fake.WhenListed(func(string, int) {
				// As many may come as go, so the total stays the same.
				for range random.IntN(3) {
					v := aVideo("s", next)
					v.Created = time.Now().Add(time.Second)
					fake.PutVideo(v)
					next++
				}
				for range random.IntN(3) {
					id := videoID(random.IntN(next))
					fake.DeleteVideo(id)
					delete(stable, id)
				}
			})
			c := newLibrary(t, fake, remote.RateLimit{})
			ids, l := list(t, c, "s")
			met := map[string]bool{}
			for _, id := range ids {
				if met[id] {
					t.Fatalf("%s, round %d: %s came twice", order, round, id)
				}
				met[id] = true
			}
			for id := range stable {
				if !met[id] && !l.Shifted {
					t.Errorf("%s, round %d: %s was missed, and nothing said of it", order, round, id)
				}
			}
		}
	}
}

// The key goes only to the library's origin, no scope is requested that was not named, and the documented limit is kept.
func TestListVideosKeyAndLimit(t *testing.T) {
	fake, elsewhere := fakeapi.New(), fakeapi.New()
	addVideos(fake, "s", 1100)
	fake.Configure(func(c *fakeapi.Config) { c.List = fakeapi.Limit{Rates: "5/s", Mode: "strict"} })
	other := httptest.NewServer(elsewhere)
	defer other.Close()
	c := newLibrary(t, fake, remote.RateLimit{Rates: []remote.Rate{remote.ListRate}})
	if ids, _ := list(t, c, "s"); len(ids) != 1100 {
		t.Errorf("%d videos", len(ids))
	}
	if n := fake.Refused("list"); n != 0 {
		t.Errorf("%d calls beyond the limit", n)
	}
	if got := fake.Scopes(); !slices.Equal(got, []string{"s"}) {
		t.Errorf("scopes %q", got)
	}
	fake.Configure(func(c *fakeapi.Config) {
		c.Faults = []fakeapi.Fault{{Op: "list", Status: 307, Redirect: other.URL + "/list_videos"}}
	})
	if _, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {}); err != nil {
		t.Log(err)
	}
	for _, r := range elsewhere.Requests() {
		if r.HasAuthorization || r.Method != http.MethodPost {
			t.Errorf("elsewhere: %+v", r)
		}
	}
	if len(elsewhere.Requests()) == 0 {
		t.Error("the redirect was not followed")
	}
}

func TestDownloadByPlace(t *testing.T) {
	fake := fakeapi.New()
	v := aVideo("s", 1)
	v.Blob = "a b/ü+&c/%41.mp4"
	fake.PutVideo(v)
	c := newLibrary(t, fake, remote.RateLimit{})
	get := func(r remote.Request) (string, error) {
		resp, err := c.Download(t.Context(), r)
		if err != nil {
			return "", err
		}
		b, err := io.ReadAll(resp.Body)
		return string(b), errors.Join(err, resp.Body.Close())
	}
	got, err := get(remote.Request{ID: v.ID, Bucket: v.Bucket, Blob: v.Blob})
	want, _ := io.ReadAll(io.NewSectionReader(fakeapi.Content(v.ID, 0), 0, v.Size))
	if err != nil || got != string(want) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if path := fake.Requests()[0].Path; !strings.Contains(path, "/") || strings.Contains(path, "%2F") {
		t.Errorf("asked for %s", path)
	}
	var re *remote.Error
	if _, err := get(remote.Request{ID: v.ID, Bucket: v.Bucket, Blob: "gone.mp4"}); !errors.As(err, &re) || !re.NotFound() || re.Msg != "Resource does not exist" {
		t.Errorf("of a place that is empty: %v", err)
	}
	if _, err := get(remote.Request{ID: v.ID}); !errors.As(err, &re) || !re.NotFound() {
		t.Errorf("by its ID: %v", err)
	}
}
