package fakeapi

import (
	"bytes"
	"cmp"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Asset is one asset and how it is served. The zero value of each field but ID is a
// sensible default.
type Asset struct {
	ID   string
	Name string // the original file name
	// Bucket and Blob are the place from which the asset can be downloaded, too. If Blob
	// is "", there is none.
	Bucket, Blob string
	// Disposition is the Content-Disposition. "" makes it from Name (RFC 6266, with
	// filename* if Name is not ASCII; without a Name it holds no name). "-" omits the
	// header. Anything else is sent byte for byte (line breaks become spaces).
	Disposition string
	Type        string // media type; "": application/octet-stream; "-" omits the header
	Size        int64  // bytes
	// Content holds at least Size bytes and is safe for concurrent use; nil means
	// Content(ID, Version).
	Content io.ReaderAt `json:"-"`
	Version int
	// ETag is "" for none; "auto" for a strong one made from ID and Version; "new" for
	// another one in each answer; "turns" for two that alternate, as with two backends
	// behind one name; or any other text, sent as it is, with quotes or without.
	ETag    string
	ModTime time.Time // zero omits Last-Modified
	// LastModified replaces ModTime in downloads: "now" is the time of the answer, "new"
	// another time in each answer, "-" none, and any other text is sent as it is.
	LastModified string
	// StaleFor is how long ETag and Last-Modified keep their old values after a Put or
	// Update changes them: new bytes with old validators.
	StaleFor time.Duration
	// NoLength hides the size: downloads are chunked and have no ranges, and metadata
	// has no file_size. (Fault.Chunked affects neither ranges nor metadata.)
	NoLength bool
	NoRange  bool // ranges of this asset are ignored
	Whole200 bool // a range that covers everything is answered with 200, others with 206
	// ContentRange is the field of that name in a 206. "{first}", "{last}", "{end}" (last
	// plus one), "{length}", "{size}" and "{size+1}" in it are replaced by numbers: `bytes
	// {first}-/{size}`, `bytes */{size}`. "" is the right value, "-" omits the field.
	ContentRange string
	// EmptyRange is the status of the answer to a range of an asset of no bytes: 400, 403,
	// 416, ... with a page, 200, or 206. 0 is the correct 416.
	EmptyRange int
	Encoding   string // Content-Encoding, although the bytes are plain; "": none

	// UploadStatus is WAITING, UPLOADING or FAILED: the asset can't be downloaded. ""
	// means SUCCESS. The status becomes SUCCESS at the time ReadyAfter after Put, or after
	// ReadyCalls metadata calls; if both are 0, never.
	UploadStatus  string
	ReadyAfter    time.Duration
	ReadyCalls    int
	MetaName      string // original_filename; "": Name without its extension
	MetaExtension string // extension; "": that of Name
	MetaSize      string // file_size, sent as it is, right or wrong; "": Size
	MetaOmit      string // fields to omit: "file_size,modify_time"

	// Faults are tried in order; the first that strikes a request is applied. The slice
	// must not be changed after Put.
	Faults []Fault

	// generate makes all bytes when they are first used; Content and Size follow.
	generate func() []byte

	turn turn // of the current answer
}

// turn holds what an answer depends on in addition to its asset.
type turn struct {
	number int // of the answer, for this asset
	boot   int // Config.Boot
	// stale replaces the validators of the asset; nil: it does not.
	stale *validators
}

// validators are what caches compare; "" means none.
type validators struct{ etag, lastModified string }

// Check returns an error if a is not valid.
func (a Asset) Check() error { return checkFaults(a.Faults) }

// settled returns a with its bytes generated.
func (a Asset) settled() Asset {
	if a.generate != nil {
		b := a.generate()
		a.Content, a.Size = bytes.NewReader(b), int64(len(b))
		a.generate = nil
	}
	return a
}

// body returns the source of the asset's bytes.
func (a *Asset) body() io.ReaderAt {
	if a.Content != nil {
		return a.Content
	}
	return Content(a.ID, a.Version)
}

// etag returns the entity tag, or "".
func (a *Asset) etag() string {
	if a.turn.stale != nil {
		return a.turn.stale.etag
	}
	tag := a.ID + "-" + strconv.Itoa(a.Version)
	if a.turn.boot != 0 {
		tag += "-boot" + strconv.Itoa(a.turn.boot)
	}
	switch a.ETag {
	case "auto":
	case "new":
		tag += "-" + strconv.Itoa(a.turn.number)
	case "turns":
		tag += "-" + string("ab"[a.turn.number%2])
	default:
		return a.ETag
	}
	return `"` + tag + `"`
}

// lastModified returns the Last-Modified field, or "".
func (a *Asset) lastModified() string {
	t := a.ModTime
	switch {
	case a.turn.stale != nil:
		return a.turn.stale.lastModified
	case a.LastModified == "now":
		t = time.Now()
	case a.LastModified == "new" && t.IsZero():
		t = time.UnixMilli(unknownTime).Add(time.Duration(a.turn.number) * time.Minute)
	case a.LastModified == "new":
		t = t.Add(time.Duration(a.turn.number) * time.Minute)
	case a.LastModified != "":
		return strings.TrimPrefix(a.LastModified, "-")
	case t.IsZero():
		return ""
	}
	return t.UTC().Format(http.TimeFormat)
}

// header returns the fields that each response with the asset's bytes has.
func (a *Asset) header() http.Header {
	h := http.Header{}
	set(h, "Content-Disposition", cmp.Or(a.Disposition, disposition(a.Name)))
	set(h, "Content-Type", cmp.Or(a.Type, "application/octet-stream"))
	set(h, "Etag", a.etag())
	set(h, "Last-Modified", a.lastModified())
	return h
}

// set sets a field byte for byte. "" leaves it unchanged, "-" removes it.
func set(h http.Header, key, value string) {
	switch value {
	case "":
	case "-":
		h[key] = nil // also keeps net/http from guessing a Content-Type
	default:
		h[key] = []string{value}
	}
}

// disposition returns the Content-Disposition for a file name as RFC 6266, appendix D,
// recommends: always a plain filename, and filename* if that is not exact.
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

// isAttrChar reports whether c needs no escape in an extended value (RFC 8187, 3.2.1).
func isAttrChar(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("!#$&+-.^_`|~", c) >= 0
}
