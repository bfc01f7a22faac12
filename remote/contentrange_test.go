package remote

import (
	"fmt"
	"math"
	"net/http"
	"testing"
)

func TestParseContentRange(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want contentRange
	}{
		{"bytes 0-9/10", contentRange{0, 10, 10, false}},
		{"Bytes 5-5/10", contentRange{5, 6, 10, false}},
		{"bytes 0-9/*", contentRange{0, 10, -1, false}},
		{"bytes */0", contentRange{0, 0, 0, true}},
		{"bytes */10", contentRange{0, 0, 10, true}},
		{"bytes 0-9223372036854775806/9223372036854775807", contentRange{0, math.MaxInt64, math.MaxInt64, false}},
	} {
		got, err := parseContentRange(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("%q: %+v, %v, want %+v", tc.in, got, err, tc.want)
		}
	}
	for _, in := range []string{
		"", "bytes", "bytes ", "bytes 0-9", "0-9/10", "items 0-9/10", "bytes=0-9/10", "bytes 0-10/10", "bytes 9-0/10",
		"bytes -1-9/10", "bytes +0-9/10", "bytes 0-9/-1", "bytes 0-9/10/11", "bytes 0--9/10", "bytes 0-/10", "bytes -9/10",
		"bytes 0- 9/10", "bytes 0-9 /10", "bytes  0-9/10", "bytes 0-9/10 ", "bytes */*", "bytes 0x0-9/10", "bytes 0-9/1e1",
		"bytes 0-9223372036854775807/*", "bytes 0-9223372036854775808/*", "bytes 0-9/99999999999999999999", "bytes 0-4,6-9/10",
		"bytes ٠-٩/10",
	} {
		if got, err := parseContentRange(in); err == nil {
			t.Errorf("%q was read as %+v", in, got)
		}
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-9/10", "bytes 0-9/*", "bytes */0", "bytes 9223372036854775807-9223372036854775807/*", "BYTES 00-09/010", "bytes */*", "bytes 5-4/9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, start := range []int64{0, 5} {
			resp := &http.Response{Header: http.Header{"Content-Range": {s}}, ContentLength: 5}
			if got, _, err := sentRange(resp, Request{Start: start}); err == nil && (got.start > start || got.end <= start || got.end-got.start != 5) {
				t.Errorf("%q: %+v for 5 bytes from %d on", s, got, start)
			}
		}
		r, err := parseContentRange(s)
		if err != nil {
			return
		}
		if r.none {
			if r.size < 0 || r.start != 0 || r.end != 0 {
				t.Errorf("%q: %+v", s, r)
			}
			return
		}
		if r.start < 0 || r.start >= r.end || r.size >= 0 && r.end > r.size || r.size < -1 {
			t.Errorf("%q: %+v", s, r)
		}
		size := "*"
		if r.size >= 0 {
			size = fmt.Sprint(r.size)
		}
		again, err := parseContentRange(fmt.Sprintf("bytes %d-%d/%s", r.start, r.end-1, size))
		if err != nil || again != r {
			t.Errorf("%q: %+v, written anew %+v, %v", s, r, again, err)
		}
	})
}
