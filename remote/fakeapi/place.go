package fakeapi

import (
	"net/http"
	"net/url"
	"strings"
)

// place is where an asset lies in the vendor's storage. It can be downloaded from there, too.
type place struct{ bucket, blob string }

// placeOf returns the place that a URL requests.
func placeOf(u *url.URL) (p place, ok bool) {
	if !strings.HasSuffix("/"+strings.Trim(u.Path, "/"), "/"+opDownload) {
		return place{}, false
	}
	q := u.Query()
	bare := strings.Trim(u.Path, "/") == opDownload
	return place{q.Get("bucket"), q.Get("blob")}, bare || q.Has("bucket") || q.Has("blob")
}

// locate returns the ID of the asset at p, "" if there is none.
func (s *Server) locate(p place) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.library.places[p]
	if e := s.assets[id]; e == nil || p != e.place() {
		return ""
	}
	return id
}

// missing returns the API's message when what r requests does not exist.
func missing(r *http.Request) string {
	p, ok := placeOf(r.URL)
	switch {
	case !ok:
		return msgNotFound
	case p.bucket == "":
		return msgNoBucket
	case p.blob == "":
		return msgNoBlob
	}
	return msgNoResource
}
