package remote

import (
	"strings"
	"testing"
	"time"
)

// An answer without videos is the end of a list only if it says that there are none.
func TestParseList(t *testing.T) {
	for body, want := range map[string]bool{
		`{"data":{"videos":[]}}`: true, `{"data":{"total_count":0}}`: true, `{"data":{"total_count":"0","videos":null}}`: true,
		`{`: false, `{}`: false, `{"data":null}`: false, `{"data":[]}`: false, `{"data":{}}`: false, `{"data":{"total_count":3}}`: false,
	} {
		if _, err := parseList([]byte(body)); (err == nil) != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// A video that comes twice means that the list has shifted, a server's clock that is ahead does not.
func TestTakeAgain(t *testing.T) {
	for second, want := range map[string]bool{`{"video_no":"c"},{"video_no":"d"}`: false, `{"video_no":"b"},{"video_no":"c"}`: true} {
		p := &pass{started: time.Now(), met: map[string]struct{}{}, total: -1}
		for _, videos := range []string{`{"video_no":"a","create_time":4102444800000},{"video_no":"b"}`, second} {
			answer, err := parseList([]byte(`{"data":{"total_count":4,"page_size":2,"videos":[` + videos + `]}}`))
			if err != nil {
				t.Fatal(err)
			}
			p.take(answer)
		}
		if p.list.Shifted != want {
			t.Errorf("%s: %+v", second, p.list)
		}
	}
}

func TestUsableID(t *testing.T) {
	for id, want := range map[string]bool{
		"VI1": true, "...": true, "é b": true, strings.Repeat("x", maxVideoID): true,
		"": false, ".": false, "..": false, "a/b": false, "a\n": false, "\u202e": false, strings.Repeat("x", maxVideoID+1): false,
	} {
		if usableID(id) != want {
			t.Errorf("%q", id)
		}
	}
}

func TestExtensionOf(t *testing.T) {
	for blob, want := range map[string]string{
		"a/b.mp4": ".mp4", "b.x.MP4": ".MP4", ".123456789012345": ".123456789012345",
		"": "", "a.b/c": "", "a.": "", "a.m p4": "", "a.1234567890123456": "",
	} {
		if got := extensionOf(blob); got != want {
			t.Errorf("%q has %q", blob, got)
		}
	}
}
