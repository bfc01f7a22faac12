package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assetfs/remote/fakeapi"
)

const (
	testID  = "re_1"
	testKey = "sk-mavi-secret"
)

// start serves h and returns a client for it. Its base URL has a path, like the real one.
func start(t *testing.T, h http.HandlerFunc, o Options) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return newTestClient(t, srv.URL+"/serve/api/v2", o)
}

func newTestClient(t *testing.T, base string, o Options) *Client {
	t.Helper()
	u, err := CheckBaseURL(base, true)
	if err != nil {
		t.Fatal(err)
	}
	if o.Key == nil {
		o.Key = NewKey("", testKey)
	}
	c := NewClient(u, o)
	t.Cleanup(c.Close)
	return c
}

// pipes is a network for synctest bubbles, where sockets can't be used.
type pipes struct {
	*fakeapi.Pipes
	dead atomic.Bool // refuse connections to hosts whose names begin with dead
}

func (p *pipes) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if p.dead.Load() && strings.HasPrefix(addr, "dead") {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	return p.Dial(ctx, network, addr)
}

// bubble serves h over pipes and returns a client for it. The caller must be in a synctest bubble, and call stop before
// it ends.
func bubble(t *testing.T, h http.HandlerFunc, o Options) (c *Client, p *pipes, stop func()) {
	t.Helper()
	p = &pipes{Pipes: fakeapi.NewPipes()}
	srv := &http.Server{Handler: h}
	var wg sync.WaitGroup
	wg.Go(func() { _ = srv.Serve(p) })
	o.Dial = p.dial
	if o.Key == nil {
		o.Key = NewKey("", testKey)
	}
	c = NewClient(&url.URL{Scheme: "http", Host: "api.test"}, o)
	return c, p, func() {
		_ = p.Close()
		_ = srv.Close()
		c.Close()
		wg.Wait()
	}
}

// fetch downloads and returns the body.
func fetch(t *testing.T, c *Client, r Request) (*Response, string, error) {
	t.Helper()
	if r.ID == "" {
		r.ID = testID
	}
	resp, err := c.Download(t.Context(), r)
	if err != nil {
		return nil, "", err
	}
	b, err := io.ReadAll(resp.Body)
	if err := resp.Body.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	return resp, string(b), err
}

// failure returns err as an *Error, which every error of a call is.
func failure(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error %v (%T) is no *Error", err, err)
	}
	if e.ID != testID || e.Op == "" {
		t.Errorf("error is of %q on %q, want an operation on %q", e.Op, e.ID, testID)
	}
	if strings.Contains(err.Error(), testKey) {
		t.Errorf("error shows the key: %v", err)
	}
	return e
}

// retries reports whether another request is worth making after e.
func retries(e *Error) bool {
	n, _ := e.Retry()
	return n != 0
}

func attach(w http.ResponseWriter, name string) {
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
}

func TestDownload(t *testing.T) {
	const content = "0123456789"
	modified := time.Date(2025, 5, 6, 7, 8, 9, 0, time.UTC)
	var got *http.Request
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		attach(w, "a video.mp4")
		w.Header().Set("Content-Type", "Video/MP4; x=1")
		w.Header().Set("ETag", `"v1"`)
		http.ServeContent(w, r, "", modified, strings.NewReader(content))
	}, Options{})

	resp, body, err := fetch(t, c, Request{Start: 3, End: 7})
	if err != nil {
		t.Fatal(err)
	}
	if body != content[3:7] || !resp.Partial || resp.Start != 3 || resp.End != 7 {
		t.Errorf("got %q of %+v, want bytes 3 to 7", body, resp)
	}
	want := Info{
		Name: "a video.mp4", Size: 10, Type: "video/mp4", ModTime: modified,
		ETag: `"v1"`, LastModified: "Tue, 06 May 2025 07:08:09 GMT",
	}
	info := resp.Info
	if info.Date.IsZero() {
		t.Error("no date")
	}
	info.Date = time.Time{}
	if info != want {
		t.Errorf("info %+v, want %+v", info, want)
	}
	if got.URL.Path != "/serve/api/v2/re_1/download" || got.Method != http.MethodGet || got.Proto != "HTTP/1.1" || !got.Close {
		t.Errorf("request %s %s %s, close %v", got.Method, got.URL, got.Proto, got.Close)
	}
	for field, want := range map[string]string{
		"Authorization": testKey, "Range": "bytes=3-6", "If-Range": "",
		"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "assetfs",
	} {
		if v := got.Header.Get(field); v != want {
			t.Errorf("%s: %q, want %q", field, v, want)
		}
	}

	resp, body, err = fetch(t, c, Request{NoRange: true, Start: 3})
	if err != nil || body != content || resp.Partial || resp.Start != 0 || resp.End != 10 {
		t.Errorf("without Range: %q of %+v, %v", body, resp, err)
	}
	if got.Header.Get("Range") != "" {
		t.Errorf("NoRange sent %v", got.Header)
	}
	s := c.Stats()
	if s.Requests != 2 || s.Bytes != 14 || s.Left != -1 {
		t.Errorf("stats %+v, want 2 requests, 14 bytes, no limit", s)
	}
}

func TestServerIgnoresRange(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		attach(w, "x")
		_, _ = io.WriteString(w, "0123456789")
	}, Options{})
	resp, body, err := fetch(t, c, Request{Start: 5})
	if err != nil || body != "0123456789" || resp.Partial || resp.Start != 0 || resp.End != 10 || resp.Info.Size != 10 {
		t.Errorf("got %q of %+v, %v, want all 10 bytes from 0", body, resp, err)
	}
}

func TestUnknownLength(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		attach(w, "x")
		_, _ = io.WriteString(w, "01234")
		w.(http.Flusher).Flush()
		_, _ = io.WriteString(w, "56789")
	}, Options{})
	resp, body, err := fetch(t, c, Request{})
	if err != nil || body != "0123456789" || resp.End != -1 || resp.Info.Size != -1 {
		t.Errorf("got %q of %+v, %v, want 10 bytes of unknown end", body, resp, err)
	}
}

func TestNoKeyMakesNoRequest(t *testing.T) {
	c := start(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was made") }, Options{Key: NewKey("", "")})
	_, err := c.Download(t.Context(), Request{ID: testID})
	if !errors.Is(err, ErrNoKey) || retries(failure(t, err)) {
		t.Errorf("got %v, want a permanent ErrNoKey", err)
	}
	if _, err = c.Metadata(t.Context(), Reader, testID); !errors.Is(err, ErrNoKey) {
		t.Errorf("metadata: got %v, want ErrNoKey", err)
	}
}

func TestBadID(t *testing.T) {
	var path string
	c := start(t, func(_ http.ResponseWriter, r *http.Request) { path = r.URL.EscapedPath() }, Options{})
	for _, id := range []string{"", ".", ".."} {
		if _, err := c.Download(t.Context(), Request{ID: id}); err == nil {
			t.Errorf("Download(%q) made a request", id)
		}
	}
	if _, _, err := fetch(t, c, Request{ID: "a/../b?c"}); err != nil {
		t.Fatal(err)
	}
	if want := "/serve/api/v2/a%2F..%2Fb%3Fc/download"; path != want {
		t.Errorf("path %q, want %q", path, want)
	}
}

func TestMaxDownload(t *testing.T) {
	hits := 0
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		hits++
		attach(w, "x")
		_, _ = w.Write(make([]byte, 600))
	}, Options{MaxDownload: 1000})
	if _, body, err := fetch(t, c, Request{}); err != nil || len(body) != 600 {
		t.Fatalf("first: %d bytes, %v, want 600", len(body), err)
	}
	_, body, err := fetch(t, c, Request{})
	if len(body) != 400 || !errors.Is(err, ErrBudget) || retries(failure(t, err)) {
		t.Errorf("second: %d bytes, %v, want 400 and a permanent ErrBudget", len(body), err)
	}
	if _, _, err = fetch(t, c, Request{}); !errors.Is(err, ErrBudget) {
		t.Errorf("third: %v, want ErrBudget", err)
	}
	// Bytes that had come when the budget was used up are billed, too.
	if s := c.Stats(); hits != 2 || s.Bytes != 1200 || s.Requests != 2 {
		t.Errorf("%d requests, stats %+v, want 2 requests and 1200 bytes", hits, s)
	}
}

// It is no error if the budget ends with the asset.
func TestMaxDownloadExact(t *testing.T) {
	for _, size := range []int{600, 100} { // of the second all is read to judge the answer
		c := start(t, func(w http.ResponseWriter, _ *http.Request) {
			if size == 600 {
				attach(w, "x")
			}
			_, _ = w.Write(make([]byte, size))
		}, Options{MaxDownload: int64(size)})
		if _, body, err := fetch(t, c, Request{}); err != nil || len(body) != size {
			t.Errorf("%d bytes, %v, want all %d", len(body), err, size)
		}
	}
}
