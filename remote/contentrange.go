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
	start, end int64 // of what is sent, end exclusive; both 0 when unsatisfied
	size       int64 // of the whole, -1 unknown
	none       bool  // "bytes */SIZE": no part is sent
}

// sentRange says which bytes a 206 to r brings. A field that is right and agrees
// with Content-Length and r is believed. One that is broken is believed as far
// as its start and its length agree with Content-Length, and then doubtful: the
// receiver compares bytes before it trusts them. For anything else it is an
// error, also for a broken one that leaves open how large the asset is and
// starts it: without Range the same bytes come, and their number.
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
	case cr.none:
		return cr, false, errors.New("Content-Range without a range")
	case resp.ContentLength >= 0 && resp.ContentLength != cr.end-cr.start:
		return cr, false, fmt.Errorf("Content-Length %d does not fit Content-Range %q", resp.ContentLength, bounded(fields[0]))
	case r.NoRange && (cr.start != 0 || cr.end != cr.size):
		return cr, false, errors.New("part of the asset although all was asked for")
	case cr.start > r.Start || cr.end <= r.Start:
		return cr, false, fmt.Errorf("bytes %d to %d although those from %d on were asked for", cr.start, cr.end, r.Start)
	}
	return cr, doubtful, nil
}

// parseContentRange reads a Content-Range field strictly (RFC 9110, 14.4): a lax
// reading would put bytes where they don't belong. The result satisfies
// 0 <= start < end, and end <= size where size is known.
func parseContentRange(s string) (contentRange, error) {
	bad := func(why string) (contentRange, error) {
		return contentRange{}, fmt.Errorf("Content-Range %q: %s", bounded(s), why)
	}
	unit, rest, ok := strings.Cut(s, " ")
	if !ok || !strings.EqualFold(unit, "bytes") {
		return bad("not in bytes")
	}
	span, total, ok := strings.Cut(rest, "/")
	if !ok {
		return bad("no size")
	}
	r := contentRange{size: -1}
	if total != "*" {
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
	first, last, ok := strings.Cut(span, "-")
	if !ok {
		return bad("no range")
	}
	var ok1, ok2 bool
	r.start, ok1 = parseDigits(first)
	r.end, ok2 = parseDigits(last)
	if !ok1 || !ok2 || r.end+1 <= 0 {
		return bad("bad range")
	}
	r.end++ // the field's last byte is inclusive
	if r.start >= r.end {
		return bad("range ends before it starts")
	}
	if r.size >= 0 && r.end > r.size {
		return bad("range ends behind the end")
	}
	return r, nil
}

// guessContentRange reads a field that parseContentRange refuses: first and last
// byte wherever they stand, and the size, known, where it does not contradict
// them. The result has none set when there is no such range.
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

// parseDigits reads a decimal number of digits alone that fits an int64.
func parseDigits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
