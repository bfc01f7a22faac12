package remote

import (
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// maxHint bounds a validator, in bytes; longer ones are ignored.
const maxHint = 1024

// Info is what a response says about an asset.
type Info struct {
	Name         string    // as the response gives it, not sanitised; "": none
	Size         int64     // bytes, -1: unknown
	Type         string    // media type without parameters, "": unknown
	ModTime      time.Time // zero: unknown
	ETag         string    // as sent, whatever it looks like; "": absent
	LastModified string    // as sent, whatever it looks like; "": absent
	Date         time.Time // by the server's clock; zero: unknown
}

// infoOf reads the header of a response. The caller sets the size.
func infoOf(h http.Header) Info {
	return Info{
		Name:         FileName(h.Values("Content-Disposition")),
		Size:         -1,
		Type:         mediaType(h.Get("Content-Type")),
		ModTime:      httpTime(h.Get("Last-Modified")),
		ETag:         hint(h.Get("ETag")),
		LastModified: hint(h.Get("Last-Modified")),
		Date:         httpTime(h.Get("Date")),
	}
}

// httpTime reads a time in a header, or returns the zero time. Zones other than GMT are wrong
// (RFC 9110, 5.6.7), but curl and browsers read them, too.
func httpTime(s string) time.Time {
	if t, err := http.ParseTime(s); err == nil {
		return t
	}
	for _, layout := range []string{time.RFC1123Z, "Mon, 02 Jan 2006 15:04:05 UTC", time.RFC3339} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// hint returns a validator as it was sent, or "" if it is too long or not text.
func hint(s string) string {
	if len(s) > maxHint || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ""
	}
	return s
}

// mediaType returns type/subtype of a Content-Type in lower case, or "".
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	s = strings.ToLower(strings.TrimSpace(s))
	major, minor, _ := strings.Cut(s, "/")
	// RFC 6838, 4.2, allows 127 bytes for each name.
	if !isToken(major) || !isToken(minor) || len(major) > 127 || len(minor) > 127 {
		return ""
	}
	return s
}

func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r > '~' || !token(byte(r)) })
}

// token reports whether c may stand in a token (RFC 9110, 5.6.2).
func token(c byte) bool {
	return c > ' ' && c <= '~' && !strings.ContainsRune(`()<>@,;:\"/[]?={}`, rune(c))
}
