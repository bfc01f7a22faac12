package fakeapi

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// msgNoScope is the API's message for a list call without a scope.
	msgNoScope = "unique_id cannot be null or empty"
	// pageUsual is the default number of videos on a page.
	pageUsual = 20
	// maxListBody bounds the body of a list call, in bytes.
	maxListBody = 64 << 10
)

// Video is an asset of the library. It can be downloaded by its place only: the base API does
// not know its ID, which begins with VI.
type Video struct {
	Asset // Bucket and Blob are its place; without a Blob the list gives no place
	// Scope is the unique_id of its upload.
	Scope string
	// Title is video_name; "": Name without its extension.
	Title   string
	Status  string    // "": PARSE
	Created time.Time // zero: the time in the API's own example
	Taken   time.Time // datetime_taken; zero: none
	// Omit lists fields to omit: "size,duration".
	Omit string
}

// exampleCreated is the time of a video without one.
const exampleCreated = 1754037217992

// library holds the videos of all scopes. The server's mutex guards it.
type library struct {
	scopes map[string][]*Video // in the order they were added; includes empty scopes that a list call created
	places map[place]string    // IDs
	listed func(scope string, page int)
}

func newLibrary() library {
	return library{scopes: map[string][]*Video{}, places: map[place]string{}}
}

// PutVideo adds a video after the others of its scope, or replaces the one with the same ID
// in its position.
func (s *Server) PutVideo(v Video) {
	s.put(v.Asset, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.library.scopes[v.Scope]
	if i := slices.IndexFunc(list, func(o *Video) bool { return o.ID == v.ID }); i >= 0 {
		list[i] = &v
		return
	}
	s.library.scopes[v.Scope] = append(list, &v)
}

// AddVideos adds many new videos. Unlike PutVideo it does not search for old ones.
func (s *Server) AddVideos(videos []Video) {
	for _, v := range videos {
		s.put(v.Asset, true)
		s.mu.Lock()
		s.library.scopes[v.Scope] = append(s.library.scopes[v.Scope], &v)
		s.mu.Unlock()
	}
}

// DeleteVideo removes a video from its scope, and its bytes.
func (s *Server) DeleteVideo(id string) {
	s.Delete(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	for scope, list := range s.library.scopes {
		s.library.scopes[scope] = slices.DeleteFunc(list, func(v *Video) bool { return v.ID == id })
	}
}

// Scopes returns all scopes, including empty ones that a list call created.
func (s *Server) Scopes() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for scope := range s.library.scopes {
		all = append(all, scope)
	}
	slices.Sort(all)
	return all
}

// WhenListed sets a function to call after the videos of a page are chosen and before they
// are sent. f may call the server.
func (s *Server) WhenListed(f func(scope string, page int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.library.listed = f
}

// listRequest is the body of a list call. Its filters are ignored.
type listRequest struct {
	Page  int    `json:"page"`
	Size  int    `json:"size"`
	Scope string `json:"unique_id"`
}

// isList reports whether path is that of a list call, whose scope is in its body.
func isList(path string) bool { return strings.HasSuffix("/"+strings.Trim(path, "/"), "/list_videos") }

// readList reads the body of a list call. It returns an empty request if it can't.
func readList(r *http.Request) listRequest {
	var l listRequest
	b, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxListBody))
	if err != nil || json.Unmarshal(b, &l) != nil {
		return listRequest{}
	}
	return l
}

// listVideos answers a list call, and creates the scope if it does not exist.
func (s *Server) listVideos(cfg Config, l listRequest) *reply {
	switch {
	case l.Scope == "":
		return errorReply(cfg, http.StatusBadRequest, msgNoScope)
	case l.Page < 0 || l.Size < 0 || cfg.PageRefuse && cfg.PageMost > 0 && l.Size > cfg.PageMost:
		return errorReply(cfg, http.StatusBadRequest, msgInvalid)
	}
	number, size := max(1, l.Page), cmp.Or(l.Size, pageUsual)
	if cfg.PageMost > 0 {
		size = min(size, cfg.PageMost)
	}
	s.mu.Lock()
	list := s.library.scopes[l.Scope]
	if list == nil {
		s.library.scopes[l.Scope] = []*Video{}
	}
	list = ordered(list, cfg.ListOrder)
	total, listed := len(list), s.library.listed
	from := min((number-1)*size, total)
	list = list[from:min(from+size, total)]
	s.mu.Unlock()
	b := frame(Config{Bare: cfg.Bare}, "0000", "success", listing(cfg, list, number, size, total), true)
	if listed != nil {
		listed(l.Scope, number)
	}
	return textReply(http.StatusOK, "application/json", b)
}

// ordered returns the videos of a scope in list order.
func ordered(list []*Video, order string) []*Video {
	list = slices.Clone(list)
	switch order {
	case "oldest":
	case "name":
		slices.SortStableFunc(list, func(a, b *Video) int { return cmp.Compare(a.title(), b.title()) })
	default:
		slices.Reverse(list)
	}
	return list
}

// listing returns the data of an answer.
func listing(cfg Config, list []*Video, number, size, total int) resource {
	count := func(n int64) any {
		if cfg.ListStrings {
			return strconv.FormatInt(n, 10)
		}
		return n
	}
	videos := make([]resource, len(list))
	for i, v := range list {
		videos[i] = v.fields(count)
	}
	data := resource{
		{"current_page", count(int64(number))},
		{"page_size", count(int64(size))},
		{"total_count", count(int64(cmp.Or(cfg.ListTotal, total)))},
		{"videos", videos},
	}
	omitted := slices.Collect(items(cfg.ListOmit))
	return slices.DeleteFunc(data, func(f field) bool { return slices.Contains(omitted, f.name) })
}

func (v *Video) title() string {
	stem, _, _ := cutExtension(v.Name)
	return cmp.Or(v.Title, stem)
}

func cutExtension(name string) (stem, ext string, ok bool) {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		return name[:i], name[i:], true
	}
	return name, "", false
}

// fields returns one video of a list, with fields in the order of the API's example.
func (v *Video) fields(count func(int64) any) resource {
	created := int64(exampleCreated)
	if !v.Created.IsZero() {
		created = v.Created.UnixMilli()
	}
	a := v.settled() // the size is known only after that
	res := resource{
		{"video_no", v.ID},
		{"video_name", v.title()},
		{"duration", count(12)},
		{"size", count(a.Size)},
		{"status", cmp.Or(v.Status, "PARSE")},
		{"create_time", count(created)},
		{"tags", []string{}},
	}
	if !v.Taken.IsZero() {
		res = append(res, field{"datetime_taken", count(v.Taken.UnixMilli())})
	}
	if v.Blob != "" {
		res = append(res, field{"bucket", v.Bucket}, field{"blob", v.Blob})
	}
	omitted := slices.Collect(items(v.Omit))
	return slices.DeleteFunc(res, func(f field) bool { return slices.Contains(omitted, f.name) })
}

// videoJSON is a video and its bytes.
type videoJSON struct {
	assetJSON
	Scope, Title, Status, Omit string
	Created, Taken             time.Time
}

func (s *Server) controlVideo(_ http.ResponseWriter, r *http.Request) error {
	var j videoJSON
	if err := decode(r, &j); err != nil {
		return err
	}
	a, err := j.complete()
	if err != nil {
		return err
	}
	s.PutVideo(Video{Asset: a, Scope: j.Scope, Title: j.Title, Status: j.Status, Omit: j.Omit, Created: j.Created, Taken: j.Taken})
	return nil
}

// manyVideos asks for Count sample videos, starting with number First.
type manyVideos struct {
	Scope        string
	First, Count int
}

// SampleVideo returns sample video number n, with a name, a size and times of its own.
func SampleVideo(scope string, n int) Video {
	id := "VI" + strconv.FormatInt(606404158946574336+int64(n), 10)
	return Video{
		Asset: Asset{
			ID: id, Name: fmt.Sprintf("%s %06d.mp4", scope, n), Type: "video/mp4", Size: int64(1<<20 + n),
			ETag: "auto", Bucket: "mavi-resource", Blob: id + ".mp4",
		},
		Scope: scope, Created: time.UnixMilli(exampleCreated + int64(n)*1000), Taken: time.UnixMilli(1729388400000 + int64(n)*1000),
	}
}

func (s *Server) controlVideos(_ http.ResponseWriter, r *http.Request) error {
	var many manyVideos
	if err := decode(r, &many); err != nil {
		return err
	}
	videos := make([]Video, many.Count)
	for i := range videos {
		videos[i] = SampleVideo(many.Scope, many.First+i)
	}
	s.AddVideos(videos)
	return nil
}
