package fakeapi

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestDownload(t *testing.T) {
	const size = 3*writeSize + 5
	mtime := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := start(t, Asset{ID: "re_1", Name: "video.mp4", Type: "video/mp4", Size: size, ETag: "auto", ModTime: mtime})
	g := s.get("re_1", "Authorization: sk-mavi-1")
	g.wantBytes(t, http.StatusOK, 0, size)
	g.wantHeader(t, "Content-Disposition", `attachment; filename="video.mp4"`)
	g.wantHeader(t, "Content-Type", "video/mp4")
	g.wantHeader(t, "Content-Length", fmt.Sprint(size))
	g.wantHeader(t, "Accept-Ranges", "bytes")
	g.wantHeader(t, "ETag", `"re_1-0"`)
	g.wantHeader(t, "Last-Modified", "Wed, 04 Mar 2026 05:06:07 GMT")

	r := s.last()
	if r.Time.IsZero() || r.Host == "" {
		t.Errorf("no time or host in %+v", r)
	}
	r.Time, r.Host = time.Time{}, ""
	want := Request{
		Op: "download", ID: "re_1", Method: "GET", Path: prefix + "re_1/download",
		HasAuthorization: true, Authorization: "sk-mavi-1",
		Status: 200, Bytes: size, Written: size, Done: true,
	}
	if r != want {
		t.Errorf("got  %+v\nwant %+v", r, want)
	}
	if n := s.Billed(); n != size {
		t.Errorf("Billed() = %d, want %d", n, size)
	}
	if n := len(s.Downloads()); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

// TestHeaderFields tests what may be missing or odd in a header.
func TestHeaderFields(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		asset Asset
		name  string
		want  string
	}{
		{Asset{}, "Content-Type", "application/octet-stream"},
		{Asset{Type: "-"}, "Content-Type", ""},
		{Asset{}, "ETag", ""},
		{Asset{ETag: `W/"x"`}, "ETag", `W/"x"`},
		{Asset{ETag: "auto", Version: 2}, "ETag", `"re_1-2"`},
		{Asset{}, "Last-Modified", ""},
		{Asset{}, "Content-Disposition", "attachment"},
		{Asset{Name: `a"b\c.txt`}, "Content-Disposition", `attachment; filename="a\"b\\c.txt"`},
		{Asset{Name: "Grüße.txt"}, "Content-Disposition", `attachment; filename="Gr__e.txt"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.txt`},
		{Asset{Name: "x", Disposition: "-"}, "Content-Disposition", ""},
		{Asset{Name: "x", Disposition: "inline; filename=\xe4 b\x80"}, "Content-Disposition", "inline; filename=\xe4 b\x80"},
	} {
		c.asset.ID, c.asset.Size = "re_1", 700
		s.Put(c.asset)
		g := s.get("re_1")
		if g.status != http.StatusOK || len(g.body) != 700 {
			t.Errorf("%+v: status %d, %d bytes", c.asset, g.status, len(g.body))
		}
		g.wantHeader(t, c.name, c.want)
	}
}

func TestRanges(t *testing.T) {
	const size = 1000
	mtime := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	s := start(t, Asset{ID: "re_1", Size: size, ETag: "auto", ModTime: mtime})
	date := "If-Range: " + mtime.Format(http.TimeFormat)
	for _, c := range []struct {
		header     string
		start, end int64 // of a 206; both 0: 200 and everything
		status     int
	}{
		{"bytes=0-", 0, size, 206},
		{"bytes=0-0", 0, 1, 206},
		{"bytes=10-19", 10, 20, 206},
		{"bytes=999-", 999, size, 206},
		{"bytes=990-5000", 990, size, 206},
		{"bytes=-1", 999, size, 206},
		{"bytes=-5000", 0, size, 206},
		{"bytes=0-99999999999999999999999", 0, size, 206},
		{"bytes=1000-", 0, 0, 416},
		{"bytes=99999999999999999999999-", 0, 0, 416},
		{"bytes=-0", 0, 0, 416},
		{"bytes=5-4", 0, size, 200},
		{"bytes=-", 0, size, 200},
		{"bytes=a-b", 0, size, 200},
		{"bytes=+1-2", 0, size, 200},
		{"bytes=0-1,5-6", 0, size, 200},
		{"items=0-1", 0, size, 200},
		{`bytes=10-` + "\n" + `If-Range: "re_1-0"`, 10, size, 206},
		{`bytes=10-` + "\n" + `If-Range: "re_1-1"`, 0, size, 200},
		{`bytes=10-` + "\n" + `If-Range: W/"re_1-0"`, 0, size, 200},
		{"bytes=10-\n" + date, 10, size, 206},
		{"bytes=10-\nIf-Range: Wed, 04 Mar 2026 05:06:08 GMT", 0, size, 200},
	} {
		t.Run(c.header, func(t *testing.T) {
			g := s.get("re_1", strings.Split("Range: "+c.header, "\n")...)
			switch c.status {
			case 416:
				g.wantHeader(t, "Content-Range", "bytes */1000")
				g.wantError(t, 416, 416, msgUnacceptable)
				return
			case 206:
				g.wantHeader(t, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", c.start, c.end-1, size))
			default:
				g.wantHeader(t, "Content-Range", "")
			}
			g.wantBytes(t, c.status, c.start, c.end-c.start)
			g.wantHeader(t, "Content-Length", fmt.Sprint(c.end-c.start))
			if r := s.last(); r.Start != c.start || r.Bytes != c.end-c.start || "Range: "+r.Range != strings.Split("Range: "+c.header, "\n")[0] {
				t.Errorf("logged as %+v", r)
			}
		})
	}
}

func TestWithoutRanges(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 1000})
	s.Configure(func(c *Config) { c.NoRange = true })
	g := s.get("re_1", "Range: bytes=10-19")
	g.wantBytes(t, http.StatusOK, 0, 1000)
	g.wantHeader(t, "Accept-Ranges", "")
}

func TestEmptyAsset(t *testing.T) {
	s := start(t, Asset{ID: "re_1"})
	s.get("re_1").wantBytes(t, http.StatusOK, 0, 0)
	g := s.get("re_1", "Range: bytes=0-131071")
	g.wantHeader(t, "Content-Range", "bytes */0")
	g.wantError(t, 416, 416, msgUnacceptable)
}

func TestUnknownLength(t *testing.T) {
	for _, size := range []int64{0, 10, 3 * writeSize} {
		s := start(t, Asset{ID: "re_1", Size: size, NoLength: true})
		g := s.get("re_1", "Range: bytes=1-")
		g.wantBytes(t, http.StatusOK, 0, size)
		g.wantHeader(t, "Accept-Ranges", "")
		if g.length != -1 {
			t.Errorf("%d bytes: length %d is told", size, g.length)
		}
	}
}

func TestErrors(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10}, Asset{ID: "re_2", Size: 10, UploadStatus: "WAITING"})
	s.Configure(func(c *Config) { c.Key = "sk-mavi-1" })
	const key = "Authorization: sk-mavi-1"
	s.get("re_1").wantError(t, 401, 401, msgBadKey)
	s.get("re_1", "Authorization: Bearer sk-mavi-1").wantError(t, 401, 401, msgBadKey)
	s.get("re_1", key).wantBytes(t, 200, 0, 10)
	s.get("re_9", key).wantError(t, 400, 400, "Asset not found")
	s.get("re_2", key).wantError(t, 400, 400, msgNotUploaded+"WAITING")
	s.Delete("re_1")
	s.get("re_1", key).wantError(t, 400, 400, "Asset not found")
	if n, want := s.Billed(), int64(10); n != want {
		t.Errorf("Billed() = %d, want %d: errors are free", n, want)
	}

	s.Configure(func(c *Config) { c.OldCodes = true })
	s.get("re_9", key).wantError(t, 400, "0001", "Asset not found")
	s.get("re_9").wantError(t, 401, "0401", msgBadKey)
	s.Configure(func(c *Config) { c.ErrorsOn200 = true })
	s.get("re_9").wantError(t, 200, "0401", msgBadKey)
}

// TestErrorObject compares the object with API.md, byte for byte.
func TestErrorObject(t *testing.T) {
	got := string(start(t).get("re_9").body)
	want := `{"code":400,"msg":"Asset not found","data":null,"success":false,"failed":true}`
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMethodsAndPaths(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10})
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE", "OPTIONS"} {
		g, err := s.try(method, prefix+"re_1/download")
		if err != nil || g.status != http.StatusMethodNotAllowed {
			t.Errorf("%s: status %d, %v", method, g.status, err)
		}
		g.wantHeader(t, "Allow", "GET")
		if r := s.last(); r.Op != "download" || r.Bytes != 0 || r.Status != 405 {
			t.Errorf("%s is logged as %+v", method, r)
		}
	}
	for _, path := range []string{"/", "/re_1", prefix + "re_1", prefix + "re_1/upload", "/favicon.ico"} {
		g, err := s.try("GET", path)
		if err != nil || g.status != 404 || s.last().Op != "other" {
			t.Errorf("%s: status %d, %v, %+v", path, g.status, err, s.last())
		}
	}
	if g, err := s.try("GET", "/re_1/download"); err != nil || g.status != 200 {
		t.Errorf("without a prefix: %d, %v", g.status, err)
	}
}

func TestMetadata(t *testing.T) {
	s := start(t,
		Asset{ID: "re_660729180626595840", Name: "3.mp4", Size: 133652816, ModTime: time.UnixMilli(1766989317192)},
		Asset{ID: "re_2", MetaName: "a.b", MetaExtension: "c", NoLength: true, UploadStatus: "FAILED"})
	meta := func(id string) got {
		g, err := s.try("GET", prefix+id+"/metadata")
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	// As in API.md.
	want := `{"code":200,"msg":"success","data":{"total":1,"resource":[{"extension":"mp4","asset_id":"re_660729180626595840",` +
		`"original_filename":"3","file_size":"133652816","upload_status":"SUCCESS","create_time":"1766989317192","modify_time":"1766989317192"}]},"success":true,"failed":false}`
	if got := string(meta("re_660729180626595840").body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	want = `{"code":200,"msg":"success","data":{"total":1,"resource":[{"extension":"c","asset_id":"re_2",` +
		`"original_filename":"a.b","file_size":null,"upload_status":"FAILED","create_time":"1766989317192","modify_time":"1766989317192"}]},"success":true,"failed":false}`
	if got := string(meta("re_2").body); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	meta("re_9").wantError(t, 400, 400, "Asset not found")
	if r := s.last(); r.Op != "metadata" || r.Bytes != 0 || r.Written == 0 || len(s.Downloads()) != 0 {
		t.Errorf("logged as %+v", r)
	}
	s.Configure(func(c *Config) { c.NoMetadata = true })
	if g := meta("re_2"); g.status != 404 || !strings.Contains(string(g.body), `"status":404,"error":"Not Found"`) {
		t.Errorf("no metadata call: status %d, %s", g.status, g.body)
	}
}

func TestWaitEnds(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10, Faults: []Fault{{Hang: true}}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if r, err := s.open(ctx, "GET", prefix+"re_1/download"); err == nil {
			r.Body.Close()
			t.Error("a request that hangs was answered")
		}
	}()
	if err := s.Wait(t.Context(), func(all []Request) bool { return len(all) == 1 }); err != nil {
		t.Fatal(err)
	}
	gone, stop := context.WithCancel(t.Context())
	stop()
	if err := s.WaitIdle(gone); err == nil {
		t.Error("WaitIdle with an ended ctx and a running request: no error")
	}
	cancel()
	<-done
	if r := s.last(); r.Status != 0 || !r.Done {
		t.Errorf("logged as %+v", r)
	}
	if n := s.Peak("download"); n != 1 {
		t.Errorf("Peak = %d", n)
	}
}
