package remote

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"path"
	"strings"
	"time"
	"unicode"
)

const (
	opList = "list"
	// maxList bounds an answer, in bytes: 80 KiB for each video of a page.
	maxList = 16 << 20
	// maxPages bounds a pass, in case a list never ends.
	maxPages = 10_000
	// barren is how many pages in a row without a new video end a pass.
	barren = 2
	// listTries is how often a page is requested when there is trouble on the way.
	listTries = 5
	// maxVideoID bounds an ID, which becomes a file name, in bytes.
	maxVideoID = 255
)

// pageSizes are tried in turn, because the largest allowed size is not documented. 20 is
// the server's default.
var pageSizes = []int{200, 100, 50, 20}

// ListRate is the documented limit of lists, 5 a second, with a tenth to spare: a busy
// machine sends some calls a little late, and the next ones then too soon after them.
var ListRate = Rate{5, 1100 * time.Millisecond}

// A Video is an asset as the library lists it.
type Video struct {
	ID           string
	Name         string // with the extension of the stored object, not sanitised
	Size         int64  // bytes, -1: unknown
	Time         time.Time
	Bucket, Blob string // its place; "": unknown
}

// A Listing describes a pass over the pages of a list.
type Listing struct {
	Videos  int  // met
	Pages   int  // read
	Shifted bool // the list changed meanwhile: a video may have been missed
	Missing int  // videos that the server counts beyond those it listed
}

// ListVideos passes once over the videos of a scope in Options.Library. The server creates a scope that does
// not exist, so scope must be one that the user has named. found is called with the videos
// of each page that are new to the pass, and must not keep the slice. Calls are free, have
// a rate limit and a gate of their own, and are repeated when there is trouble on the way;
// ctx bounds it all. Every error is an *Error.
//
// Pages are numbered, so they shift when videos come and go. A list of one page is always
// right. For longer ones, Listing.Shifted says whether another pass is needed. One change
// goes unnoticed: a list not sorted by age that lost as many videos as it gained.
func (c *Client) ListVideos(ctx context.Context, scope string, found func([]Video)) (Listing, error) {
	p := &pass{started: time.Now(), met: map[string]struct{}{}, total: -1}
	for more := true; more; {
		answer, err := c.listPage(ctx, scope, p.list.Pages+1)
		if err != nil && p.over && ctx.Err() == nil {
			p.list.Shifted = p.list.Shifted || !p.counted()
			break // there is probably no such page
		}
		if err == nil && p.list.Pages == maxPages {
			err = malformed(http.StatusOK, "a list without end")
		}
		if err != nil {
			return p.list, c.finish(opList, scope, err)
		}
		var videos []Video
		if videos, more = p.take(answer); len(videos) > 0 {
			found(videos)
		}
	}
	p.list.Videos, p.list.Missing = len(p.met), int(max(0, p.total-int64(p.rows)))
	if p.rows > 0 && len(p.met) == 0 {
		// An empty list would remove the videos that are known.
		return p.list, c.finish(opList, scope, malformed(http.StatusOK, "none of %d videos has a video_no that can be a file name", p.rows))
	}
	return p.list, nil
}

// pass is the state of one pass over the pages of a list.
type pass struct {
	list    Listing
	started time.Time
	met     map[string]struct{} // IDs
	rows    int                 // on all pages
	total   int64               // the length of the list on the last page; -1: none given
	// uncounted means that the number given is not the length of the list.
	uncounted bool
	full      int  // videos on a page that is not the last
	over      bool // the last page read may be the end of the list
	idle      int  // pages in a row without a new video
}

// counted reports whether the pages hold as many videos as the server says there are.
func (p *pass) counted() bool { return p.total >= 0 && int64(p.rows) >= p.total }

// take adds a page. It returns its new videos, and whether there is another page.
func (p *pass) take(answer *listAnswer) (videos []Video, more bool) {
	p.list.Pages++
	p.rows += len(answer.Videos)
	later := p.list.Pages > 1
	for _, raw := range answer.Videos {
		v, created, ok := raw.video()
		if !ok {
			continue
		}
		if _, again := p.met[v.ID]; again {
			p.list.Shifted = true
			continue
		}
		p.met[v.ID] = struct{}{}
		// A video added during the pass may hide that another was removed.
		p.list.Shifted = p.list.Shifted || later && created.After(p.started)
		videos = append(videos, v)
	}
	if p.idle++; len(videos) > 0 {
		p.idle = 0
	}
	total := int64(-1)
	if answer.Total.ok {
		total = answer.Total.n
	}
	// A length below that of the first page counts something else.
	p.uncounted = p.uncounted || !later && total < int64(p.rows)
	if p.uncounted {
		total = -1
	}
	if later && total != p.total {
		p.list.Shifted = true
	}
	p.total = total
	if answer.Size.ok {
		p.full = int(answer.Size.n)
	}
	n := len(answer.Videos)
	p.full = cmp.Or(p.full, n)
	p.over = n < p.full || p.counted()
	switch {
	case n == 0:
		// It has ended before its own length.
		p.list.Shifted = p.list.Shifted || int64(p.rows) < total
		return videos, false
	case p.idle == barren:
		return videos, false
	case n < p.full:
		return videos, !p.counted()
	}
	return videos, true // even if all are counted: a total that is too small must not hide videos
}

// listPage requests a page, and retries on trouble on the way: the last of 500 pages must
// not cost all the others.
func (c *Client) listPage(ctx context.Context, scope string, number int) (*listAnswer, *Error) {
	for tries := 0; ; tries++ {
		answer, fail := c.sizedPage(ctx, scope, number)
		if fail == nil || ctx.Err() != nil || tries+1 >= listTries || !fail.retryable() {
			return answer, fail
		}
		if number == 1 && errors.Is(fail, ErrUnreachable) {
			return nil, fail // nothing is lost, and somebody may wait
		}
		_, after := fail.Retry()
		select {
		case <-time.After(max(after, backoff(0, tries))):
		case <-ctx.Done():
			return nil, waiting(ctx, fail)
		}
	}
}

// sizedPage requests a page of the largest size that the server accepts. Sizes are tried on
// the first page only.
func (c *Client) sizedPage(ctx context.Context, scope string, number int) (*listAnswer, *Error) {
	known := c.page.Load()
	for i := known; ; i++ {
		answer, fail := c.askList(ctx, scope, number, pageSizes[i])
		if fail == nil && i > known {
			c.page.Store(i)
		}
		if fail == nil || number > 1 || int(i+1) == len(pageSizes) || fail.Number() != http.StatusBadRequest || errors.Is(fail, ErrExceeded) {
			return answer, fail
		}
	}
}

func (c *Client) askList(ctx context.Context, scope string, number, size int) (*listAnswer, *Error) {
	body, _ := json.Marshal(struct {
		Page  int    `json:"page"`
		Size  int    `json:"size"`
		Scope string `json:"unique_id"`
	}{number, size, scope})
	return withKey(ctx, c, c.lists, Reader, func(key string) (*listAnswer, *Error) { return c.sendList(ctx, scope, body, key) })
}

func (c *Client) sendList(ctx context.Context, scope string, body []byte, key string) (*listAnswer, *Error) {
	slot, fail := c.lists.limiter.acquire(ctx, Reader, "", nil)
	if fail != nil {
		return nil, fail
	}
	h := http.Header{"User-Agent": {userAgent}, "Accept": {"application/json"}, "Content-Type": {"application/json"}}
	b, fail := c.exchangeJSON(ctx, c.lists, below(c.o.Library, "list_videos"), outgoing{header: h, body: body}, key, maxList, func(net.Conn) bool { return slot.write(ctx) })
	var answer *listAnswer
	if fail == nil {
		answer, fail = parseList(b)
	}
	c.lists.heard(key, scope, fail)
	slot.done(scope, fail, ctx.Err() != nil)
	return answer, fail
}

// listAnswer is one page.
type listAnswer struct {
	Total  number     `json:"total_count"`
	Size   number     `json:"page_size"`
	Videos []rawVideo `json:"videos"`
}

func parseList(b []byte) (*listAnswer, *Error) {
	var answer struct {
		Data *listAnswer `json:"data"`
	}
	if err := json.Unmarshal(trimBOM(b), &answer); err != nil {
		return nil, malformed(http.StatusOK, "a list that can't be read: %v", err)
	}
	switch d := answer.Data; {
	case d == nil:
		return nil, malformed(http.StatusOK, "a list without data")
	case d.Videos == nil && (!d.Total.ok || d.Total.n > 0):
		return nil, malformed(http.StatusOK, "a list without videos")
	}
	return answer.Data, nil
}

// rawVideo is a video as the API writes it.
type rawVideo struct {
	ID      text   `json:"video_no"`
	Name    text   `json:"video_name"`
	Size    number `json:"size"`
	Created number `json:"create_time"`
	Taken   number `json:"datetime_taken"`
	Bucket  text   `json:"bucket"`
	Blob    text   `json:"blob"`
}

// UnmarshalJSON never fails: one odd video must not cost the others.
func (r *rawVideo) UnmarshalJSON(b []byte) error {
	type plain rawVideo
	_ = json.Unmarshal(b, (*plain)(r)) // fails only if b is no object
	return nil
}

// video returns the video that r describes, and when it was added. ok is false if its ID
// can't be a file name.
func (r *rawVideo) video() (v Video, created time.Time, ok bool) {
	v = Video{ID: string(r.ID), Name: string(r.Name), Size: -1, Bucket: string(r.Bucket), Blob: string(r.Blob)}
	if !usableID(v.ID) {
		return Video{}, time.Time{}, false
	}
	if r.Size.n > 0 && r.Size.n <= maxSize { // 0 means that the server has not measured it yet
		v.Size = r.Size.n
	}
	created = r.Created.time()
	if v.Time = r.Taken.time(); v.Time.IsZero() {
		v.Time = created
	}
	if v.Bucket == "" || v.Blob == "" {
		v.Bucket, v.Blob = "", "" // neither works alone
	}
	v.Name = withExtension(v.Name, extensionOf(v.Blob))
	if v.Name == "" {
		v.Name = withExtension(v.ID, extensionOf(v.Blob))
	}
	return v, created, true
}

func usableID(id string) bool {
	return id != "" && id != "." && id != ".." && len(id) <= maxVideoID &&
		!strings.ContainsFunc(id, func(r rune) bool { return r == '/' || !unicode.IsPrint(r) })
}

// extensionOf returns the extension of a stored object, "" if it has none.
func extensionOf(blob string) string {
	ext := path.Ext(path.Base(blob))
	if len(ext) < 2 || len(ext) > 16 || strings.ContainsFunc(ext[1:], func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return ""
	}
	return ext
}
