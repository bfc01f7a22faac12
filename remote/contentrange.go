package remote

import (
	"fmt"
	"strconv"
	"strings"
)

// contentRange is a Content-Range of bytes.
type contentRange struct {
	start, end int64 // of what is sent, end exclusive; both 0 when unsatisfied
	size       int64 // of the whole, -1 unknown
	none       bool  // "bytes */SIZE": no part is sent
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

// parseDigits reads a decimal number of digits alone that fits an int64.
func parseDigits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}
