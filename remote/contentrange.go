package remote

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// contentRange is a Content-Range of bytes.
type contentRange struct {
	start, end int64 // the part that is sent, end exclusive; both 0 if none
	size       int64 // of the asset, -1: unknown
	none       bool  // "bytes */SIZE": no part is sent
}

// mostBefore is how far before the first byte that was requested a part may start, in bytes. A
// cache whose key lacks the range answers each with the same part: to read that up to those bytes
// would cost more each time than the request without Range.
const mostBefore = 128 << 10

// all reports whether the part is the whole asset.
func (cr contentRange) all() bool { return cr.start == 0 && cr.end == cr.size }

// sentRange returns which bytes a part that answers r brings. A valid field that agrees with
// Content-Length and r is believed. Of a broken field, start and end are used if their
// distance agrees with Content-Length; the result is then doubtful, and the caller
// compares bytes before it trusts them. Anything else is an error. So is a broken field
// without a size that starts at 0: a request without Range brings the same bytes and
// their number.
func sentRange(resp *http.Response, r Request) (cr contentRange, doubtful bool, err error) {
	fields := resp.Header.Values("Content-Range")
	if len(fields) == 0 {
		return cr, false, errors.New("a part without Content-Range")
	}
	for _, f := range fields[1:] {
		if f != fields[0] {
			return cr, false, fmt.Errorf("Content-Range %q and %q", bounded(fields[0]), bounded(f))
		}
	}
	cr, err = parseContentRange(fields[0])
	if err != nil {
		var known bool
		if cr, known = guessContentRange(fields[0]); resp.ContentLength < 0 || cr.start == 0 && !known {
			return cr, false, err
		}
		doubtful = true
	}
	switch {
	case allOfIt(resp.StatusCode) && resp.ContentLength < 0:
		return cr, false, errors.New("Content-Range of a part with a status for all")
	case resp.ContentLength >= 0 && resp.ContentLength != cr.end-cr.start:
		return cr, false, fmt.Errorf("Content-Length %d does not fit Content-Range %q", resp.ContentLength, bounded(fields[0]))
	case r.NoRange && !cr.all():
		return cr, false, errors.New("only a part, although the whole asset was requested")
	case cr.start > r.Start || cr.end <= r.Start || r.Start-cr.start > mostBefore && !cr.all():
		return cr, false, fmt.Errorf("bytes %d to %d instead of those from %d on", cr.start, cr.end, r.Start)
	}
	return cr, doubtful, nil
}

// parseContentRange reads a Content-Range field strictly (RFC 9110, 14.4), because a lax
// reading could put bytes in the wrong place. The result satisfies 0 <= start < end, and
// end <= size if the size is known.
func parseContentRange(s string) (contentRange, error) {
	bad := func(why string) (contentRange, error) {
		return contentRange{}, fmt.Errorf("Content-Range %q: %s", bounded(s), why)
	}
	unit, rest, _ := strings.Cut(s, " ")
	if !strings.EqualFold(unit, "bytes") {
		return bad("not in bytes")
	}
	span, total, _ := strings.Cut(rest, "/")
	r := contentRange{size: -1}
	if total != "*" {
		var ok bool
		if r.size, ok = parseDigits(total); !ok {
			return bad("bad size")
		}
	}
	if span == "*" {
		if r.size < 0 {
			return bad("neither range nor size")
		}
		r.none = true
		return r, nil
	}
	first, last, _ := strings.Cut(span, "-")
	var ok1, ok2 bool
	r.start, ok1 = parseDigits(first)
	r.end, ok2 = parseDigits(last)
	if !ok1 || !ok2 {
		return bad("bad range")
	}
	r.end++ // in the field, the last byte is inclusive; the largest number becomes negative
	if r.start >= r.end {
		return bad("range ends before it starts")
	}
	if r.size >= 0 && r.end > r.size {
		return bad("range ends after the end of the asset")
	}
	return r, nil
}

// guessContentRange reads a field also where parseContentRange rejects it. It looks for the first
// and the last byte, and for a size that does not contradict them; known reports whether
// there is one. The result has none set if no range was found.
func guessContentRange(s string) (r contentRange, known bool) {
	if len(s) >= len("bytes") && strings.EqualFold(s[:len("bytes")], "bytes") {
		s = s[len("bytes"):]
	}
	span, total, _ := strings.Cut(s, "/")
	first, last, _ := strings.Cut(strings.Trim(span, " \t=:"), "-")
	start, ok1 := parseDigits(strings.TrimSpace(first))
	end, ok2 := parseDigits(strings.TrimSpace(last))
	if !ok1 || !ok2 || end < start || end >= maxSize {
		return contentRange{size: -1, none: true}, false
	}
	size, ok := parseDigits(strings.TrimSpace(total))
	if !ok || size <= end {
		size = -1
	}
	return contentRange{start: start, end: end + 1, size: size}, size >= 0
}

// parseDigits reads a decimal number that consists of digits only and fits an int64.
func parseDigits(s string) (int64, bool) {
	if strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
