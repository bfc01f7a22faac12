package remote

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Validators are kept as they were sent, if they are text.
func TestValidators(t *testing.T) {
	const date = "Tue, 06 May 2025 07:08:09 GMT"
	at := time.Date(2025, 5, 6, 7, 8, 9, 0, time.UTC)
	for _, tc := range []struct {
		etag, modified       string
		wantTag, wantChanged string
		wantTime             time.Time
	}{
		{`"a"`, date, `"a"`, date, at},
		{`W/"a"`, "", `W/"a"`, "", time.Time{}},
		{`5f3-a`, "Tue, 06 May 2025 09:08:09 +0200", `5f3-a`, "Tue, 06 May 2025 09:08:09 +0200", at},
		{`"a"b"`, "yesterday", `"a"b"`, "yesterday", time.Time{}},
		{`"ä"`, "Tue, 06 May 2025 07:08:09 UTC", `"ä"`, "Tue, 06 May 2025 07:08:09 UTC", at},
		{"\"\xe4\"", "2025-05-06T07:08:09Z", "", "2025-05-06T07:08:09Z", at},
		{"a\tb", strings.Repeat("x", maxHint+1), "", "", time.Time{}},
		{strings.Repeat("x", maxHint), "", strings.Repeat("x", maxHint), "", time.Time{}},
	} {
		h := http.Header{"Etag": {tc.etag}, "Last-Modified": {tc.modified}}
		i := infoOf(h)
		if i.ETag != tc.wantTag || i.LastModified != tc.wantChanged || !i.ModTime.Equal(tc.wantTime) {
			t.Errorf("%v: %+v", h, i)
		}
	}
}

func TestMediaType(t *testing.T) {
	for in, want := range map[string]string{
		"video/mp4": "video/mp4", " Text/Plain ; charset=x": "text/plain", "image/svg+xml;": "image/svg+xml",
		"": "", "video": "", "a/b/c": "", "a/\x1b[2J": "", "a b/c": "", "/": "", "a/" + strings.Repeat("x", 200): "", strings.Repeat("x", 200) + "/a": "",
		"video/\u0161": "",
	} {
		if got := mediaType(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
