package fakeapi

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestRangeHabits tests the ways in which one asset's ranges may be answered.
func TestRangeHabits(t *testing.T) {
	s := start(t)
	for _, c := range []struct {
		name         string
		asset        Asset
		rangeHeader  string
		status       int
		start, end   int64
		contentRange string
	}{
		{"without Range", Asset{NoRange: true}, "bytes=10-19", 200, 0, 100, ""},
		{"200 to everything", Asset{Whole200: true}, "bytes=0-", 200, 0, 100, ""},
		{"200 to more than everything", Asset{Whole200: true}, "bytes=0-131071", 200, 0, 100, ""},
		{"200 to the last 100", Asset{Whole200: true}, "bytes=-100", 200, 0, 100, ""},
		{"206 to the rest", Asset{Whole200: true}, "bytes=1-", 206, 1, 100, "bytes 1-99/100"},
		{"no last byte", Asset{ContentRange: "bytes {first}-/{size}"}, "bytes=10-19", 206, 10, 20, "bytes 10-/100"},
		{"one too many", Asset{ContentRange: "bytes {first}-{end}/{size}"}, "bytes=10-19", 206, 10, 20, "bytes 10-20/100"},
		{"the part's length as total", Asset{ContentRange: "bytes {first}-{last}/{length}"}, "bytes=10-19", 206, 10, 20, "bytes 10-19/10"},
		{"a wrong total", Asset{ContentRange: "bytes {first}-{last}/{size+1}"}, "bytes=10-19", 206, 10, 20, "bytes 10-19/101"},
		{"an unknown total", Asset{ContentRange: "bytes {first}-{last}/*"}, "bytes=10-19", 206, 10, 20, "bytes 10-19/*"},
		{"bytes */size", Asset{ContentRange: "bytes */{size}"}, "bytes=10-19", 206, 10, 20, "bytes */100"},
		{"none", Asset{ContentRange: "-"}, "bytes=10-19", 206, 10, 20, ""},
		{"not for a 200", Asset{ContentRange: "bytes */{size}"}, "", 200, 0, 100, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.asset.ID, c.asset.Size = "re_1", 100
			s.Put(c.asset)
			g := s.get("re_1", "Range: "+c.rangeHeader)
			g.wantBytes(t, c.status, c.start, c.end-c.start)
			g.wantHeader(t, "Content-Range", c.contentRange)
			if r := s.last(); r.Start != c.start || r.Bytes != c.end-c.start {
				t.Errorf("logged as %+v", r)
			}
		})
	}
}

// TestRangesOfEmptyAsset tests the ways in which ranges of an empty asset may be answered. A request without Range gets the
// usual answer.
func TestRangesOfEmptyAsset(t *testing.T) {
	s := start(t)
	for status, contentRange := range map[int]string{200: "", 206: "bytes 0--1/0", 400: "", 403: "", 416: ""} {
		s.Put(Asset{ID: "re_1", Name: "empty.txt", EmptyRange: status})
		g := s.get("re_1", "Range: bytes=0-131071")
		if g.status != status || status < 400 && len(g.body) != 0 || status >= 400 && !strings.HasPrefix(string(g.body), "<!DOCTYPE html>") {
			t.Errorf("%d: %d %s", status, g.status, g.body)
		}
		g.wantHeader(t, "Content-Range", contentRange)
		s.get("re_1").wantBytes(t, http.StatusOK, 0, 0)
	}
}

// TestWanderingValidators tests validators that differ while the bytes are the same.
func TestWanderingValidators(t *testing.T) {
	s := New()
	mtime := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	three := func(a Asset, boot int) (tags, dates [3]string) {
		a.ID, a.Size = "re_1", 10
		s.Put(a)
		s.Configure(func(c *Config) { c.Boot = boot })
		for i := range tags {
			g := direct(t, s, "download")
			tags[i], dates[i] = g.header.Get("ETag"), g.header.Get("Last-Modified")
		}
		return tags, dates
	}
	const first, second, third = "Wed, 04 Mar 2026 05:06:07 GMT", "Wed, 04 Mar 2026 05:07:07 GMT", "Wed, 04 Mar 2026 05:08:07 GMT"
	for _, c := range []struct {
		asset       Asset
		boot        int
		tags, dates [3]string
	}{
		{Asset{ETag: "auto", ModTime: mtime}, 0, [3]string{`"re_1-0"`, `"re_1-0"`, `"re_1-0"`}, [3]string{first, first, first}},
		{Asset{ETag: "auto", Version: 1}, 2, [3]string{`"re_1-1-boot2"`, `"re_1-1-boot2"`, `"re_1-1-boot2"`}, [3]string{}},
		{Asset{ETag: "new", ModTime: mtime, LastModified: "new"}, 0, [3]string{`"re_1-0-0"`, `"re_1-0-1"`, `"re_1-0-2"`}, [3]string{first, second, third}},
		{Asset{ETag: "turns", ModTime: mtime, LastModified: "-"}, 0, [3]string{`"re_1-0-a"`, `"re_1-0-b"`, `"re_1-0-a"`}, [3]string{}},
		{Asset{ETag: "turns"}, 1, [3]string{`"re_1-0-boot1-a"`, `"re_1-0-boot1-b"`, `"re_1-0-boot1-a"`}, [3]string{}},
		{Asset{ETag: "unquoted", LastModified: "yesterday"}, 1, [3]string{"unquoted", "unquoted", "unquoted"}, [3]string{"yesterday", "yesterday", "yesterday"}},
	} {
		if tags, dates := three(c.asset, c.boot); tags != c.tags || dates != c.dates {
			t.Errorf("%+v, boot %d: %q %q, want %q %q", c.asset, c.boot, tags, dates, c.tags, c.dates)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		s := New(Asset{ID: "re_1", LastModified: "now"})
		for _, want := range []string{"Sat, 01 Jan 2000 00:00:00 GMT", "Sat, 01 Jan 2000 00:00:01 GMT"} {
			direct(t, s, "download").wantHeader(t, "Last-Modified", want)
			time.Sleep(time.Second)
		}
	})
}

// TestStale tests new bytes with old validators, for a while.
func TestStale(t *testing.T) {
	for name, change := range map[string]func(*Server){
		"Update": func(s *Server) {
			s.Update("re_1", func(a *Asset) { a.Version, a.ModTime = 1, time.Unix(1, 0) })
		},
		"Put": func(s *Server) {
			s.Put(Asset{ID: "re_1", Size: 10, ETag: "auto", StaleFor: 3 * time.Second, Version: 1, ModTime: time.Unix(1, 0)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Asset{ID: "re_1", Size: 10, ETag: "auto", StaleFor: 3 * time.Second, ModTime: time.Unix(0, 0)})
				check := func(version int, tag, date string) {
					t.Helper()
					g := direct(t, s, "download")
					if string(g.body) != string(bytesOf(t, "re_1", version, 0, 10)) {
						t.Error("other bytes")
					}
					g.wantHeader(t, "ETag", tag)
					g.wantHeader(t, "Last-Modified", "Thu, 01 Jan 1970 00:00:0"+date+" GMT")
				}
				check(0, `"re_1-0"`, "0")
				change(s)
				time.Sleep(2 * time.Second)
				check(1, `"re_1-0"`, "0")
				s.Update("re_1", func(a *Asset) { a.Name = "x" }) // changes no validator
				time.Sleep(time.Second)
				check(1, `"re_1-1"`, "1")
			})
		})
	}
}

// TestEncodings tests Content-Encoding, on plain and on compressed bytes.
func TestEncodings(t *testing.T) {
	s := start(t)
	for _, label := range []string{"identity", "aws-chunked", "utf-8", "gzip", "br"} {
		s.Put(Asset{ID: "re_1", Size: 1000, Encoding: label})
		g := s.get("re_1", "Range: bytes=10-")
		g.wantHeader(t, "Content-Encoding", label)
		g.wantBytes(t, http.StatusPartialContent, 10, 990)
	}
}

// TestRawNames tests header values that are sent byte for byte.
func TestRawNames(t *testing.T) {
	s := start(t)
	for _, d := range []string{
		`attachment; filename="=?UTF-8?B?R3LDvMOfZS50eHQ=?="`,
		`attachment; filename="=?x-unknown?Q?a=E4.txt?="`,
		"attachment; filename=\"a\x01b\x7f.txt\"",
		"attachment; filename=\"\xe4\xf6.txt\"",
	} {
		s.Put(Asset{ID: "re_1", Size: 10, Disposition: d})
		raw, err := s.raw(prefix + "re_1/download")
		if err != nil || !strings.Contains(raw, "\r\nContent-Disposition: "+d+"\r\n") {
			t.Errorf("%q: %q, %v", d, raw, err)
		}
	}
	s.Put(Asset{ID: "re_1", Size: 10})
	for _, to := range []string{"/storage/re_1?signature=100%", "/storage/re_1?signature=a b", "/storage/Grüße/re_1?signature=ä%zz"} {
		s.Configure(func(c *Config) { c.Redirect = to })
		raw, err := s.raw(prefix + "re_1/download")
		if err != nil || !strings.Contains(raw, "\r\nLocation: "+to+"\r\n") {
			t.Errorf("%q: %q, %v", to, raw, err)
		}
		followed := strings.ReplaceAll(to, " ", "%20") // as curl does
		if raw, err = s.raw(followed); err != nil || !strings.HasPrefix(raw, "HTTP/1.1 200 ") {
			t.Errorf("%q: %q, %v", followed, raw, err)
		}
	}
}

// TestUploads tests an asset that becomes ready.
func TestUploads(t *testing.T) {
	const waiting, ready = `"upload_status":"WAITING"`, `"upload_status":"SUCCESS"`
	synctest.Test(t, func(t *testing.T) {
		s := New(Asset{ID: "re_1", UploadStatus: "WAITING", ReadyAfter: 5 * time.Second})
		check := func(status int, word string) {
			t.Helper()
			if g := direct(t, s, "download"); g.status != status {
				t.Errorf("download: status %d, want %d", g.status, status)
			}
			if g := direct(t, s, "metadata"); !strings.Contains(string(g.body), word) {
				t.Errorf("metadata: %s, want %s", g.body, word)
			}
		}
		check(400, waiting)
		time.Sleep(5 * time.Second)
		check(200, ready)

		s.Put(Asset{ID: "re_1", UploadStatus: "WAITING", ReadyCalls: 2})
		check(400, waiting)
		check(400, waiting)
		if g := direct(t, s, "metadata"); !strings.Contains(string(g.body), ready) {
			t.Errorf("third call: %s", g.body)
		}
		check(200, ready)
		s.Put(Asset{ID: "re_1", UploadStatus: "FAILED"})
		time.Sleep(time.Hour)
		check(400, `"upload_status":"FAILED"`)
	})
}

// TestMetadataPages tests all known forms of metadata.
func TestMetadataPages(t *testing.T) {
	s := New()
	id := Asset{ID: "re_1", Name: "a.bin", Size: 1000}
	with := func(change func(*Asset)) Asset {
		a := id
		change(&a)
		return a
	}
	for _, c := range []struct {
		asset  Asset
		config Config
		want   string // part of it
	}{
		{id, Config{}, `{"code":200,"msg":"success",`},
		{id, Config{OldCodes: true}, `{"code":"0000","msg":"success",`},
		{id, Config{Bare: true}, `"modify_time":"1766989317192"}]}}`},
		{id, Config{MetaNumbers: true}, `"file_size":1000,"upload_status":"SUCCESS","create_time":1766989317192,"modify_time":1766989317192}`},
		{with(func(a *Asset) { a.MetaSize = "5" }), Config{}, `"file_size":"5"`},
		{with(func(a *Asset) { a.MetaSize = "5" }), Config{MetaNumbers: true}, `"file_size":5,`},
		{with(func(a *Asset) { a.MetaSize = "1 kB" }), Config{MetaNumbers: true}, `"file_size":"1 kB"`},
		{with(func(a *Asset) { a.NoLength, a.MetaSize = true, "1000" }), Config{}, `"file_size":"1000"`},
		{with(func(a *Asset) { a.NoLength = true }), Config{}, `"file_size":null`},
		{with(func(a *Asset) { a.MetaOmit = "file_size, modify_time" }), Config{}, `"original_filename":"a","upload_status":"SUCCESS","create_time":"1766989317192"}]`},
	} {
		s.Put(c.asset)
		s.Configure(func(cfg *Config) { *cfg = c.config })
		if g := direct(t, s, "metadata"); g.status != http.StatusOK || !strings.Contains(string(g.body), c.want) {
			t.Errorf("%+v: %s, want %s", c.config, g.body, c.want)
		}
	}
}

// TestConnections tests a server that sends one asset at a time.
func TestConnections(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10, Faults: []Fault{{Times: 1, Stall: 5}}}, Asset{ID: "re_2", Size: 10})
	s.Configure(func(c *Config) { c.Connections = 1 })
	r, err := s.open(t.Context(), "GET", prefix+"re_1/download")
	if err != nil {
		t.Fatal(err)
	}
	g := s.get("re_2")
	if g.status != http.StatusServiceUnavailable || g.header.Get("Retry-After") != "" || g.header.Get("Content-Disposition") != "" {
		t.Errorf("a second download: %d %v", g.status, g.header)
	}
	if g := s.get("re_9"); g.status != http.StatusBadRequest {
		t.Errorf("an unknown asset takes no place: status %d", g.status)
	}
	r.Body.Close()
	s.idle()
	for range 2 {
		if g := s.get("re_2"); g.status != http.StatusOK {
			t.Errorf("after the first: status %d", g.status)
		}
		s.idle()
	}
}
