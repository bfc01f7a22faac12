package fakeapi

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// list sends a list call and returns status and body.
func (s *site) list(body string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+"/serve/api/v1/list_videos", strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func exampleVideo() Video {
	return Video{
		Asset: Asset{ID: "VI606404158946574336", Name: "182082-867762198_tiny.mp4", Size: 3284512, Bucket: "mavi-resource", Blob: "VI606404158946574336.mp4"},
		Scope: "default", Created: time.UnixMilli(1754037217992), Taken: time.UnixMilli(1729388400000),
	}
}

// The answer is that of the API's own example, field for field.
func TestListVideos(t *testing.T) {
	s := start(t)
	s.PutVideo(exampleVideo())
	const fields = `"video_no":"VI606404158946574336","video_name":"182082-867762198_tiny","duration":12,"size":3284512,"status":"PARSE","create_time":1754037217992,"tags":[],"datetime_taken":1729388400000,"bucket":"mavi-resource","blob":"VI606404158946574336.mp4"`
	const want = `{"code":"0000","msg":"success","data":{"current_page":1,"page_size":20,"total_count":1,"videos":[{` + fields + `}]},"success":true,"failed":false}`
	if status, got := s.list(`{"page":1,"unique_id":"default","status":"PARSE"}`); status != 200 || got != want {
		t.Errorf("%d %s\nwant %s", status, got, want)
	}
	if status, got := s.list(`{"page":2,"size":200,"unique_id":"default"}`); status != 200 || !strings.Contains(got, `"page_size":200,"total_count":1,"videos":[]`) {
		t.Errorf("behind the end: %d %s", status, got)
	}
	for _, body := range []string{`{"page":1,"unique_id":""}`, `{}`, ``, `[]`} {
		if status, got := s.list(body); status != 400 || !strings.Contains(got, msgNoScope) {
			t.Errorf("%s: %d %s", body, status, got)
		}
	}
	if got := s.Scopes(); !slices.Equal(got, []string{"default"}) {
		t.Errorf("scopes %q", got)
	}
	if status, got := s.list(`{"unique_id":"new"}`); status != 200 || !strings.Contains(got, `"total_count":0,"videos":[]`) {
		t.Errorf("a scope that there is not: %d %s", status, got)
	}
	if got := s.Scopes(); !slices.Equal(got, []string{"default", "new"}) {
		t.Errorf("scopes %q", got)
	}
	r := s.Requests()[0]
	if r.Op != "list" || r.ID != "default" || r.Method != http.MethodPost || r.Bytes != 0 {
		t.Errorf("logged as %+v", r)
	}
}

// A video can be downloaded by its place only, and is not listed after it was deleted.
func TestVideoDownload(t *testing.T) {
	s := start(t)
	v := exampleVideo()
	v.Size = 1000
	s.PutVideo(v)
	byPlace := prefix + "download?bucket=mavi-resource&blob=VI606404158946574336.mp4"
	if g, _ := s.try(http.MethodGet, byPlace); g.status != 200 || len(g.body) != 1000 {
		t.Errorf("by its place: %d, %d bytes", g.status, len(g.body))
	}
	for _, path := range []string{v.ID + "/download", v.ID + "/metadata"} {
		if g, _ := s.try(http.MethodGet, prefix+path); g.status != 400 || !strings.Contains(string(g.body), msgNotFound) {
			t.Errorf("%s: %d %s", path, g.status, g.body)
		}
	}
	s.DeleteVideo(v.ID)
	if g, _ := s.try(http.MethodGet, byPlace); g.status != 400 || !strings.Contains(string(g.body), msgNoResource) {
		t.Errorf("deleted: %d %s", g.status, g.body)
	}
	if _, got := s.list(`{"unique_id":"default"}`); !strings.Contains(got, `"total_count":0`) {
		t.Errorf("deleted: %s", got)
	}
}

func TestListOrderAndPages(t *testing.T) {
	s := start(t)
	for _, name := range []string{"b", "c", "a"} {
		s.PutVideo(Video{Asset: Asset{ID: "VI" + name, Name: name + ".mp4"}, Scope: "s"})
	}
	for order, want := range map[string]string{"": "VIa VIc VIb", "oldest": "VIb VIc VIa", "name": "VIa VIb VIc"} {
		s.Configure(func(c *Config) { c.ListOrder, c.PageMost = order, 2 })
		var got []string
		for _, page := range []string{"1", "2"} {
			_, text := s.list(`{"page":` + page + `,"size":200,"unique_id":"s"}`)
			for _, part := range strings.Split(text, `"video_no":"`)[1:] {
				id, _, _ := strings.Cut(part, `"`)
				got = append(got, id)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %q, want %s", order, got, want)
		}
	}
	s.Configure(func(c *Config) { c.PageRefuse = true })
	if status, _ := s.list(`{"size":200,"unique_id":"s"}`); status != 400 {
		t.Errorf("too large a page: %d", status)
	}
	s.Configure(func(c *Config) { *c = Config{List: Limit{Rates: "1/m"}, Key: "k"} })
	if status, _ := s.list(`{"unique_id":"t"}`); status != 401 {
		t.Errorf("without a key: %d", status)
	}
}
