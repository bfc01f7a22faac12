package fakeapi

import (
	"net/http"
	"strconv"
	"strings"
)

// byteRange is the answer to a Range header.
type byteRange struct {
	start, end     int64 // end is exclusive
	partial        bool  // 206; false: the whole asset
	unsatisfiable  bool  // 416
	contentRangeAt int64 // added to both ends in Content-Range, which is then wrong
}

// parseRange reads a Range header (RFC 9110, 14.1.2). It ignores a malformed header, and
// one with several ranges.
func parseRange(h string, size int64) byteRange {
	all := byteRange{end: size}
	spec, ok := strings.CutPrefix(h, "bytes=")
	if !ok {
		return all
	}
	first, last, ok := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || first == "" && last == "" {
		return all
	}
	if first == "" { // the last n bytes
		n, ok := digits(last)
		switch {
		case !ok:
			return all
		case n == 0 || size == 0:
			return byteRange{unsatisfiable: true}
		}
		return byteRange{start: max(0, size-n), end: size, partial: true}
	}
	start, ok := digits(first)
	if !ok {
		return all
	}
	end := size
	if last != "" {
		l, ok := digits(last)
		if !ok || l < start {
			return all
		}
		if l < size {
			end = l + 1
		}
	}
	if start >= size {
		return byteRange{unsatisfiable: true}
	}
	return byteRange{start: start, end: end, partial: true}
}

// digits reads a number that consists of digits only, as the grammar demands. A number too
// large for an int64 becomes the largest int64.
func digits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 1<<63 - 1, true
	}
	return n, true
}

// rangeOf returns which bytes of a to send in answer to r.
func rangeOf(r *http.Request, a *Asset, cfg Config, f Fault) byteRange {
	all := byteRange{end: a.Size}
	if cfg.NoRange || a.NoRange || f.IgnoreRange || a.NoLength {
		return all
	}
	if v := r.Header.Get("If-Range"); v != "" && !sameVersion(v, a) {
		return all
	}
	br := parseRange(r.Header.Get("Range"), a.Size)
	if a.Whole200 && br.partial && br.start == 0 && br.end == a.Size {
		return all
	}
	if br.partial {
		br.start = min(max(br.start+f.Shift, 0), a.Size-1)
		br.end = max(br.end, br.start+1)
		br.contentRangeAt = f.Mislabel
	}
	return br
}

// sameVersion compares an If-Range with a: an ETag matches only if both are strong, a date
// only if it is equal (RFC 9110, 13.1.5).
func sameVersion(v string, a *Asset) bool {
	if strings.HasPrefix(v, `"`) {
		return v == a.etag()
	}
	return v == a.lastModified()
}

// contentRange returns the Content-Range of br.
func (br byteRange) contentRange(size int64) string {
	if br.unsatisfiable {
		return "bytes */" + strconv.FormatInt(size, 10)
	}
	at := func(n int64) string { return strconv.FormatInt(n+br.contentRangeAt, 10) }
	return "bytes " + at(br.start) + "-" + at(br.end-1) + "/" + strconv.FormatInt(size, 10)
}

// fill replaces the placeholders of Asset.ContentRange.
func (br byteRange) fill(pattern string, size int64) string {
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return strings.NewReplacer(
		"{first}", number(br.start), "{last}", number(br.end-1), "{end}", number(br.end),
		"{length}", number(br.end-br.start), "{size}", number(size), "{size+1}", number(size+1),
	).Replace(pattern)
}
