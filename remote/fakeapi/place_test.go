package fakeapi

import (
	"net/http"
	"testing"
)

// TestPlaces downloads by place.
func TestPlaces(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 1000, Bucket: "mavi-resource", Blob: "a/b c.mp4"}, Asset{ID: "re_2", Size: 10})
	for _, c := range []struct {
		query string
		msg   string // if it is an error
	}{
		{"?bucket=mavi-resource&blob=a/b%20c.mp4", ""},
		{"?bucket=mavi-resource&blob=a%2Fb+c.mp4", ""},
		{"", msgNoBucket},
		{"?blob=a", msgNoBucket},
		{"?bucket=&blob=a", msgNoBucket},
		{"?bucket=mavi-resource", msgNoBlob},
		{"?bucket=mavi-resource&blob=a", msgNoResource},
		{"?bucket=other&blob=a/b%20c.mp4", msgNoResource},
	} {
		for _, base := range []string{"/", prefix} {
			if c.query == "" && base == prefix {
				continue // that would be an asset called v2
			}
			g, err := s.try("GET", base+"download"+c.query, "Range: bytes=10-19")
			if err != nil {
				t.Fatal(err)
			}
			r := s.last()
			if c.msg != "" {
				g.wantError(t, http.StatusBadRequest, 400, c.msg)
				if r.Op != opDownload || r.ID != "" {
					t.Errorf("%s: logged as %+v", c.query, r)
				}
				continue
			}
			g.wantBytes(t, http.StatusPartialContent, 10, 10)
			if r.Op != opDownload || r.ID != "re_1" || r.Bytes != 10 {
				t.Errorf("%s: logged as %+v", c.query, r)
			}
		}
	}
}
