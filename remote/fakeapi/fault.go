package fakeapi

import (
	"errors"
	"time"
)

// AtOnce is the value of Fault.Cut and Fault.Stall that means: after the header,
// before the first byte of the body.
const AtOnce = -1

// Fault says which requests go wrong, and how. Its effects combine where that
// makes sense (slow, corrupt, then cut); those of the second group replace the
// answer, and of these the first one set counts.
type Fault struct {
	// Op is the kind of request that is struck: "" and "download", "metadata",
	// "storage", "list", or "any".
	Op string
	// Of the requests of that kind, the first Skip go by, the next Times are
	// struck (0: all of them). Counting begins when the fault is put.
	Skip, Times int

	// Delay comes before the header, beside Config.Latency.
	Delay time.Duration

	Hang          bool // no answer at all until the client goes away
	Drop          bool // the connection is closed (with Reset: reset) without an answer
	EndlessHeader bool // header fields until the client goes away
	// Redirect sends to a URL, with Status or 302. "{id}" in it becomes the
	// asset's ID; "self" is the address that was asked for, a loop.
	Redirect string
	// Status other than 0, Code, OldCode and Form make a small body: an error
	// object unless Form says otherwise. 304 and 204 have no body; 416 has
	// `Content-Range: bytes */size`.
	Status  int
	Code    int    // the number in it; 0 is Status
	OldCode string // a string code instead, such as "0429"
	Msg     string // "" is what the API says for Status
	// Form is one of
	//
	//	"new"      code, msg and data, no more: as in the newer examples
	//	"old"      a string code, and success and failed
	//	"spring"   No static resource: an unknown route; Status or 404
	//	"gateway"  timestamp, path, status, error, requestId; Status or 404
	//	"page"     an HTML page: a captive portal, a proxy's 502; Status or 200
	//	"xml"      what a storage host says; Status or 403
	//	"text"     Msg as plain text
	//	"empty"    no byte, no Content-Type
	//	"nothing"  a success that is about no asset
	//
	// "" is the error object as Config has it.
	Form         string
	TruncateJSON bool   // the body ends in its middle, and Content-Length fits
	BOM          bool   // a byte order mark before it
	PadBody      int64  // it grows to this many bytes
	RetryAfter   string // this header, with any of the answers of this group

	// Header sets fields of the response, or with "" removes them: a lying
	// Accept-Ranges, another ETag. Content-Length is Length's matter.
	Header        map[string]string
	ControlHeader bool // a field that holds a control byte

	IgnoreRange bool  // 200 and everything
	Shift       int64 // a 206 that begins this many bytes later than asked, and says so
	Mislabel    int64 // a Content-Range that is this many bytes too high

	Chunked     bool   // no Content-Length
	Unframed    bool   // nor chunks: the body lasts until the connection ends, which Cut may do at any point
	LengthDelta int64  // Content-Length is too large by this much; the body stays
	Length      string // Content-Length as given: "-5", "9223372036854775808"

	Version      int   // not 0: content (unless given) and automatic ETag of this version
	Empty        bool  // the header as always, but no byte, and a Content-Length of 0
	Gzip         bool  // compressed although nobody asked for it
	CorruptAt    int64 // content offset of the first byte that is inverted
	CorruptBytes int64 // how many are; 0 is none

	// Rate is in bytes a second, in place of Config.Rate.
	Rate int64
	// Stall: no more for StallFor (0: until the client goes away) after this
	// many bytes of the body; see AtOnce.
	Stall    int64
	StallFor time.Duration
	// Cut ends the connection after this many bytes of the body; see AtOnce.
	// With Reset that is a TCP reset, which takes along what the client's kernel
	// had not yet accepted, so that fewer bytes may arrive; else an orderly end.
	Cut   int64
	Reset bool
}

// strikes tells whether f is for a request of kind op that comes after seen others.
func (f *Fault) strikes(seen int) bool {
	return seen >= f.Skip && (f.Times == 0 || seen < f.Skip+f.Times)
}

// matches tells whether f is for requests of kind op.
func (f *Fault) matches(op string) bool {
	return f.Op == op || f.Op == "any" || f.Op == "" && op == opDownload
}

// replaces tells whether f gives an answer of its own.
func (f *Fault) replaces() bool {
	return f.Hang || f.Drop || f.EndlessHeader || f.Redirect != "" || f.Status != 0 || f.Code != 0 || f.OldCode != "" || f.Form != ""
}

// checkFaults returns what is wrong with faults.
func checkFaults(all []Fault) error {
	for _, f := range all {
		if err := errors.Join(
			oneOf("Fault.Form", f.Form, "", formNew, formOld, formSpring, formGateway, formPage, formXML, formText, formEmpty, formNothing),
			oneOf("Fault.Op", f.Op, "", opDownload, opMetadata, opStorage, opList, opOther, "any"),
		); err != nil {
			return err
		}
	}
	return nil
}

// faults is a list of faults with what each has seen. It is guarded by the
// server's mutex.
type faults struct {
	list []Fault
	seen []int
}

func newFaults(list []Fault) faults { return faults{list, make([]int, len(list))} }

// next counts a request of kind op and returns the fault that strikes it; the
// zero Fault is none.
func (fs *faults) next(op string) (struck Fault, ok bool) {
	for i := range fs.list {
		f := &fs.list[i]
		if !f.matches(op) {
			continue
		}
		if !ok && f.strikes(fs.seen[i]) {
			struck, ok = *f, true
		}
		fs.seen[i]++
	}
	return struck, ok
}
