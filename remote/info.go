package remote

import (
	"net/http"
	"strings"
	"time"
)

// maxETag bounds an entity tag, in bytes; a longer one is not believed.
const maxETag = 1024

// Info is what a response says of an asset.
type Info struct {
	Name         string    // as the response gives it: anything but a safe file name; "" when it gives none
	Size         int64     // bytes, -1 unknown
	Type         string    // media type without parameters, "" unknown
	ModTime      time.Time // zero unknown
	ETag         string    // as sent, with quotes and W/; "" when absent
	LastModified string    // as sent; "" when absent

	strongDate bool // Last-Modified identifies the content (RFC 9110, 8.8.2.2)
}

// StrongValidator returns what If-Range may carry (RFC 9110, 13.1.5): a strong
// ETag, else a Last-Modified that was at least a second old when it was sent, so
// that no second change can hide behind the same date; else "".
func (i Info) StrongValidator() string {
	switch {
	case strings.HasPrefix(i.ETag, `"`):
		return i.ETag
	case i.strongDate:
		return i.LastModified
	}
	return ""
}

// infoOf reads the header of a response. The size is the caller's to tell.
func infoOf(h http.Header) Info {
	i := Info{
		Name: FileName(h.Values("Content-Disposition")),
		Size: -1,
		Type: mediaType(h.Get("Content-Type")),
		ETag: entityTag(h.Get("ETag")),
	}
	t, err := http.ParseTime(h.Get("Last-Modified"))
	if err != nil {
		return i
	}
	i.ModTime, i.LastModified = t, h.Get("Last-Modified")
	date, err := http.ParseTime(h.Get("Date"))
	// A date must not be used where there is an entity tag of any kind.
	i.strongDate = err == nil && date.Sub(t) >= time.Second && len(h.Values("ETag")) == 0
	return i
}

// mediaType returns type/subtype of a Content-Type in lower case, or "".
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	s = strings.ToLower(strings.TrimSpace(s))
	major, minor, ok := strings.Cut(s, "/")
	// 127 is what RFC 6838, 4.2, allows each name.
	if !ok || !isToken(major) || !isToken(minor) || len(major) > 127 || len(minor) > 127 {
		return ""
	}
	return s
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r)
	})
}

// entityTag returns s if it is an entity tag (RFC 9110, 8.8.3), or "".
func entityTag(s string) string {
	tag := strings.TrimPrefix(s, "W/")
	if len(s) > maxETag || len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return ""
	}
	for _, c := range []byte(tag[1 : len(tag)-1]) {
		if c <= ' ' || c == '"' || c == 0x7f {
			return ""
		}
	}
	return s
}
