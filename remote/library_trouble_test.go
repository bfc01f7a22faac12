package remote_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// Trouble on the way costs only that page; a refusal by the server ends the pass.
func TestListVideosFaults(t *testing.T) {
	for name, tc := range map[string]struct {
		fault  fakeapi.Fault
		calls  int
		number int
	}{
		"503":        {fakeapi.Fault{Op: "list", Skip: 1, Times: 1, Status: 503, Form: "page"}, 4, 0},
		"cut":        {fakeapi.Fault{Op: "list", Skip: 1, Times: 1, Drop: true}, 4, 0},
		"429":        {fakeapi.Fault{Op: "list", Skip: 1, Times: 1, Status: 429}, 4, 0},
		"429 on 200": {fakeapi.Fault{Op: "list", Skip: 1, Times: 1, Status: 200, Code: 429, Form: "new"}, 4, 0},
		"503 first":  {fakeapi.Fault{Op: "list", Times: 1, Status: 503, Form: "page"}, 4, 0},
		// The size of a page is not the reason for these.
		"exceeded":     {fakeapi.Fault{Op: "list", Times: 1, Status: 400, Msg: "Request has exceeded the limit."}, 4, 0},
		"gateway":      {fakeapi.Fault{Op: "list", Times: 1, Status: 400, Form: "page"}, 4, 0},
		"no more":      {fakeapi.Fault{Op: "list", Status: 402}, 1, 402},
		"a later page": {fakeapi.Fault{Op: "list", Skip: 1, Times: 1, Status: 400}, 2, 400},
		"no money":     {fakeapi.Fault{Op: "list", Skip: 1, Status: 402}, 2, 402},
		"wrong key":    {fakeapi.Fault{Op: "list", Status: 401}, 1, 401},
		"bad request":  {fakeapi.Fault{Op: "list", Status: 400}, 4, 400}, // each size of a page
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeapi.New()
			addVideos(fake, "s", 401)
			fake.Configure(func(c *fakeapi.Config) { c.Faults = []fakeapi.Fault{tc.fault} })
			c := newLibrary(t, fake, remote.RateLimit{})
			n := 0
			_, err := c.ListVideos(t.Context(), "s", func(v []remote.Video) { n += len(v) })
			var re *remote.Error
			switch {
			case tc.number == 0 && (err != nil || n != 401):
				t.Errorf("%d videos, %v", n, err)
			case tc.number != 0 && (!errors.As(err, &re) || re.Number() != tc.number || re.Op != "list"):
				t.Errorf("%v, want %d", err, tc.number)
			}
			if got := len(fake.Requests()); got != tc.calls {
				t.Errorf("%d calls, want %d", got, tc.calls)
			}
		})
	}
}

// inBubble runs f with a client of a library in virtual time.
func inBubble(t *testing.T, fake *fakeapi.Server, f func(t *testing.T, c *remote.Client, network *fakeapi.Pipes)) {
	synctest.Test(t, func(t *testing.T) {
		network := fakeapi.NewPipes()
		server := &http.Server{Handler: fake}
		go func() { _ = server.Serve(network) }()
		u := &url.URL{Scheme: "http", Host: "library.test"}
		c := remote.NewClient(u, remote.Options{Key: remote.NewKey("", "k"), Library: u, Dial: network.Dial})
		f(t, c, network)
		c.Close()
		_ = server.Close()
	})
}

// A pass outlasts a rate limit and a network that is away for a while, and gives up when neither helps.
func TestListVideosPatience(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fakeapi.Fault
		calls int
		ok    bool
	}{
		"429":         {fakeapi.Fault{Op: "list", Skip: 1, Times: 8, Status: 429}, 11, true},
		"always 503":  {fakeapi.Fault{Op: "list", Status: 503, Form: "page"}, 5, false},
		"unreachable": {fakeapi.Fault{}, 3, true},
	} {
		fake := fakeapi.New()
		addVideos(fake, "s", 401)
		fake.Configure(func(c *fakeapi.Config) { c.Faults = []fakeapi.Fault{tc.fault} })
		inBubble(t, fake, func(t *testing.T, c *remote.Client, network *fakeapi.Pipes) {
			n := 0
			_, err := c.ListVideos(t.Context(), "s", func(v []remote.Video) {
				if n += len(v); name == "unreachable" && n == 200 {
					time.Sleep(10 * time.Second) // the connection ends
					network.Down.Store(true)
					time.AfterFunc(2*time.Second, func() { network.Down.Store(false) })
				}
			})
			if got := len(fake.Requests()); (err == nil) != tc.ok || tc.ok && n != 401 || got != tc.calls {
				t.Errorf("%s: %d videos with %d calls, want %d, %v", name, n, got, tc.calls, err)
			}
		})
	}
	fake := fakeapi.New()
	inBubble(t, fake, func(t *testing.T, c *remote.Client, network *fakeapi.Pipes) {
		network.Down.Store(true)
		if _, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {}); !errors.Is(err, remote.ErrUnreachable) || network.Dials.Load() != 1 {
			t.Errorf("%d dials, %v", network.Dials.Load(), err)
		}
	})
}

// A page behind the end may be an error. Nobody knows then whether videos came or went, unless all were met.
func TestListVideosNoSuchPage(t *testing.T) {
	for videos, shifted := range map[int]bool{200: false, 250: true} {
		fake := fakeapi.New()
		addVideos(fake, "s", videos)
		fake.Configure(func(c *fakeapi.Config) {
			c.Faults = []fakeapi.Fault{{Op: "list", Skip: (videos + 199) / 200, Status: 400}}
			if shifted {
				c.ListTotal = videos + 1
			}
		})
		c := newLibrary(t, fake, remote.RateLimit{})
		if ids, l := list(t, c, "s"); len(ids) != videos || l.Shifted != shifted {
			t.Errorf("%d of %d videos, %+v", len(ids), videos, l)
		}
		fake.Configure(func(c *fakeapi.Config) { c.Faults = nil })
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		pages := 0
		if _, err := c.ListVideos(ctx, "s", func([]remote.Video) {
			if pages++; pages == (videos+199)/200 {
				cancel()
			}
		}); !errors.Is(err, context.Canceled) {
			t.Errorf("canceled: %v", err)
		}
	}
}

// A list that has shifted before its end has shifted, however many videos were counted.
func TestListVideosShiftedToTheEnd(t *testing.T) {
	c := pages(t, `{"data":{"total_count":2,"videos":[{"video_no":"VI1"},{"video_no":"VI1"}]}}`, "")
	if l, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {}); err != nil || !l.Shifted || l.Videos != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

// A list of one page is right even if the server's clock is ahead.
func TestListVideosOnePage(t *testing.T) {
	c := pages(t, `{"data":{"total_count":1,"videos":[{"video_no":"VI1","create_time":4102444800000}]}}`, `{"data":{"total_count":1,"videos":[]}}`)
	if l, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {}); err != nil || l.Shifted || l.Videos != 1 {
		t.Errorf("%+v, %v", l, err)
	}
}

// An error says which call failed, and what to do about a wrong URL.
func TestListVideosWrongURL(t *testing.T) {
	for _, tc := range []struct {
		fault  fakeapi.Fault
		advice bool
	}{
		{fakeapi.Fault{Status: 404, Form: "page"}, true},
		{fakeapi.Fault{Form: "spring"}, true},
		{fakeapi.Fault{Status: 200, Form: "spring"}, true},
		{fakeapi.Fault{Status: 404}, false},
		{fakeapi.Fault{Status: 400, Form: "page"}, false},
	} {
		fake := fakeapi.New()
		tc.fault.Op = "list"
		fake.Configure(func(c *fakeapi.Config) { c.Faults = []fakeapi.Fault{tc.fault} })
		inBubble(t, fake, func(t *testing.T, c *remote.Client, _ *fakeapi.Pipes) {
			_, err := c.ListVideos(t.Context(), "a scope", func([]remote.Video) {})
			if err == nil || strings.Contains(err.Error(), "is --library-url right?") != tc.advice || !strings.HasPrefix(err.Error(), "list a scope: ") {
				t.Errorf("%+v: %v", tc.fault, err)
			}
		})
	}
}

// A list that never ends is an error.
func TestListVideosEndless(t *testing.T) {
	calls := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		_, _ = fmt.Fprintf(w, `{"data":{"videos":[{"video_no":"VI%d"}]}}`, calls)
	}))
	defer server.Close()
	u, _ := url.Parse(server.URL)
	c := remote.NewClient(u, remote.Options{Key: remote.NewKey("", "k"), Library: u})
	defer c.Close()
	if _, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {}); err == nil || !strings.Contains(err.Error(), "a list without end") {
		t.Errorf("after %d calls: %v", calls, err)
	}
}

// A server that has refused every size of a page is asked for large pages again.
func TestListVideosSizeAgain(t *testing.T) {
	fake := fakeapi.New()
	addVideos(fake, "s", 401)
	fake.Configure(func(c *fakeapi.Config) { c.Faults = []fakeapi.Fault{{Op: "list", Times: 4, Status: 400}} })
	c := newLibrary(t, fake, remote.RateLimit{})
	if _, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {}); err == nil {
		t.Error("no error")
	}
	if ids, l := list(t, c, "s"); len(ids) != 401 || l.Pages != 3 {
		t.Errorf("%d videos, %+v", len(ids), l)
	}
}

// No call is made without a key, nor again with one that is refused; another one is tried.
func TestListVideosKey(t *testing.T) {
	fake := fakeapi.New()
	addVideos(fake, "s", 1)
	file := filepath.Join(t.TempDir(), "key")
	write := func(key string) {
		if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("")
	server := httptest.NewServer(fake)
	defer server.Close()
	u, _ := url.Parse(server.URL)
	fake.Configure(func(c *fakeapi.Config) { c.Key = libraryKey })
	c := remote.NewClient(u, remote.Options{Key: remote.NewKey(file, ""), Library: u})
	defer c.Close()
	for _, tc := range []struct {
		key   string
		ok    bool
		calls int // so far
	}{{"", false, 0}, {"wrong", false, 1}, {"wrong", false, 1}, {libraryKey, true, 2}} {
		write(tc.key)
		_, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {
			write("another")
		})
		if got := len(fake.Requests()); (err == nil) != tc.ok || got != tc.calls {
			t.Errorf("key %q: %d calls, want %d, %v", tc.key, got, tc.calls, err)
		}
	}
	// The key was changed since it was last read.
	fake.Configure(func(c *fakeapi.Config) { c.Key = "another" })
	if ids, _ := list(t, c, "s"); len(ids) != 1 {
		t.Errorf("%q", ids)
	}
}

// pages serves a list, page by page, to the client that it returns. An empty page is a 400.
func pages(t *testing.T, pages ...string) *remote.Client {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if pages[0] == "" {
			w.WriteHeader(http.StatusBadRequest)
		}
		_, _ = io.WriteString(w, pages[0])
		pages = pages[1:]
	}))
	t.Cleanup(server.Close)
	u, _ := url.Parse(server.URL)
	c := remote.NewClient(u, remote.Options{Key: remote.NewKey("", "k"), Library: u})
	t.Cleanup(c.Close)
	return c
}

// Rows that don't say which video they are of make no empty list: that would remove all the videos that are known.
func TestListVideosNoIDs(t *testing.T) {
	for name, tc := range map[string]struct {
		rows, after string // of the first page and of the second
		want        string // "": no error
	}{
		"other keys":   {`{"videoNo":"VI1"},{"videoNo":"VI2"}`, ``, "none of 2 videos has a video_no"},
		"one":          {`{"id":7}`, ``, "none of 1 videos has a video_no"},
		"paths":        {`{"video_no":"a/b"},{"video_no":".."}`, ``, "none of 2 videos has a video_no"},
		"no objects":   {`"VI1","VI2"`, ``, "none of 2 videos has a video_no"},
		"two pages":    {`{"videoNo":"VI1"}`, `{"videoNo":"VI2"}`, "none of 2 videos has a video_no"},
		"one is left":  {`{"videoNo":"VI1"},{"video_no":"VI2"}`, ``, ""},
		"a later page": {`{"video_no":"VI1"}`, `{"videoNo":"VI2"}`, ""},
		"none":         {``, ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			page := func(rows string) string { return `{"code":"0000","data":{"videos":[` + rows + `]}}` }
			c := pages(t, page(tc.rows), page(tc.after), page(""))
			_, err := c.ListVideos(t.Context(), "s", func([]remote.Video) {})
			if (err == nil) != (tc.want == "") || err != nil && (!errors.Is(err, remote.ErrMalformed) || !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}
