package fs

import (
	"syscall"

	"assetfs/remote/fakeapi"
)

// faultCase is one way for a server to misbehave.
type faultCase struct {
	name  string
	fault fakeapi.Fault
	// at, if not nil, puts the fault at an offset of the body; without it the
	// fault strikes a whole answer.
	at func(f *fakeapi.Fault, off int64)
	// errnos are what readers may see, all of it in DESIGN.md's table.
	errnos []syscall.Errno

	fatal bool // struck each time, no reader gets through, whatever the server can do
	cures bool // struck once, no reader notices
	// short: the answer is consistent, so that nothing shows the asset to be longer than it says.
	short bool
	long  bool // the answer tells of bytes that never come

	etag    string // of the asset in place of the mode's; "-" is none
	single  bool   // one reader only: see the case
	overlap bool   // the fault is in bytes that are there already, and must be seen
	origin  string // where the fault's redirect goes: this host name at the other port
}

// errs are errnos.
func errs(list ...syscall.Errno) []syscall.Errno { return list }

func cutAt(f *fakeapi.Fault, off int64)   { f.Cut = off }
func stallAt(f *fakeapi.Fault, off int64) { f.Stall = off }

var faultCases = []faultCase{
	// The connection.
	{name: "no answer, closed", fault: fakeapi.Fault{Drop: true}, errnos: errs(syscall.EIO), fatal: true, cures: true},
	{name: "no answer, reset", fault: fakeapi.Fault{Drop: true, Reset: true}, errnos: errs(syscall.EIO), fatal: true, cures: true},
	{name: "no answer at all", fault: fakeapi.Fault{Hang: true}, errnos: errs(syscall.ETIMEDOUT), fatal: true, cures: true},
	{name: "closed early", at: cutAt, errnos: errs(syscall.EIO), cures: true},
	{name: "reset", fault: fakeapi.Fault{Reset: true}, at: cutAt, errnos: errs(syscall.EIO), cures: true},
	{name: "stall", at: stallAt, errnos: errs(syscall.ETIMEDOUT), cures: true},
	{name: "a byte a second", fault: fakeapi.Fault{Rate: 1}, errnos: errs(syscall.ETIMEDOUT), fatal: true, cures: true},

	// Errors, and what looks like none.
	{name: "500 of 100 MB", fault: fakeapi.Fault{Status: 500, PadBody: 100e6}, errnos: errs(syscall.EIO), fatal: true, cures: true},
	{name: "403 of 100 MB", fault: fakeapi.Fault{Status: 403, PadBody: 100e6}, errnos: errs(syscall.EPERM), fatal: true},
	{name: "proxy's 502 page", fault: fakeapi.Fault{Status: 502, Form: "page"}, errnos: errs(syscall.EIO), fatal: true, cures: true},
	{name: "captive portal", fault: fakeapi.Fault{Form: "page"}, errnos: errs(syscall.EHOSTUNREACH), fatal: true, cures: true},
	{name: "JSON error on 200", fault: fakeapi.Fault{Status: 200, OldCode: "0402"}, errnos: errs(syscall.EDQUOT), fatal: true},
	{name: "JSON rate limit on 200", fault: fakeapi.Fault{Status: 200, OldCode: "0429"}, errnos: errs(syscall.EBUSY), fatal: true, cures: true},
	{name: "truncated JSON on 200", fault: fakeapi.Fault{Status: 200, OldCode: "0402", TruncateJSON: true}, errnos: errs(syscall.EIO), fatal: true},
	{name: "truncated JSON on 402", fault: fakeapi.Fault{Status: 402, TruncateJSON: true}, errnos: errs(syscall.EDQUOT), fatal: true},
	{name: "deleted", fault: fakeapi.Fault{Status: 400, Msg: "Asset not found"}, errnos: errs(syscall.ENOENT), fatal: true},
	{name: "key revoked", fault: fakeapi.Fault{Status: 401}, errnos: errs(syscall.EACCES), fatal: true},
	{name: "304", fault: fakeapi.Fault{Status: 304}, errnos: errs(syscall.EIO), fatal: true},
	{name: "204", fault: fakeapi.Fault{Status: 204}, errnos: errs(syscall.EIO), fatal: true},
	{name: "416", fault: fakeapi.Fault{Status: 416}, errnos: errs(syscall.EIO), fatal: true},

	// Redirects.
	{name: "redirect loop", fault: fakeapi.Fault{Redirect: "self"}, errnos: errs(syscall.EIO), fatal: true},
	{name: "redirect without end", fault: fakeapi.Fault{Redirect: "/{id}/download?again", Status: 307}, errnos: errs(syscall.EIO), fatal: true},
	{name: "redirect to another port", origin: "127.0.0.1"},
	{name: "redirect to another host", origin: "localhost"},
	{name: "redirect to nothing", fault: fakeapi.Fault{Redirect: "ftp://127.0.0.1/{id}"}, errnos: errs(syscall.EIO), fatal: true},

	// Headers.
	{name: "endless header", fault: fakeapi.Fault{EndlessHeader: true}, errnos: errs(syscall.EIO), fatal: true},
	{name: "control byte", fault: fakeapi.Fault{ControlHeader: true}},
	{name: "gzip", fault: fakeapi.Fault{Gzip: true}, errnos: errs(syscall.EIO), fatal: true},
	{name: "label too high", fault: fakeapi.Fault{Mislabel: 7}, errnos: errs(syscall.EIO)},
	// What is labelled too low can be seen where it overlaps with what is there;
	// a second reader's stream begins where nothing is.
	{name: "label too low", fault: fakeapi.Fault{Mislabel: -7}, errnos: errs(syscall.EIO, syscall.ESTALE), single: true},
	{name: "range too late", fault: fakeapi.Fault{Shift: 1000}, errnos: errs(syscall.EIO)},
	{name: "range too early", fault: fakeapi.Fault{Shift: -1000}},
	{name: "all of it, as a part", fault: fakeapi.Fault{Shift: -1 << 40}},
	{name: "range in pages", fault: fakeapi.Fault{Header: map[string]string{"Content-Range": "pages 1-2/3"}}, errnos: errs(syscall.EIO)},
	{name: "range without a field", fault: fakeapi.Fault{Header: map[string]string{"Content-Range": ""}}, errnos: errs(syscall.EIO)},
	{name: "range ignored", fault: fakeapi.Fault{IgnoreRange: true, Header: map[string]string{"Accept-Ranges": "bytes"}}},

	// Lengths.
	{name: "no byte", fault: fakeapi.Fault{Empty: true}, errnos: errs(syscall.EIO, syscall.ESTALE), short: true},
	{name: "longer by 5", fault: fakeapi.Fault{LengthDelta: 5}, errnos: errs(syscall.EIO, syscall.ESTALE), long: true},
	{name: "shorter by 5", fault: fakeapi.Fault{LengthDelta: -5}, errnos: errs(syscall.EIO, syscall.ESTALE), short: true},
	{name: "length -5", fault: fakeapi.Fault{Length: "-5"}, errnos: errs(syscall.EIO), fatal: true},
	{name: "length 2^63-1", fault: fakeapi.Fault{Length: "9223372036854775807"}, errnos: errs(syscall.EIO, syscall.ESTALE), long: true},
	{name: "length 2^63", fault: fakeapi.Fault{Length: "9223372036854775808"}, errnos: errs(syscall.EIO), fatal: true},

	// Content.
	{name: "changed, new ETag", fault: fakeapi.Fault{Version: 1}, errnos: errs(syscall.ESTALE), etag: "auto"},
	// Without a validator a change is seen where streams overlap, and two
	// readers' need not.
	{name: "changed, no ETag", fault: fakeapi.Fault{Version: 1}, errnos: errs(syscall.ESTALE), etag: "-", single: true},
	{name: "corrupt overlap", fault: fakeapi.Fault{CorruptAt: faultMid - 100, CorruptBytes: 1}, errnos: errs(syscall.ESTALE), etag: "-", single: true, overlap: true},
}
