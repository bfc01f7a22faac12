package remote

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

// A part that starts at the first byte may be an error that a cache has cut to size.
func TestRefusedParts(t *testing.T) {
	object := `{"code":429,"msg":"slow","data":null}`
	of := func(n, size int) string { return fmt.Sprintf("Content-Range: bytes 0-%d/%d\r\n", n-1, size) }
	for name, tc := range map[string]struct {
		answer string
		number int
		is     error
	}{
		"whole object":         {reply(206, of(len(object), len(object)), object), 429, nil},
		"object, size unknown": {reply(206, "Content-Range: bytes 0-36/*\r\n", object), 429, nil},
		"page":                 {reply(206, "Content-Type: text/html\r\n"+of(6, 300), "<html>"), 0, ErrUnreachable},
		"page, in disguise":    {reply(206, of(7, 300), "<html>x"), 0, ErrUnreachable},
	} {
		c, _ := raw(t, tc.answer)
		_, err := c.Download(t.Context(), Request{ID: testID, Class: Background, End: 1 << 17})
		if e := failure(t, err); e.Number() != tc.number || tc.is != nil && !errors.Is(err, tc.is) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, answer := range map[string]string{
		"beginning of a longer object": reply(206, of(len(object), 1000), object),
		"object with a name":           reply(206, attachment+of(len(object), len(object)), object),
	} {
		c, _ := raw(t, answer)
		if _, body, err := fetch(t, c, Request{End: 1 << 17}); err != nil || body != object {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
}

// A Content-Range that can't be believed costs one more request, without Range.
func TestBrokenContentRange(t *testing.T) {
	const all = "0123456789"
	plain := reply(200, attachment+"Content-Length: 10\r\n", all)
	ranged := func(field string, start, n int) string {
		return reply(206, fmt.Sprintf("%s%sContent-Length: %d\r\n", attachment, field, n), all[start:start+n])
	}
	field := func(s string) string { return "Content-Range: " + s + "\r\n" }
	for _, tc := range []struct {
		name, answer string
		start        int64
		doubtful     bool // false: requested again
		size         int64
	}{
		{"wrong total", ranged(field("bytes 4-9/6"), 4, 6), 4, true, -1},
		{"total beyond an int64", ranged(field("bytes 4-9/99999999999999999999"), 4, 6), 4, true, -1},
		{"no total", ranged(field("bytes 4-9"), 4, 6), 4, true, -1},
		{"odd unit", ranged(field("4-9/10"), 4, 6), 4, true, 10},
		{"equals sign", ranged(field("bytes=4-9/10"), 4, 6), 4, true, 10},
		{"colon", ranged(field("bytes: 4 - 9 / 10"), 4, 6), 4, true, 10},
		{"from the first byte on, all told", ranged(field("bytes=0-9/10"), 0, 10), 0, true, 10},
		{"from the first byte on, wrong total", ranged(field("bytes 0-9/6"), 0, 10), 0, false, 10},
		{"no first byte", ranged(field("bytes -9/10"), 0, 10), 0, false, 10},
		{"last byte behind the end", ranged(field("bytes 4-10/10"), 4, 6), 4, false, 10},
		{"no last byte", ranged(field("bytes 4-/10"), 4, 6), 4, false, 10},
		{"last byte too small", ranged(field("bytes 4-8/10"), 4, 6), 4, false, 10},
		{"no range", ranged(field("bytes */10"), 4, 6), 4, false, 10},
		{"no field", ranged("", 4, 6), 4, false, 10},
		{"two fields", ranged(field("bytes 4-9/10")+field("bytes 0-9/10"), 4, 6), 4, false, 10},
		{"nonsense", ranged(field("all of it"), 4, 6), 4, false, 10},
		{"numbers beyond an int64", ranged(field("bytes 4-99999999999999999999/10"), 4, 6), 4, false, 10},
		{"another range", ranged(field("bytes 0-3/10"), 0, 4), 4, false, 10},
		{"a later range", ranged(field("bytes 5-9/10"), 5, 5), 4, false, 10},
		{"several ranges", reply(206, attachment+"Content-Type: multipart/byteranges; boundary=x\r\n", "--x"), 4, false, 10},
		{"wrong total, chunked", reply(206, attachment+field("bytes 4-9/6")+"Transfer-Encoding: chunked\r\n", "6\r\n456789\r\n0\r\n\r\n"), 4, false, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, hits := raw(t, tc.answer, plain)
			resp, body, err := fetch(t, c, Request{Start: tc.start})
			if err != nil {
				t.Fatal(err)
			}
			want, n := int64(0), int64(2)
			if tc.doubtful {
				want, n = tc.start, 1
			}
			if body != all[want:] || resp.Start != want || resp.End != 10 || resp.Info.Size != tc.size {
				t.Errorf("%q of %+v, want the bytes from %d on, of %d", body, resp, want, tc.size)
			}
			if resp.Doubtful != tc.doubtful || resp.Partial != tc.doubtful {
				t.Errorf("doubtful %v, partial %v", resp.Doubtful, resp.Partial)
			}
			if s := c.Stats(); hits.Load() != n || s.Requests != n {
				t.Errorf("%d requests, %d counted, want %d", hits.Load(), s.Requests, n)
			}
		})
	}
	t.Run("for ever", func(t *testing.T) {
		c, hits := raw(t, ranged(field("bytes 4-8/10"), 4, 6))
		if _, err := c.Download(t.Context(), Request{ID: testID, Start: 4}); !errors.Is(err, ErrMalformed) || hits.Load() != 2 {
			t.Errorf("%v after %d requests, want a malformed response after 2", err, hits.Load())
		}
	})
	t.Run("a part with a status for all", func(t *testing.T) {
		part := reply(200, attachment+field("bytes 4-9/10")+"Content-Length: 6\r\n", all[4:])
		c, hits := raw(t, part)
		resp, body, err := fetch(t, c, Request{Start: 4})
		if err != nil || body != all[4:] || !resp.Partial || resp.Start != 4 || resp.Info.Size != 10 || hits.Load() != 1 {
			t.Errorf("%q of %+v, %v", body, resp, err)
		}
		if _, err := c.Download(t.Context(), Request{ID: testID, NoRange: true}); !errors.Is(err, ErrMalformed) {
			t.Errorf("unasked: %v, want a malformed response", err)
		}
		for name, answer := range map[string]string{
			"all of it":                 reply(200, attachment+field("bytes 0-9/10")+"Content-Length: 10\r\n", all),
			"all of it in spite of it":  reply(200, attachment+field("bytes 4-9/10")+"Content-Length: 10\r\n", all),
			"by a proxy, no name":       reply(203, "Content-Length: 10\r\n", all),
			"all of it, by a proxy":     reply(203, attachment+"Content-Length: 10\r\n", all),
			"created":                   reply(201, attachment+"Content-Length: 10\r\n", all),
			"accepted":                  reply(202, attachment+"Content-Length: 10\r\n", all),
			"an unknown success":        reply(299, attachment+"Transfer-Encoding: chunked\r\n", chunks(all)),
			"the beginning, in chunks":  reply(200, attachment+field("bytes 0-5/10")+"Transfer-Encoding: chunked\r\n", chunks(all[:6])),
			"in spite of it, in chunks": reply(200, attachment+field("bytes 0-5/10")+"Transfer-Encoding: chunked\r\n", chunks(all)),
			"a size alone":              reply(200, attachment+field("bytes */10")+"Transfer-Encoding: chunked\r\n", chunks(all)),
			"a broken field":            reply(200, attachment+field("4-9")+"Content-Length: 10\r\n", all),
		} {
			c, hits := raw(t, answer, plain)
			want := int64(1)
			if strings.HasSuffix(name, ", in chunks") { // only a second request shows what it is
				want = 2
			}
			if resp, body, err := fetch(t, c, Request{End: 6}); err != nil || body != all || resp.Partial || hits.Load() != want {
				t.Errorf("%s: %q of %+v, %v after %d requests", name, body, resp, err, hits.Load())
			}
		}
	})
	t.Run("unasked", func(t *testing.T) {
		// All answers have the status of a part. What does not say that it is one is all that there is.
		for _, says := range []string{field("bytes 0-9/10"), "", field("all of it"), field("bytes */10"), field("bytes 0--1/10"), field("bytes 5-4/10"), field("bytes 0-9223372036854775807/*")} {
			c, hits := raw(t, ranged(says, 0, 10))
			for start := range int64(2) {
				resp, body, err := fetch(t, c, Request{Start: 5 * start})
				if err != nil || body != all || resp.Partial != (start == 0 && hits.Load() == 1) || resp.Info.Size != 10 {
					t.Errorf("%q: %q of %+v, %v", says, body, resp, err)
				}
			}
		}
		for name, answer := range map[string]string{
			"all of it, it says":          ranged(field("bytes 0-9/10"), 0, 10),
			"no name":                     reply(206, "Content-Length: 10\r\n", all),
			"a range for all, and chunks": reply(200, attachment+field("bytes 0-5/10")+"Transfer-Encoding: chunked\r\n", chunks(all)),
		} {
			c, _ := raw(t, answer)
			if resp, body, err := fetch(t, c, Request{NoRange: true}); err != nil || body != all || resp.Partial {
				t.Errorf("%s: %q of %+v, %v", name, body, resp, err)
			}
		}
		for name, answer := range map[string]string{
			"the beginning": ranged(field("bytes 0-5/10"), 0, 6),
			"a part":        ranged(field("bytes 4-9/10"), 4, 6),
			"a broken part": ranged(field("bytes 4-9"), 4, 6),
			"several parts": reply(206, "Content-Type: Multipart/ByteRanges; boundary=x\r\n", "--x"),
		} {
			c, _ := raw(t, answer)
			if _, body, err := fetch(t, c, Request{NoRange: true}); !errors.Is(err, ErrMalformed) {
				t.Errorf("%s: %q, %v, want a malformed response", name, body, err)
			}
		}
	})
}

// A cache whose key lacks the range answers every range with the first part that it got. Of a long asset that would be paid
// again and again.
func TestStrayPart(t *testing.T) {
	const size = 1 << 20
	all := strings.Repeat("0123456789abcdef", size/16)
	part := func(start, end int) string {
		return reply(206, fmt.Sprintf("%sContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n", attachment, start, end-1, size, end-start), all[start:end])
	}
	plain := reply(200, fmt.Sprintf("%sContent-Length: %d\r\n", attachment, size), all)
	for _, tc := range []struct {
		name       string
		start, end int
		hits       int64
		partial    bool
	}{
		{"all of it", 0, size, 1, false}, // Range is ignored, with another status
		{"a little before", size - 2000, size, 1, true},
		{"long before", 16, size, 2, false},
		{"the beginning", 0, size / 2, 2, false},
		{"later", size - 10, size, 2, false},
	} {
		c, hits := raw(t, part(tc.start, tc.end), plain)
		resp, body, err := fetch(t, c, Request{Start: size - 1000})
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		if body != all[resp.Start:] || resp.Info.Size != size || resp.Partial != tc.partial || hits.Load() != tc.hits {
			t.Errorf("%s: %d bytes from %d on, partial %v, %d requests, want %d", tc.name, len(body), resp.Start, resp.Partial, hits.Load(), tc.hits)
		}
	}
}

// An empty asset has no first byte to request: one more request gets its name.
func TestEmptyAsset(t *testing.T) {
	empty := reply(200, attachment+"Content-Length: 0\r\n", "")
	for name, refusal := range map[string]string{
		"416":                       reply(416, "Content-Range: bytes */0\r\n", ""),
		"416 without a size":        reply(416, "", ""),
		"416 with a page":           reply(416, "Content-Type: text/html\r\n", "<html>"),
		"416 in the API's envelope": reply(416, "", `{"code":416,"msg":"no"}`),
		"400":                       reply(400, "", ""),
		"400 with a text":           reply(400, "Content-Type: text/plain\r\n", "bad range"),
		"403":                       reply(403, "", ""),
		"403 with xml":              reply(403, "Content-Type: application/xml\r\n", "<Error/>"),
		"406":                       reply(406, "", ""),
		"412":                       reply(412, "", "<html>"),
		"empty part":                reply(206, "Content-Length: 0\r\n", ""),
		"part of an empty range":    reply(206, "Content-Range: bytes */0\r\nContent-Length: 0\r\n", ""),
		"part before its start":     reply(206, "Content-Range: bytes 0--1/0\r\nContent-Length: 0\r\n", ""),
	} {
		c, hits := raw(t, refusal, empty)
		resp, body, err := fetch(t, c, Request{})
		if err != nil || body != "" || resp.Info.Name != "x" || resp.Info.Size != 0 || resp.Partial {
			t.Errorf("%s: %q of %+v, %v", name, body, resp, err)
		}
		if n := c.Stats().Requests; hits.Load() != 2 || n != 2 {
			t.Errorf("%s: %d requests, %d counted, want 2", name, hits.Load(), n)
		}
	}
	// An asset that is shorter than expected gives its length in the same way.
	c, _ := raw(t, reply(416, "Content-Range: bytes */3\r\n", ""), reply(200, attachment+"Content-Length: 3\r\n", "abc"))
	if resp, body, err := fetch(t, c, Request{Start: 9}); err != nil || body != "abc" || resp.Start != 0 || resp.Info.Size != 3 {
		t.Errorf("a shorter asset: %q of %+v, %v", body, resp, err)
	}
	// It counts if the asset itself comes without one.
	chunked := reply(200, attachment+"Transfer-Encoding: chunked\r\n", chunks("abc"))
	for name, tc := range map[string]struct {
		refusal, answer string
		size            int64
		err             error
	}{
		"chunked":                       {reply(416, "Content-Range: bytes */3\r\n", ""), chunked, 3, nil},
		"chunked, and cut":              {reply(416, "Content-Range: bytes */5\r\n", ""), chunked, 5, io.ErrUnexpectedEOF},
		"chunked, a part is refused":    {reply(416, "Content-Range: bytes 0-1/2\r\n", ""), chunked, -1, nil},
		"chunked, no size":              {reply(416, "", ""), chunked, -1, nil},
		"chunked, said to be empty":     {reply(416, "Content-Range: bytes */0\r\n", ""), chunked, -1, nil},
		"chunked, an impossible size":   {reply(416, "Content-Range: bytes */1152921504606846977\r\n", ""), chunked, -1, nil},
		"with a length of its own":      {reply(416, "Content-Range: bytes */2\r\n", ""), reply(200, attachment+"Content-Length: 3\r\n", "abc"), 3, nil},
		"chunked, after another status": {reply(403, "Content-Range: bytes */2\r\n", ""), chunked, -1, nil},
	} {
		c, _ := raw(t, tc.refusal, tc.answer)
		if resp, body, err := fetch(t, c, Request{Start: 9}); !errors.Is(err, tc.err) || body != "abc" || resp.End != tc.size || resp.Info.Size != tc.size {
			t.Errorf("%s: %q of %+v, %v, want size %d, %v", name, body, resp, err, tc.size, tc.err)
		}
	}
	for name, tc := range map[string]struct {
		answer string
		r      Request
		hits   int64
		retry  int
	}{
		"always 416":                  {reply(416, "Content-Range: bytes */0\r\n", ""), Request{}, 2, 0},
		"always a page of 410":        {reply(410, "", "<html>"), Request{}, 1, 3},
		"always a page of 403":        {reply(403, "", "<html>"), Request{}, 2, 2},
		"400 of the API":              {reply(400, "", `{"code":400,"msg":"Asset not found"}`), Request{}, 1, 0},
		"a later range":               {reply(403, "", "<html>"), Request{Start: 1}, 2, 2},
		"501, with Range and without": {reply(501, "", "<html>"), Request{Start: 1}, 2, 2},
		"without Range":               {reply(403, "", "<html>"), Request{NoRange: true}, 1, 3},
		"always 416, behind the end":  {reply(416, "Content-Range: bytes */9\r\n", ""), Request{Start: 9}, 2, 0},
	} {
		c, hits := raw(t, tc.answer)
		tc.r.ID = testID
		_, err := c.Download(t.Context(), tc.r)
		if n, _ := failure(t, err).Retry(); hits.Load() != tc.hits || n != tc.retry {
			t.Errorf("%s: %v after %d requests, worth %d, want %d and %d", name, err, hits.Load(), n, tc.hits, tc.retry)
		}
	}
}
