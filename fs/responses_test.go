package fs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"assetfs/fs/asset"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// TestFakeResponses holds client and API to the table to which the engine's tests
// hold their fake server: what they prove of it is true of the real thing.
func TestFakeResponses(t *testing.T) {
	text, err := os.ReadFile("asset/testdata/responses.json")
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
			a := fakeapi.Asset{ID: faultID, Name: "a.bin", Size: c.Server.Size, NoLength: c.Server.NoLength, Version: c.Server.Version}
			if c.Server.ETag {
				a.ETag = "auto"
			}
			switch {
			case c.Server.Unsized:
				a.ContentRange = "bytes {first}-{last}/*"
			case c.Server.Doubtful:
				a.ContentRange = "{first}-{last}/{size}"
			}
			a.Faults = []fakeapi.Fault{{
				Op: "download", Status: c.Server.Status, Cut: c.Server.CutAfter + c.Server.EndAt, Unframed: c.Server.Unframed, IgnoreRange: c.Server.Plain,
			}}
			r := newFaultRig(t, a, fakeapi.Config{NoRange: !c.Server.Ranged}, time.Second, time.Second)
			defer r.close()
			if got := r.observe(a, asset.Request{Start: c.Start, End: c.End, NoRange: c.NoRange}); got != c.Want {
				t.Errorf("got  %s\nwant %s", got, c.Want)
			}
		})
	}
}

// observe returns everything that the engine sees of a response.
func (r *faultRig) observe(a fakeapi.Asset, q asset.Request) string {
	resp, err := r.source.Open(r.ctx, faultID, q)
	var failed *remote.Error
	if errors.As(err, &failed) {
		return fmt.Sprintf("error %d worth %d", failed.Number(), worth(err))
	}
	defer resp.Body.Close()
	kind := map[bool]int{true: 206, false: 200}[resp.Ranged]
	text := fmt.Sprintf("%d [%d,%d) of %d", kind, resp.Start, resp.End, resp.Info.Size)
	if resp.Info.ETag != "" {
		text += ", etag"
	}
	for name, is := range map[string]bool{"doubtful": resp.Doubtful, "unframed": resp.Unframed} { // never both
		if is {
			text += ", " + name
		}
	}
	body, err := io.ReadAll(resp.Body)
	want := make([]byte, len(body))
	if _, err := fakeapi.Content(faultID, a.Version).ReadAt(want, resp.Start); err != nil || !bytes.Equal(body, want) {
		text += ", other bytes"
	}
	end := "EOF"
	if err != nil {
		end = fmt.Sprint("error worth ", worth(err))
	}
	return fmt.Sprintf("%s; %d bytes, %s", text, len(body), end)
}

// worth is how many requests err is worth.
func worth(err error) int {
	var r interface {
		Retry() (requests int, after time.Duration)
	}
	if errors.As(err, &r) {
		n, _ := r.Retry()
		return n
	}
	return 0
}
