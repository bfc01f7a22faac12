package asset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// TestFakeResponses compares the fake server with testdata/responses.json. A test of the same name in fs
// compares that file with a real client and server.
func TestFakeResponses(t *testing.T) {
	text, err := os.ReadFile("testdata/responses.json")
	if err != nil {
		t.Fatal(err)
	}
	var table []struct {
		Name   string
		Server struct {
			Size, CutAfter, EndAt                            int64
			Ranged, ETag, NoLength, Unsized, Unframed, Plain bool
			Doubtful                                         bool
			Version, Status                                  int
		}
		Start, End int64
		NoRange    bool
		Want       string
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	for _, c := range table {
		t.Run(c.Name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fakeServer{size: c.Server.Size, cutAfter: c.Server.CutAfter, ranged: c.Server.Ranged, etag: c.Server.ETag, noLength: c.Server.NoLength, version: c.Server.Version, rate: mib, latency: time.Millisecond}
				f.unsized, f.unframed, f.doubtful, f.endAt = c.Server.Unsized, c.Server.Unframed, c.Server.Doubtful, c.Server.EndAt
				f.plain = func(int, Request) bool { return c.Server.Plain }
				if n := c.Server.Status; n > 0 {
					f.failures = []error{&apiError{status: n, temp: n >= 500}}
				}
				if got := observe(t, f, Request{Start: c.Start, End: c.End, NoRange: c.NoRange}); got != c.Want {
					t.Errorf("got  %s\nwant %s", got, c.Want)
				}
			})
		})
	}
}

// observe returns everything that the engine sees of a response.
func observe(t *testing.T, f *fakeServer, q Request) string {
	r, err := f.Open(t.Context(), "re_1", q)
	var status *apiError
	if errors.As(err, &status) {
		n, _ := retry(err)
		return fmt.Sprintf("error %d worth %d", status.status, n)
	}
	defer r.Body.Close()
	kind := map[bool]int{true: 206, false: 200}[r.Ranged]
	text := fmt.Sprintf("%d [%d,%d) of %d", kind, r.Start, r.End, r.Info.Size)
	if r.Info.ETag != "" {
		text += ", etag"
	}
	for name, is := range map[string]bool{"doubtful": r.Doubtful, "unframed": r.Unframed} { // never both
		if is {
			text += ", " + name
		}
	}
	body, err := io.ReadAll(r.Body)
	want := make([]byte, len(body))
	if fill(want, f.version, r.Start); string(body) != string(want) {
		text += ", other bytes"
	}
	end := "EOF"
	if err != nil {
		n, _ := retry(err)
		end = fmt.Sprint("error worth ", n)
	}
	return fmt.Sprintf("%s; %d bytes, %s", text, len(body), end)
}

// TestLessIsSaid: what a later response leaves out stays known, and the time of the content stays as it was.
func TestLessIsSaid(t *testing.T) {
	first := Info{Name: "a.mp4", Type: "video/mp4", Size: mib, ModTime: time.Unix(1e9, 0), ETag: `"1"`, LastModified: "then"}
	for name, later := range map[string]Info{
		"nothing":      {Size: -1},
		"another time": {Size: -1, ModTime: time.Unix(2e9, 0)},
	} {
		was := merged(Info{Size: -1}, first, true)
		is := merged(was, later, false)
		if is != was {
			t.Errorf("%s: %+v, want %+v", name, is, was)
		}
	}
}
