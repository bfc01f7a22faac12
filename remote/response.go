package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// maxSize is the largest asset that is believed, in bytes. More fits no file
// system, and leaves no room for sums in an int64.
const maxSize = 1 << 60

// judge decides what a response to r is: an asset's bytes, or an error. It trusts
// what the header says over what was asked, and refuses what does not agree with
// itself. body is not yet read; the caller closes it on error.
func judge(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		return whole(resp, r, body)
	case status == http.StatusPartialContent:
		return partial(resp, r, body)
	case status < 400:
		return nil, malformed(status, "an answer that no download has")
	}
	e, err := errorOf(resp, body)
	if err != nil {
		return nil, err
	}
	e.plain = !r.NoRange && refusesRange(e)
	if cr, err := parseContentRange(resp.Header.Get("Content-Range")); err == nil && cr.none && e.Status == http.StatusRequestedRangeNotSatisfiable {
		e.size = cr.size
	}
	return nil, e
}

// refusesRange tells that e may be about the range that was asked for, of an
// asset that exists: it is shorter than was thought, or it is empty, or the server
// refuses any range, all of which servers say in many ways. The plain answer tells.
func refusesRange(e *Error) bool {
	return e.Status == http.StatusRequestedRangeNotSatisfiable || e.refusesAny() && !e.api
}

func whole(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	if err := refused(resp, resp.ContentLength); err != nil {
		return nil, compressedError(resp, body, err)
	}
	body.left.Store(resp.ContentLength)
	body.chunked = len(resp.TransferEncoding) > 0
	if err := impostor(resp, body, true); err != nil {
		return nil, err
	}
	out := &Response{Info: infoOf(resp.Header), Ignored: !r.NoRange, End: resp.ContentLength, Body: body}
	out.Unframed = resp.ContentLength < 0 && len(resp.TransferEncoding) == 0
	out.Info.Size = resp.ContentLength
	return out, nil
}

func partial(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	cr, doubtful, err := sentRange(resp, r)
	if err != nil {
		e := malformed(resp.StatusCode, "%v", err)
		e.plain = !r.NoRange
		return nil, e
	}
	if err := refused(resp, max(cr.size, cr.end)); err != nil {
		return nil, err
	}
	body.left.Store(cr.end - cr.start)
	body.chunked = len(resp.TransferEncoding) > 0
	if cr.start == 0 {
		if err := impostor(resp, body, cr.size < 0 || cr.size == cr.end); err != nil {
			return nil, err
		}
	}
	out := &Response{Info: infoOf(resp.Header), Partial: !r.NoRange, Start: cr.start, End: cr.end, Doubtful: doubtful, Body: body}
	out.Info.Size = cr.size
	return out, nil
}

// refused says why a success of that size can't be taken, or returns nil.
func refused(resp *http.Response, size int64) *Error {
	if c := coding(resp.Header); c != "" {
		return malformed(resp.StatusCode, "Content-Encoding %q although none was asked for", c)
	}
	if size > maxSize {
		return malformed(resp.StatusCode, "an asset of %d bytes", size)
	}
	return nil
}

// compressedError is the error that the body of a success is when it is decompressed,
// else err.
func compressedError(resp *http.Response, body *Body, err *Error) *Error {
	if len(resp.Header.Values("Content-Disposition")) > 0 || resp.ContentLength > maxErrorBody {
		return err
	}
	body.decode(coding(resp.Header))
	if cut := body.peek(maxErrorBody + 1); cut != nil {
		return err
	}
	if e := objectError(resp, body.peeked); e != nil {
		return e
	}
	return err
}

// codings are the content codings that clients know. Any other word is taken, as
// curl and browsers take it, for a note on plain bytes: servers write
// "identity", "aws-chunked", "utf-8", "binary".
var codings = map[string]bool{
	"gzip": true, "x-gzip": true, "deflate": true, "compress": true, "x-compress": true,
	"br": true, "zstd": true, "dcb": true, "dcz": true,
}

// coding returns the first coding of a body that is not the asset's own bytes, or "".
func coding(h http.Header) string {
	for _, field := range h.Values("Content-Encoding") {
		for word := range strings.SplitSeq(field, ",") {
			if word = strings.ToLower(strings.TrimSpace(word)); codings[word] {
				return word
			}
		}
	}
	return ""
}

// impostor looks for what a success without a Content-Disposition may be instead of
// an asset: an error of the API or of its gateway as JSON, or the HTML page of a
// proxy or a login page. complete tells that the body is all there is. What is read of
// anything else is kept for the reader.
func impostor(resp *http.Response, body *Body, complete bool) *Error {
	if len(resp.Header.Values("Content-Disposition")) > 0 {
		return nil
	}
	if err := body.peek(512); err != nil { // as much as DetectContentType looks at
		return err
	}
	if complete && bytes.HasPrefix(bytes.TrimSpace(trimBOM(body.peeked)), []byte("{")) && resp.ContentLength <= maxErrorBody {
		if err := body.peek(maxErrorBody + 1); err != nil {
			return err
		}
		if err := objectError(resp, body.peeked); err != nil {
			return err
		}
	}
	return pageError(resp, body.peeked)
}

// objectError is the error that b, the body of a success, is as JSON, or nil.
func objectError(resp *http.Response, b []byte) *Error {
	if len(b) > maxErrorBody {
		return nil
	}
	if o := parseErrorObject(b); o.replaces() {
		e := o.fault(resp)
		if e.Err == nil && e.Number() == 0 {
			e.Err = fmt.Errorf("%w: no asset", ErrMalformed)
		}
		return e
	}
	if cutObject(b) {
		e := malformed(resp.StatusCode, "an error object that breaks off")
		e.foreign = true
		return e
	}
	return nil
}

// pageError is the error that b, the beginning of a success's body, is as a web
// page, or nil.
func pageError(resp *http.Response, b []byte) *Error {
	page := htmlPage(b)
	switch mediaType(resp.Header.Get("Content-Type")) {
	case "text/html", "application/xhtml+xml":
		// Some servers send whatever they don't know with this type.
		page = page || len(b) == 0 || strings.HasPrefix(http.DetectContentType(b), "text/")
	}
	if !page {
		return nil
	}
	return &Error{
		Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header),
		Err: &detailError{loginPage, ErrUnreachable}, temporary: true,
	}
}

// peek reads until n bytes, or all there are, are in b.peeked.
func (b *Body) peek(n int) *Error {
	// Not io.ReadFull, which reports the end of a short body as net/http
	// reports a cut.
	buf := make([]byte, min(n, maxErrorBody+1)) // few answers are longer
	had := copy(buf, b.peeked)
	for had < n {
		if had == len(buf) {
			buf = append(buf, make([]byte, min(n, 2*had)-had)...)
		}
		m, err := b.rc.Read(buf[had:])
		b.got.Add(int64(m))
		had += m
		b.peeked = buf[:had]
		if left := b.left.Load(); errors.Is(err, io.EOF) && (left < 0 || int64(had) >= left) {
			return nil // the reader will meet io.EOF again
		}
		if err != nil {
			return classify(b.ctx, b.life, err)
		}
	}
	return nil
}
