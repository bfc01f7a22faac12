package fs

import (
	"slices"
	"syscall"
	"time"

	"assetfs/remote/fakeapi"
)

// habit is what servers do; those of SERVERS.md by their rows, in its order.
type habit struct {
	name    string
	asset   func(*fakeapi.Asset)
	config  func(*fakeapi.Config)
	faults  []fakeapi.Fault
	errnos  []syscall.Errno // what may be heard; nil: nothing but right bytes
	fatal   bool            // nobody gets through
	empty   bool            // the asset has no bytes
	lies    bool            // of the size
	unseen  bool            // a change may go unseen (P9)
	reread  bool            // with each request some bytes come again
	wanders bool            // validators differ, of the same bytes
	untold  bool            // metadata fails: where no header tells a size nobody does, and that is an error
}

func (h *habit) sizeOf() int64 {
	if h.empty {
		return 0
	}
	return faultSize
}

// strike gives an asset the habit.
func (h *habit) strike(a fakeapi.Asset, chunked bool) fakeapi.Asset {
	faults := slices.Clone(h.faults)
	for i := range faults {
		faults[i].Chunked = chunked && !faults[i].Unframed
	}
	a.Faults = append(faults, a.Faults...)
	if h.asset != nil {
		h.asset(&a)
	}
	return a
}

func twice(f fakeapi.Fault) []fakeapi.Fault {
	f.Times = 2
	return []fakeapi.Fault{f}
}

func onMetadata(f fakeapi.Fault) []fakeapi.Fault {
	f.Op = "metadata"
	return []fakeapi.Fault{f}
}

var habits = []habit{
	{name: "none"},

	// SERVERS.md, "Range and validators".
	{name: "200 to a range that covers all", asset: func(a *fakeapi.Asset) { a.Whole200 = true }},
	{name: "ETag differs per answer", asset: func(a *fakeapi.Asset) { a.ETag = "new" }, wanders: true},
	{name: "ETag and time differ per answer", asset: func(a *fakeapi.Asset) { a.ETag, a.LastModified = "new", "new" }, wanders: true},
	{name: "no ETag, time is now", asset: func(a *fakeapi.Asset) { a.ETag, a.LastModified = "", "now" }, wanders: true},
	{name: "no ETag, time differs", asset: func(a *fakeapi.Asset) { a.ETag, a.LastModified = "", "new" }, wanders: true},
	{name: "two ETags in turns", asset: func(a *fakeapi.Asset) { a.ETag = "turns" }, wanders: true},
	{name: "ETag without quotes", asset: func(a *fakeapi.Asset) { a.ETag = "abc" }},
	{name: "a restart that changes ETags", config: func(c *fakeapi.Config) { c.Boot++ }},
	{name: "Content-Range without the last byte", asset: func(a *fakeapi.Asset) { a.ContentRange = "bytes {first}-/{size}" }},
	{name: "Content-Range with a wrong total", asset: func(a *fakeapi.Asset) { a.ContentRange = "bytes {first}-{last}/{size+1}" }},
	{name: "Content-Range one too long", asset: func(a *fakeapi.Asset) { a.ContentRange = "bytes {first}-{end}/{size}" }},
	{name: "Content-Range of a 416", asset: func(a *fakeapi.Asset) { a.ContentRange = "bytes */{size}" }},
	{name: "no Content-Range", asset: func(a *fakeapi.Asset) { a.ContentRange = "-" }},
	{name: "new content under an old ETag", errnos: errs(syscall.ESTALE), asset: func(a *fakeapi.Asset) { a.Version, a.StaleFor = 1, 5*time.Second }, unseen: true},
	{name: "new content", errnos: errs(syscall.ESTALE), asset: func(a *fakeapi.Asset) { a.Version = 1 }},
	{name: "empty, 400 to ranges", empty: true, asset: func(a *fakeapi.Asset) { a.EmptyRange = 400 }},
	{name: "empty, 403 to ranges", empty: true, asset: func(a *fakeapi.Asset) { a.EmptyRange = 403 }},
	{name: "empty, 416 to ranges", empty: true, asset: func(a *fakeapi.Asset) { a.EmptyRange = 416 }},
	{name: "empty, 206 to ranges", empty: true, asset: func(a *fakeapi.Asset) { a.EmptyRange = 206 }},
	{name: "empty", empty: true},

	// "Bodies, lengths, encodings".
	{name: "the connection just ends", faults: twice(fakeapi.Fault{Unframed: true, Cut: 700_000}), errnos: errs(syscall.EIO), lies: true},
	{name: "no framing", faults: []fakeapi.Fault{{Unframed: true}}, errnos: errs(syscall.EIO)},
	{name: "length of 2^63-1", faults: []fakeapi.Fault{{Length: "9223372036854775807"}}, errnos: errs(syscall.EIO, syscall.ESTALE), lies: true, reread: true},
	{name: "encoded as aws-chunked", asset: func(a *fakeapi.Asset) { a.Encoding = "aws-chunked" }},
	{name: "encoded as identity", asset: func(a *fakeapi.Asset) { a.Encoding = "identity" }},
	{name: "encoded as nothing known", asset: func(a *fakeapi.Asset) { a.Encoding = "x-plain" }},
	{name: "encoded as gzip", asset: func(a *fakeapi.Asset) { a.Encoding = "gzip" }, errnos: errs(syscall.EIO)},
	{name: "moved, a bare % in Location", config: func(c *fakeapi.Config) { c.Redirect = "http://elsewhere.test/storage/{id}?signature=100%&a=b c" }},
	{name: "moved", config: func(c *fakeapi.Config) { c.Redirect = "http://elsewhere.test/storage/{id}?signature=s" }},

	// "Refusals".
	{name: "503 with Retry-After", config: all(fakeapi.Fault{Status: 503, Form: "page", RetryAfter: "8", Times: 2})},
	{name: "503 for long", config: all(fakeapi.Fault{Status: 503, Form: "page"}), errnos: errs(syscall.EIO), fatal: true},
	{name: "503 for its asset", faults: twice(fakeapi.Fault{Status: 503, Form: "page"})},
	{name: "one connection at a time", config: func(c *fakeapi.Config) { c.Connections = 1 }},
	{name: "portal, 511", config: func(c *fakeapi.Config) { c.Portal = 511 }, errnos: errs(syscall.EHOSTUNREACH), fatal: true},
	{name: "portal, 200", config: func(c *fakeapi.Config) { c.Portal = 200 }, errnos: errs(syscall.EHOSTUNREACH), fatal: true},
	{name: "portal, 302", config: func(c *fakeapi.Config) { c.Portal = 302 }, errnos: errs(syscall.EHOSTUNREACH), fatal: true},
	{name: "429 on 200", faults: twice(fakeapi.Fault{Status: 200, Code: 429, Form: "new"})},
	{name: "0429 on 400", faults: twice(fakeapi.Fault{Status: 400, OldCode: "0429"})},
	{name: "429 for long", config: all(fakeapi.Fault{Status: 429}), errnos: errs(syscall.EBUSY), fatal: true},
	{name: "limit exceeded on 400", faults: twice(fakeapi.Fault{Status: 400, Msg: "Request has exceeded the limit."})},
	{name: "limit exceeded for long", faults: []fakeapi.Fault{{Status: 400, Msg: "Request has exceeded the limit."}}, errnos: errs(syscall.EBUSY), fatal: true},
	{name: "gateway's 404", faults: twice(fakeapi.Fault{Status: 404, Form: "gateway"})},
	{name: "gateway's 404 for long", faults: []fakeapi.Fault{{Status: 404, Form: "gateway"}}, errnos: errs(syscall.EIO), fatal: true},
	{name: "gateway's 503", faults: twice(fakeapi.Fault{Status: 503, Form: "gateway"})},
	{name: "No static resource on metadata", faults: onMetadata(fakeapi.Fault{Form: "spring"})},
	{name: "No static resource on metadata, 200", faults: onMetadata(fakeapi.Fault{Status: 200, Form: "spring"})},
	{name: "metadata's 400", faults: onMetadata(fakeapi.Fault{Status: 400, Msg: "bad"}), untold: true},
	{name: "metadata's 403", faults: onMetadata(fakeapi.Fault{Status: 403}), untold: true},
	{name: "metadata's 500", faults: onMetadata(fakeapi.Fault{Status: 500}), untold: true},
	{name: "metadata's 503", faults: onMetadata(fakeapi.Fault{Status: 503, Form: "gateway"}), untold: true},
	{name: "metadata hangs", faults: onMetadata(fakeapi.Fault{Hang: true}), untold: true},

	// API.md: lists, dialects, codes and uploads.
	{name: "lists of few fields, in strings", config: func(c *fakeapi.Config) { c.ListStrings, c.ListOmit, c.PageMost = true, "total_count,page_size", 1 }},
	{name: "lists with a wrong total", config: func(c *fakeapi.Config) { c.ListTotal = 7 }},
	{name: "list's 500", config: all(fakeapi.Fault{Op: "list", Status: 500, Times: 2})},
	{name: "list's 429", config: all(fakeapi.Fault{Op: "list", Status: 429, Times: 2})},
	{name: "list hangs", config: all(fakeapi.Fault{Op: "list", Hang: true, Times: 1})},
	{name: "old codes", config: func(c *fakeapi.Config) { c.OldCodes, c.MetaNumbers = true, true }},
	{name: "errors on 200, bare", config: func(c *fakeapi.Config) { c.ErrorsOn200, c.Bare = true, true }},
	{name: "balance too low", faults: []fakeapi.Fault{{Status: 402}}, errnos: errs(syscall.EDQUOT)},
	{name: "old code for a balance too low", faults: []fakeapi.Fault{{Status: 200, OldCode: "0402"}}, errnos: errs(syscall.EDQUOT)},
	{name: "forbidden", faults: []fakeapi.Fault{{Status: 403}}, errnos: errs(syscall.EPERM)},
	{name: "unauthorized", config: all(fakeapi.Fault{Status: 401}), errnos: errs(syscall.EACCES)},
	{name: "not found", faults: []fakeapi.Fault{{Status: 400, Msg: "Asset not found"}}, errnos: errs(syscall.ENOENT)},
	{name: "uploading", asset: func(a *fakeapi.Asset) { a.UploadStatus, a.ReadyAfter = "UPLOADING", 8*time.Second }, errnos: errs(syscall.EBUSY, syscall.EINVAL)},

	// The connection.
	{name: "cut", faults: twice(fakeapi.Fault{Cut: 650_000})},
	{name: "cut for long", faults: []fakeapi.Fault{{Cut: 650_000}}, errnos: errs(syscall.EIO), reread: true},
	{name: "stall", faults: twice(fakeapi.Fault{Stall: 650_000})},
	{name: "pause", faults: []fakeapi.Fault{{Stall: 650_000, StallFor: 3 * time.Second}}},
	{name: "no answer", faults: twice(fakeapi.Fault{Hang: true})},
	{name: "no answer for long", faults: []fakeapi.Fault{{Hang: true}}, errnos: errs(syscall.ETIMEDOUT)},
	{name: "dropped", faults: twice(fakeapi.Fault{Drop: true})},
	{name: "slow", faults: []fakeapi.Fault{{Rate: 100_000}}},
	{name: "late", faults: []fakeapi.Fault{{Delay: 4 * time.Second}}},
	{name: "clients that pause are cut", config: func(c *fakeapi.Config) { c.SendTimeout = 2 * time.Second }},
	{name: "longer by 5", faults: []fakeapi.Fault{{LengthDelta: 5}}, errnos: errs(syscall.EIO, syscall.ESTALE), lies: true, reread: true},
	{name: "range too late", faults: []fakeapi.Fault{{Shift: 1000}}, errnos: errs(syscall.EIO)},
	{name: "range too early", faults: []fakeapi.Fault{{Shift: -1000}}},
}

// all makes a fault strike downloads of all assets.
func all(f fakeapi.Fault) func(*fakeapi.Config) {
	return func(c *fakeapi.Config) { c.Faults = []fakeapi.Fault{f} }
}
