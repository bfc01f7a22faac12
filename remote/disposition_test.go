package remote

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
)

// A dispositionCase is one entry of testdata/dispositions.json: a header field, and the name under which browsers save the
// file, from the public test suites of browsers.
type dispositionCase struct {
	Header   string    `json:"header"`
	Raw      []byte    `json:"header_base64"` // the field's bytes if they are not UTF-8
	Expected *string   `json:"expected_filename"`
	Any      []*string `json:"expected_any"` // all acceptable names if browsers differ
	Group    string    `json:"group"`
}

// field returns the field as net/http returns it.
func (c dispositionCase) field() string {
	if c.Raw != nil {
		return string(c.Raw)
	}
	return c.Header
}

// accepts reports whether a browser saves the file as got; "" means that there is no name.
func (c dispositionCase) accepts(got string) bool {
	return slices.ContainsFunc(append(c.Any, c.Expected), func(want *string) bool {
		if want == nil {
			return got == ""
		}
		return got == *want
	})
}

func readDispositions(tb testing.TB) []dispositionCase {
	tb.Helper()
	data, err := os.ReadFile("testdata/dispositions.json")
	if err != nil {
		tb.Fatal(err)
	}
	var cases []dispositionCase
	if err := json.Unmarshal(data, &cases); err != nil {
		tb.Fatal(err)
	}
	if got, want := len(cases), 130; got != want {
		tb.Fatalf("dispositions.json has %d cases, want %d", got, want)
	}
	return cases
}

// TestBrowserNames uses the tests of browsers. FileName must return what a browser takes for the name. The group "path" is
// about the name that a browser saves as, which package fs tests.
func TestBrowserNames(t *testing.T) {
	for _, c := range readDispositions(t) {
		if got := FileName([]string{c.field()}); c.Group != "path" && !c.accepts(got) {
			t.Errorf("%s: name of %q = %q, browsers save it otherwise: %s", c.Group, c.field(), got, alternatives(c))
		}
	}
}

func alternatives(c dispositionCase) string {
	data, _ := json.Marshal(append([]*string{c.Expected}, c.Any...))
	return string(data)
}

func TestFileName(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"no field", nil, ""},
		{"empty field", []string{""}, ""},
		{"the vendor's example", []string{`attachment; filename="video.mp4"`}, "video.mp4"},

		{"second field", []string{"inline", `attachment; filename="a.mp4"`}, "a.mp4"},
		{"extended name in the second field", []string{`attachment; filename=a`, `attachment; filename*=UTF-8''b`}, "b"},
		{"empty name, then another", []string{`attachment; filename=""; filename="b"`}, "b"},
		{"replacement character that was meant", []string{`attachment; filename*=UTF-8''a%EF%BF%BD; filename=b`}, "a\ufffd"},
		{"empty extended name", []string{`attachment; filename*=UTF-8''; filename=b`}, "b"},
		{"broken extended name, then a good one", []string{`attachment; filename*=UTF-8''%E4; filename*=UTF-8''b`}, "b"},
		{"upper case", []string{`ATTACHMENT; FILENAME="A.MP4"`}, "A.MP4"},
		{"upper case extended", []string{`Attachment; FileName*=utf-8''A%2emp4`}, "A.mp4"},

		{"junk after a name", []string{`attachment; filename="a.mp4"x; =; ==; "`}, "a.mp4"},
		{"junk before a name", []string{`;;=;"a;b";c=";";  filename = a.mp4`}, "a.mp4"},
		{"quoted string instead of a parameter", []string{`attachment; "x; filename=a"; filename=b`}, "b"},
		{"quoted strings instead of parameters", []string{`attachment; "x; filename=a"; "y; filename=b"; filename=c`}, "c"},
		{"backslash without quotes", []string{`attachment; filename=C:\films\a.mp4`}, `C:\films\a.mp4`},
		{"quote in the type", []string{`attach"ment; filename=a.mp4`}, "a.mp4"},
		{"unclosed quote hides no parameter", []string{`attachment; filename="a.mp4; filename*=UTF-8''b.mp4`}, "b.mp4"},
		{"unclosed quote takes no parameter in", []string{`attachment; filename="a.mp4; size=5`}, "a.mp4"},
		{"unclosed quote of another parameter", []string{`attachment; x="; filename=a.mp4`}, "a.mp4"},
		{"filename inside another value", []string{`attachment; x="; filename=a"; filename=b`}, "b"},
		{"equals sign in a name", []string{`attachment; filename=a=b.mp4`}, "a=b.mp4"},
		{"spaces without quotes", []string{`attachment; filename=my holiday film.mp4`}, "my holiday film.mp4"},

		{"Latin-1 with a euro sign", []string{"attachment; filename=\"5\x80.txt\""}, "5€.txt"},
		{"Latin-1 umlauts", []string{"attachment; filename=\"\xdcbung.txt\""}, "Übung.txt"},
		{"UTF-8 in Chinese", []string{`attachment; filename="影片.mp4"`}, "影片.mp4"},
		{"UTF-16, little endian", []string{`attachment; filename*=UTF-16''a%00%E4%00`}, "aä"},
		{"UTF-16, little endian by its byte order mark", []string{`attachment; filename*=UTF-16''%FF%FEa%00%E4%00`}, "aä"},
		{"UTF-16, big endian by its byte order mark", []string{`attachment; filename*=UTF-16''%FE%FF%00a%00%E4`}, "aä"},
		{"UTF-16, big endian", []string{`attachment; filename*=UTF-16BE''%00a%00%E4`}, "aä"},
		{"GB 18030", []string{`attachment; filename*=gb18030''%D3%B0%C6%AC.mp4`}, "影片.mp4"},
		{"Shift JIS word", []string{`attachment; filename="=?Shift_JIS?B?k66J5i5tcDQ=?="`}, "動画.mp4"},
		{"two words", []string{`attachment; filename="=?UTF-8?B?w6Q=?= =?UTF-8?Q?=C3=B6?="`}, "äö"},
		{"text between two words", []string{`attachment; filename="=?UTF-8?B?w6Q=?= and =?UTF-8?Q?=C3=B6?="`}, "ä and ö"},
		{"word of an unknown charset", []string{`attachment; filename="=?x-none?Q?a?="`}, "=?x-none?Q?a?="},
		{"word of a charset without a table", []string{`attachment; filename="=?UTF-7?Q?a?="`}, "=?UTF-7?Q?a?="},
		{"unknown charset beside a known one", []string{`attachment; filename="=?UTF-8?B?w6Q=?= =?x-none?Q?a?= =?UTF-8?Q?b?=.txt"`}, "ä =?x-none?Q?a?= b.txt"},
		{"word with bytes that are not of its charset", []string{`attachment; filename="=?UTF-8?Q?=FF?=.txt"`}, "=?UTF-8?Q?=FF?=.txt"},
		{"word of a charset that replaces everything", []string{`attachment; filename="=?iso-2022-kr?Q?a?="`}, "=?iso-2022-kr?Q?a?="},
		{"word in Chinese", []string{`attachment; filename="=?GB2312?B?07DGrC5tcDQ=?="`}, "影片.mp4"},
		{"word in Chinese, by its name in mail", []string{`attachment; filename="=?cp936?B?07DGrC5tcDQ=?="`}, "影片.mp4"},
		{"word in Latin-1", []string{`attachment; filename="=?ISO-8859-1?Q?=DCbung_1.txt?="`}, "Übung 1.txt"},
		{"word with a language", []string{`attachment; filename="=?UTF-8*de?Q?=C3=9Cbung?="`}, "Übung"},
		{"question marks that are no word", []string{`attachment; filename="a=?b.txt"`}, "a=?b.txt"},
		{"charset that replaces everything", []string{`attachment; filename*=iso-2022-kr''abc; filename=b`}, "b"},

		{"percent sign that was encoded", []string{`attachment; filename="100%25.txt"`}, "100%.txt"},
		{"percent signs that were, of many bytes", []string{`attachment; filename="%C3%A4%5B1%5D%7B2%7D%40.txt"`}, "ä[1]{2}@.txt"},
		{"percent sign before a letter's number", []string{`attachment; filename="a%2Db-%41.txt"`}, "a%2Db-%41.txt"},
		{"percent sign before a small letter's number", []string{`attachment; filename="a%2Db-%61.txt"`}, "a%2Db-%61.txt"},
		{"percent sign before a digit's number", []string{`attachment; filename="a%2Db-%30.txt"`}, "a%2Db-%30.txt"},
		{"percent signs that were not", []string{`attachment; filename="50%20 off.txt"`}, "50%20 off.txt"},
		{"percent-encoded Latin-1", []string{`attachment; filename="%E4.txt"`}, "%E4.txt"},
		{"percent-encoded path", []string{`attachment; filename="..%2F..%2Fetc%2Fpasswd"`}, "../../etc/passwd"},
		{"plus signs", []string{`attachment; filename="a+b.txt"; x=y`}, "a+b.txt"},

		{"continued extended name", []string{`attachment; filename*0*=UTF-8''%c3; filename*1*=%a4; filename*2=.txt`}, "ä.txt"},
		{"continued name in Chinese", []string{`attachment; filename*0*=gb18030''%D3%B0%C6%AC; filename*1=.mp4`}, "影片.mp4"},
		{"continuation twice", []string{`attachment; filename*0=a; filename*0=b; filename*1=c`}, "ac"},
		{"continuations out of order", []string{`attachment; filename*1=b; filename*0=a`}, "ab"},
		{"continuation with a broken charset", []string{`attachment; filename*0*=a; filename*1=b`}, ""},
		{"continuation with a broken part", []string{`attachment; filename*0=a; filename*1*=%zz; filename*2=c`}, "a"},
		{"continuation counted with zeros", []string{`attachment; filename*00=a`}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := FileName(tc.fields); got != tc.want {
				t.Errorf("FileName(%q) = %q, want %q", tc.fields, got, tc.want)
			}
		})
	}
}

// TestFileNameBounded checks that a field is read only up to 64 KiB.
func TestFileNameBounded(t *testing.T) {
	const name = "; filename=a.mp4"
	field := strings.Repeat(" ", maxDisposition-len(name)) + name
	if got, want := FileName([]string{field}), "a.mp4"; got != want {
		t.Errorf("FileName of a field of 64 KiB = %q, want %q", got, want)
	}
	if got, want := FileName([]string{strings.Repeat(" ", len(name)) + field}), ""; got != want {
		t.Errorf("FileName past 64 KiB = %q, want %q", got, want)
	}
}
