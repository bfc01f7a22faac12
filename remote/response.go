package remote

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
)

// maxSize is the largest asset size that is believed, in bytes. No file system holds more,
// and sums must fit an int64.
const maxSize = 1 << 60

// judge decides whether a response to r is an asset's bytes or an error. It trusts the
// header rather than the request, and rejects a response that contradicts itself. body has
// not been read yet; the caller closes it on error.
func judge(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	out, err := assetIn(resp, r, body)
	if err != nil && !r.NoRange && refusesRange(err) {
		err.plain = true
	}
	return out, err
}

// assetIn is judge, but does not say whether a request without Range may succeed.
func assetIn(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	switch status := resp.StatusCode; {
	case status == http.StatusPartialContent && (!r.NoRange || saysRange(resp)), allOfIt(status) && saysPart(resp, r):
		return partial(resp, r, body)
	case allOfIt(status), status == http.StatusPartialContent, named(resp):
		return whole(resp, body)
	case status < 400:
		return nil, errorInside(resp, body, malformed(status, "unexpected status"))
	}
	e := errorOf(resp, body)
	if cr, _ := parseContentRange(resp.Header.Get("Content-Range")); cr.none && e.Status == http.StatusRequestedRangeNotSatisfiable {
		e.size = cr.size
	}
	return nil, e
}

// allOfIt reports whether status comes with the whole asset. A proxy that transforms a 200
// may make it a 203 (RFC 9110, 15.3.4).
func allOfIt(status int) bool {
	return status == http.StatusOK || status == http.StatusNonAuthoritativeInfo
}

// named reports whether resp is a success of another kind with a file, which it names. Without
// a name, a 202 may say that there will be one.
func named(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusNoContent, http.StatusResetContent:
		return false
	}
	return success(resp.StatusCode) && disposed(resp.Header)
}

// saysPart reports whether a 200 holds only a part of the asset: some caches turn a 206 into
// one. If its length is unknown, the request without Range will show it.
func saysPart(resp *http.Response, r Request) bool {
	cr, err := parseContentRange(resp.Header.Get("Content-Range"))
	if err != nil || cr.none || cr.all() {
		return false
	}
	return resp.ContentLength == cr.end-cr.start || resp.ContentLength < 0 && !r.NoRange
}

// saysRange reports whether a 206 says that it is a part. Some servers give everything
// that status.
func saysRange(resp *http.Response) bool {
	cr, _ := guessContentRange(resp.Header.Get("Content-Range"))
	return !cr.none || mediaType(resp.Header.Get("Content-Type")) == "multipart/byteranges"
}

// refusesRange reports whether e may be about the range while the asset exists. It may be
// shorter than expected, or empty, or the server refuses all ranges, and servers say this in
// many ways. A request without Range will show it. A 400 may be the API's own words for what
// Spring says of a range of an empty asset, or of a stream.
func refusesRange(e *Error) bool {
	switch e.refusal() {
	case http.StatusRequestedRangeNotSatisfiable, http.StatusInternalServerError:
		return true
	case http.StatusBadRequest:
		return !e.NotFound() && !errors.Is(e, ErrExceeded)
	}
	return e.refusesAny() && !e.api
}

func whole(resp *http.Response, body *Body) (*Response, *Error) {
	if err := refused(resp, resp.ContentLength); err != nil {
		return nil, errorInside(resp, body, err)
	}
	body.left.Store(resp.ContentLength)
	if err := impostor(resp, body, true); err != nil {
		return nil, err
	}
	out := &Response{Info: infoOf(resp.Header), End: resp.ContentLength, Body: body}
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
		return nil, errorInside(resp, body, err)
	}
	body.left.Store(cr.end - cr.start)
	if cr.start == 0 {
		if err := impostor(resp, body, cr.size < 0 || cr.size == cr.end); err != nil {
			return nil, err
		}
	}
	out := &Response{Info: infoOf(resp.Header), Start: cr.start, End: cr.end, Doubtful: doubtful, Body: body}
	out.Partial = !r.NoRange && (r.Start == 0 || !cr.all()) // else Range is ignored, but for the status
	out.Info.Size = cr.size
	return out, nil
}

// refused returns why a success of that size can't be used, or nil.
func refused(resp *http.Response, size int64) *Error {
	if c := coding(resp.Header); c != "" {
		return malformed(resp.StatusCode, "Content-Encoding %q was not asked for", c)
	}
	if size > maxSize {
		return malformed(resp.StatusCode, "an impossible size of %d bytes", size)
	}
	return nil
}

// errorInside returns the error that is the body of a success if there is one, else err: why
// the body is no asset in any case. It may be compressed.
func errorInside(resp *http.Response, body *Body, err *Error) *Error {
	if disposed(resp.Header) {
		return err
	}
	body.decode(coding(resp.Header))
	_ = body.peek(maxErrorBody + 1) // what came before a cut may say enough
	if len(body.peeked) == 0 {
		return err
	}
	return cmp.Or(objectError(resp, body.peeked), pageError(resp, body.peeked), err)
}

// codings are the content codings that clients know. Like curl and browsers, assetfs takes
// any other word for plain bytes: servers write "identity", "aws-chunked", "utf-8",
// "binary".
var codings = map[string]bool{
	"gzip": true, "x-gzip": true, "deflate": true, "compress": true, "x-compress": true,
	"br": true, "zstd": true, "dcb": true, "dcz": true,
}

// coding returns the first coding that changes a body's bytes, or "".
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

// impostor looks for an error in a success without Content-Disposition: a JSON error of the
// API or its gateway, or the HTML page of a proxy or a login. With a Content-Disposition only
// the former is looked for, and only in place of a film, a picture or sound: some programs
// write the error under the header that they had made for the asset. complete means that the
// body is the whole asset. Bytes that it reads are kept for the reader.
func impostor(resp *http.Response, body *Body, complete bool) *Error {
	named := disposed(resp.Header)
	if named && (!complete || !mayReplaceMedia(resp)) {
		return nil
	}
	err := body.peek(512) // as much as DetectContentType looks at
	if begin := bytes.TrimSpace(trimBOM(body.peeked)); len(begin) == 0 || begin[0] == '{' {
		err = body.peek(maxErrorBody + 1)
	}
	// If it was cut, the header was written for the asset, perhaps for a part of it.
	if err == nil && complete || err != nil && err.temporary {
		if said := objectError(resp, body.peeked); said != nil {
			return said
		}
	}
	if err != nil || named {
		return err
	}
	return pageError(resp, body.peeked)
}

// mayReplaceMedia reports whether the body of a success may be an error in place of a film, a
// picture or sound, which are never JSON.
func mayReplaceMedia(resp *http.Response) bool {
	size, kind := resp.ContentLength, mediaType(resp.Header.Get("Content-Type"))
	if size > maxErrorBody || size < 0 && !strings.Contains(kind, "json") {
		return false
	}
	switch class, _, _ := strings.Cut(kind, "/"); class {
	case "video", "audio", "image":
		return true
	}
	name := FileName(resp.Header.Values("Content-Disposition"))
	return mediaExtensions[strings.ToLower(path.Ext(name))]
}

// mediaExtensions are those of what can be uploaded (API.md, section 2).
var mediaExtensions = map[string]bool{
	".mp4": true, ".m4v": true, ".mov": true, ".avi": true, ".webm": true, ".mkv": true, ".flv": true, ".wmv": true, ".mpeg": true, ".mpg": true,
	".mp3": true, ".wav": true, ".aac": true, ".flac": true, ".ogg": true, ".m4a": true,
	".jpg": true, ".jpeg": true, ".png": true, ".gif": true, ".webp": true, ".bmp": true, ".tif": true, ".tiff": true,
}

// disposed reports whether there is a Content-Disposition. An empty one says nothing.
func disposed(h http.Header) bool { return strings.Join(h.Values("Content-Disposition"), "") != "" }

// objectError returns the JSON error that b, the body of a success, holds, or nil.
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
	if cutObject(b).object {
		e := malformed(resp.StatusCode, "an error object that is cut off")
		e.foreign = true
		return e
	}
	return nil
}

// pageError returns an error if b, the beginning of a success's body, is a web page, or if a
// script says in its place what went wrong.
func pageError(resp *http.Response, b []byte) *Error {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	page := htmlPage(b)
	if !page && isHTML(resp) {
		// Some servers send this type for everything they don't know.
		page = strings.HasPrefix(http.DetectContentType(b), "text/")
		if words := scriptWords(b); page && words != "" {
			e.Msg = words
			e.disown()
			return e
		}
	}
	if !page {
		return nil
	}
	e.Err, e.temporary = &detailError{loginPage, ErrUnreachable}, true
	return e
}

// peek reads until b.peeked holds n bytes, or all there are.
func (b *Body) peek(n int) *Error {
	// io.ReadFull would not distinguish a short body from a cut one.
	buf := make([]byte, max(len(b.peeked), min(n, 4<<10))) // few answers are longer
	had := copy(buf, b.peeked)
	for had < n {
		if had == len(buf) {
			buf = append(buf, make([]byte, min(n, 2*had)-had)...)
		}
		m, err := b.rc.Read(buf[had:])
		b.got.Add(int64(m))
		had += m
		b.peeked = buf[:had]
		if errors.Is(err, io.EOF) {
			return nil // Read will return it again, and see whether that is too early
		}
		if err != nil {
			return b.classify(err)
		}
	}
	return nil
}

// classify turns a failure of the connection into an *Error. Whatever breaks TLS after the
// handshake is no refusal.
func (b *Body) classify(err error) *Error {
	if tlsRefusal(err) != "" {
		err = &causeError{errCut, err}
	}
	return classify(b.ctx, b.life, err)
}
