package fakeapi

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Asset is one asset and how it is served. The zero value of each field but ID
// is a sensible default.
type Asset struct {
	ID   string
	Name string // the original file name
	// Disposition is the Content-Disposition: "" is made from Name (RFC 6266,
	// with filename* where Name is not ASCII; without a Name it names none), "-"
	// is no such header, anything else goes out byte for byte (line breaks
	// become spaces).
	Disposition string
	Type        string // media type; "" is application/octet-stream, "-" no such header
	Size        int64  // bytes
	// Content holds at least Size bytes and is safe for concurrent use; nil is
	// Content(ID, Version).
	Content io.ReaderAt `json:"-"`
	Version int
	ETag    string    // "" is none, "auto" a strong one made from ID and Version, else as given
	ModTime time.Time // zero is no Last-Modified
	// NoLength means that nobody tells the size: downloads are chunked and
	// have no ranges, metadata has no file_size. (Fault.Chunked leaves ranges
	// and metadata alone.)
	NoLength      bool
	UploadStatus  string // "" is SUCCESS; any other can't be downloaded
	MetaName      string // original_filename; "" is Name without its extension
	MetaExtension string // extension; "" is that of Name
	// Faults are looked at in order; the first that strikes a request decides.
	// The slice must not be changed once the asset has been put.
	Faults []Fault

	// generate makes all bytes at the first use; Content and Size follow.
	generate func() []byte
}

// settled returns a with its bytes at hand.
func (a Asset) settled() Asset {
	if a.generate != nil {
		b := a.generate()
		a.Content, a.Size = bytes.NewReader(b), int64(len(b))
		a.generate = nil
	}
	return a
}

// body returns what a's bytes are read from.
func (a *Asset) body() io.ReaderAt {
	if a.Content != nil {
		return a.Content
	}
	return Content(a.ID, a.Version)
}

// etag returns the entity tag, or "".
func (a *Asset) etag() string {
	if a.ETag == "auto" {
		return `"` + a.ID + "-" + strconv.Itoa(a.Version) + `"`
	}
	return a.ETag
}

// lastModified returns the HTTP date, or "".
func (a *Asset) lastModified() string {
	if a.ModTime.IsZero() {
		return ""
	}
	return a.ModTime.UTC().Format(http.TimeFormat)
}

// header returns what each response with bytes of a says of it.
func (a *Asset) header() http.Header {
	h := http.Header{}
	set := func(key, value, unset string) {
		switch value {
		case "-":
			h[key] = nil // also keeps net/http from guessing a Content-Type
		case "":
			if unset != "" {
				h.Set(key, unset)
			}
		default:
			h[key] = []string{value}
		}
	}
	set("Content-Disposition", a.Disposition, disposition(a.Name))
	set("Content-Type", a.Type, "application/octet-stream")
	set("Etag", a.etag(), "")
	set("Last-Modified", a.lastModified(), "")
	return h
}

// disposition returns the Content-Disposition for a file name as RFC 6266,
// appendix D, advises: a plain filename for all, filename* where that loses
// something.
func disposition(name string) string {
	if name == "" {
		return "attachment"
	}
	var plain, extended strings.Builder
	lossless := true
	for _, r := range name {
		switch {
		case r == '"' || r == '\\':
			plain.WriteByte('\\')
			plain.WriteRune(r)
		case r < ' ' || r > '~':
			lossless = false
			plain.WriteByte('_')
		default:
			plain.WriteRune(r)
		}
	}
	d := `attachment; filename="` + plain.String() + `"`
	if lossless {
		return d
	}
	const hex = "0123456789ABCDEF"
	for _, c := range []byte(name) {
		if isAttrChar(c) {
			extended.WriteByte(c)
		} else {
			extended.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return d + "; filename*=UTF-8''" + extended.String()
}

// isAttrChar tells what stands for itself in an extended value (RFC 8187, 3.2.1).
func isAttrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
