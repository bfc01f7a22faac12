package fakeapi

import (
	"io"
	"net/http"
	"strconv"
)

// reply is an answer that is to be sent.
type reply struct {
	status     int
	header     http.Header
	body       io.ReaderAt // nil: no body
	start, end int64       // the part of body to send; end is exclusive
	asset      bool        // body is an asset's: it is billed
	chunked    bool        // no Content-Length
	unframed   bool        // neither Content-Length nor chunks
	length     string      // Content-Length set by a fault, else ""
	raw        bool        // net/http would not send this, so bypass it
	special    special
	fault      Fault
}

// special says what to do instead of answering.
type special int

const (
	ordinary special = iota
	hang
	drop
	endlessHeader
)

// download returns the answer with a's bytes.
func download(r *http.Request, a *Asset, cfg Config, f Fault) *reply {
	if f.Version != 0 {
		a.Version = f.Version
	}
	br := rangeOf(r, a, cfg, f)
	if a.Size == 0 && br.unsatisfiable && a.EmptyRange != 0 {
		if a.EmptyRange >= 400 {
			return pageReply(a.EmptyRange)
		}
		br = byteRange{partial: a.EmptyRange == http.StatusPartialContent}
	}
	if br.unsatisfiable {
		rp := errorReply(cfg, http.StatusRequestedRangeNotSatisfiable, msgUnacceptable)
		rp.status = http.StatusRequestedRangeNotSatisfiable
		rp.header.Set("Content-Range", br.contentRange(a.Size))
		return rp
	}
	rp := &reply{
		status: http.StatusOK, header: a.header(),
		body: a.body(), start: br.start, end: br.end, asset: true,
		chunked: a.NoLength || f.Chunked || f.Gzip,
	}
	if !cfg.NoRange && !a.NoRange && !a.NoLength {
		rp.header.Set("Accept-Ranges", "bytes")
	}
	if br.partial {
		rp.status = http.StatusPartialContent
		rp.header.Set("Content-Range", br.contentRange(a.Size))
		if a.ContentRange != "" {
			set(rp.header, "Content-Range", br.fill(a.ContentRange, a.Size))
		}
	}
	if f.Empty {
		rp.end = rp.start
	}
	set(rp.header, "Content-Encoding", a.Encoding)
	if f.Gzip {
		rp.header.Set("Content-Encoding", "gzip")
	}
	rp.decorate(r, f)
	return rp
}

// decorate applies f to the header. It is called last.
func (rp *reply) decorate(r *http.Request, f Fault) {
	for key, value := range f.Header {
		if value == "" {
			rp.header[http.CanonicalHeaderKey(key)] = nil
		} else {
			rp.header.Set(key, value)
		}
	}
	if f.ControlHeader {
		rp.header.Set("X-Control", "a\x01b")
	}
	switch {
	case f.Length != "":
		rp.length = f.Length
	case f.LengthDelta != 0:
		rp.length = strconv.FormatInt(rp.end-rp.start+f.LengthDelta, 10)
	}
	// HTTP/2 has no connection to take over, and frames bodies itself.
	rp.unframed = f.Unframed && r.ProtoMajor == 1
	rp.raw = rp.unframed || rp.length != "" && r.ProtoMajor == 1
}
