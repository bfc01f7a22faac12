package fakeapi

import (
	"errors"
	"time"
)

// AtOnce as the value of Fault.Cut and Fault.Stall means after the header and before the
// first byte of the body.
const AtOnce = -1

// Fault says which requests go wrong, and how. Its effects combine where that makes sense
// (slow, corrupt, then cut). Those in the second group replace the answer; the first of them
// that is set is used.
type Fault struct {
	// Op is the kind of requests to strike: "" and "download", "metadata", "storage",
	// "list", or "any".
	Op string
	// Of the requests of that kind, the first Skip are left alone and the next Times are
	// struck (0: all further ones). Counting starts when the fault is put.
	Skip, Times int

	// Delay is added to Config.Latency before the header.
	Delay time.Duration

	Hang          bool // no answer until the client goes away
	Drop          bool // the connection is closed (with Reset: reset) without an answer
	EndlessHeader bool // header fields until the client goes away
	// Redirect sends to a URL, with Status or 302. "{id}" in it becomes the asset's ID;
	// "self" is the requested address, which makes a loop.
	Redirect string
	// Status, Code, OldCode and Form, if set, make a small body: an error object unless
	// Form says otherwise. 304 and 204 have no body; 416 has `Content-Range: bytes */size`.
	Status  int
	Code    int    // the number in it; 0: Status
	OldCode string // a string code instead, such as "0429"
	Msg     string // "": the message of the API for Status
	// Form is one of
	//
	//	"new"      code, msg and data only, as in the newer examples
	//	"old"      a string code, and success and failed
	//	"spring"   No static resource: an unknown route; Status or 404
	//	"gateway"  timestamp, path, status, error, requestId; Status or 404
	//	"page"     an HTML page: a captive portal, a proxy's 502; Status or 200
	//	"xml"      the error of a storage host; Status or 403
	//	"text"     Msg as plain text
	//	"empty"    no byte, no Content-Type
	//	"nothing"  a success without an asset
	//
	// "" is the error object that Config selects.
	Form         string
	TruncateJSON bool   // the body ends in its middle, with a matching Content-Length
	BOM          bool   // a byte order mark before the body
	PadBody      int64  // spaces are added up to this size
	RetryAfter   string // this header, with any answer of this group

	// Header sets fields of the response; "" removes one: a wrong Accept-Ranges, another
	// ETag. For Content-Length use Length.
	Header        map[string]string
	ControlHeader bool // a field that holds a control byte

	IgnoreRange bool  // 200 and everything
	Shift       int64 // a 206 that begins this many bytes later than requested, and says so
	Mislabel    int64 // a Content-Range that is this many bytes too high

	Chunked     bool   // no Content-Length
	Unframed    bool   // neither Content-Length nor chunks: the body lasts until the connection ends, perhaps by Cut
	LengthDelta int64  // Content-Length is too large by this; the body is unchanged
	Length      string // Content-Length as given: "-5", "9223372036854775808"

	Version      int   // not 0: content (unless given) and automatic ETag of this version
	Empty        bool  // the usual header, but no byte and a Content-Length of 0
	Gzip         bool  // compressed although nobody asked for it
	CorruptAt    int64 // offset in the content of the first inverted byte
	CorruptBytes int64 // how many are inverted; 0: none

	// Rate is in bytes a second and replaces Config.Rate.
	Rate int64
	// Stall pauses after this many bytes of the body for StallFor (0: until the client goes
	// away); see AtOnce.
	Stall    int64
	StallFor time.Duration
	// Cut ends the connection after this many bytes of the body; see AtOnce. With Reset
	// it is a TCP reset, which also discards what the client's kernel had not accepted
	// yet, so fewer bytes may arrive; without it, an orderly end.
	Cut   int64
	Reset bool
}

// strikes reports whether f strikes the next request after seen others of its kind.
func (f *Fault) strikes(seen int) bool {
	return seen >= f.Skip && (f.Times == 0 || seen < f.Skip+f.Times)
}

// matches reports whether f is for requests of kind op.
func (f *Fault) matches(op string) bool {
	return f.Op == op || f.Op == "any" || f.Op == "" && op == opDownload
}

// replaces reports whether f replaces the answer.
func (f *Fault) replaces() bool {
	return f.Hang || f.Drop || f.EndlessHeader || f.Redirect != "" || f.Status != 0 || f.Code != 0 || f.OldCode != "" || f.Form != ""
}

// checkFaults returns an error if a fault is not valid.
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

// faults is a list of faults, with how many requests each has seen. The server's mutex
// guards it.
type faults struct {
	list []Fault
	seen []int
}

func newFaults(list []Fault) faults { return faults{list, make([]int, len(list))} }

// next counts a request of kind op and returns the fault that strikes it, if any.
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
