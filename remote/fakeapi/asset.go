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

// Asset is one asset and how it is served. The zero value of each field but ID
// is a sensible default.
type Asset struct {
	ID   string
	Name string // the original file name
	// Bucket and Blob are the place by which the asset can be downloaded, too.
	// With Blob "" there is none.
	Bucket, Blob string
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
	// ETag is "" for none; "auto" a strong one made from ID and Version; "new"
	// another one in each answer; "turns" one of two, in turns, as two backends
	// behind one name have it; else as given, with quotes or without.
	ETag    string
	ModTime time.Time // zero is no Last-Modified
	// LastModified goes before ModTime in downloads: "now" is the time of the
	// answer, "new" another time in each, "-" none; else as given.
	LastModified string
	// StaleFor is for how long ETag and Last-Modified stay what they were after
	// another Put or Update has changed them: new bytes under an old name.
	StaleFor time.Duration
	// NoLength means that nobody tells the size: downloads are chunked and
	// have no ranges, metadata has no file_size. (Fault.Chunked leaves ranges
	// and metadata alone.)
	NoLength bool
	NoRange  bool // ranges of this asset are ignored
	Whole200 bool // a range that covers all is answered with 200, others with 206
	// ContentRange is this field of a 206, where "{first}", "{last}", "{end}"
	// (one more), "{length}", "{size}" and "{size+1}" become numbers: `bytes
	// {first}-/{size}`, `bytes */{size}`. "" is right, "-" no such field.
	ContentRange string
	// EmptyRange is how ranges of an asset of no bytes are answered: 400, 403,
	// 416, ... with a page, 200, or 206. 0 is 416 as it should be.
	EmptyRange int
	Encoding   string // Content-Encoding, of bytes that are plain all the same; "" is none

	// UploadStatus is WAITING, UPLOADING or FAILED, and the asset can't be
	// downloaded; "" is SUCCESS. It becomes that ReadyAfter after the Put, or
	// with the metadata call after the first ReadyCalls; both 0 is never.
	UploadStatus  string
	ReadyAfter    time.Duration
	ReadyCalls    int
	MetaName      string // original_filename; "" is Name without its extension
	MetaExtension string // extension; "" is that of Name
	MetaSize      string // file_size as given, right or wrong; "" is Size
	MetaOmit      string // fields that are left out: "file_size,modify_time"

	// Faults are looked at in order; the first that strikes a request decides.
	// The slice must not be changed once the asset has been put.
	Faults []Fault

	// generate makes all bytes at the first use; Content and Size follow.
	generate func() []byte

	turn turn // of the answer under way
}

// turn is what one answer depends on beside its asset.
type turn struct {
	number int // of the answer, for this asset
	boot   int // Config.Boot
	// stale are validators that hold in place of the asset's, nil for none.
	stale *validators
}

// validators are what caches compare, each "" for none.
type validators struct{ etag, lastModified string }

// Check returns what is wrong with a; nil is nothing.
func (a Asset) Check() error { return checkFaults(a.Faults) }

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

// lastModified returns what should be an HTTP date, or "".
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

// header returns what each response with bytes of a says of it.
func (a *Asset) header() http.Header {
	h := http.Header{}
	set(h, "Content-Disposition", cmp.Or(a.Disposition, disposition(a.Name)))
	set(h, "Content-Type", cmp.Or(a.Type, "application/octet-stream"))
	set(h, "Etag", a.etag())
	set(h, "Last-Modified", a.lastModified())
	return h
}

// set sets a field byte for byte; "" leaves it alone, "-" takes it away.
func set(h http.Header, key, value string) {
	switch value {
	case "":
	case "-":
		h[key] = nil // also keeps net/http from guessing a Content-Type
	default:
		h[key] = []string{value}
	}
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
