package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// maxErrorBody is how much of a body is read to learn what went wrong, in bytes.
const maxErrorBody = 64 << 10

// judge decides what a response to r is: an asset's bytes, or an error. It trusts
// what the header says over what was asked, and refuses what does not agree with
// itself. body is not yet read; the caller closes it on error.
func judge(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	status := resp.StatusCode
	switch {
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
	if status == http.StatusRequestedRangeNotSatisfiable {
		cr, err := parseContentRange(resp.Header.Get("Content-Range"))
		// An answer with no size to "from the first byte on" means the same.
		e.empty = err == nil && cr.none && cr.size == 0 || err != nil && r.Start == 0
	}
	return nil, e
}

func whole(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	if err := encoded(resp); err != nil {
		return nil, err
	}
	body.left, body.chunked = resp.ContentLength, resp.ContentLength < 0
	if len(resp.Header.Values("Content-Disposition")) == 0 {
		if err := impostor(resp, body); err != nil {
			return nil, err
		}
	}
	out := &Response{Info: infoOf(resp.Header), Ignored: !r.NoRange, End: resp.ContentLength, Body: body}
	out.Info.Size = resp.ContentLength
	return out, nil
}

func partial(resp *http.Response, r Request, body *Body) (*Response, *Error) {
	status := resp.StatusCode
	if err := encoded(resp); err != nil {
		return nil, err
	}
	fields := resp.Header.Values("Content-Range")
	if len(fields) != 1 {
		return nil, malformed(status, "%d Content-Range fields, not one", len(fields))
	}
	cr, err := parseContentRange(fields[0])
	switch asked := r.Start; {
	case err != nil:
		return nil, malformed(status, "%v", err)
	case cr.none:
		return nil, malformed(status, "Content-Range without a range")
	case r.NoRange:
		return nil, malformed(status, "part of the asset although all was asked for")
	case cr.start > asked || cr.end <= asked:
		return nil, malformed(status, "bytes %d to %d although those from %d on were asked for", cr.start, cr.end, asked)
	case resp.ContentLength >= 0 && resp.ContentLength != cr.end-cr.start:
		return nil, malformed(status, "Content-Length %d does not fit Content-Range %q", resp.ContentLength, fields[0])
	}
	body.left, body.chunked = cr.end-cr.start, resp.ContentLength < 0
	out := &Response{Info: infoOf(resp.Header), Partial: true, Start: cr.start, End: cr.end, Body: body}
	out.Info.Size = cr.size
	return out, nil
}

// encoded refuses a body that is not the asset's own bytes.
func encoded(resp *http.Response) *Error {
	for _, e := range resp.Header.Values("Content-Encoding") {
		if e = strings.TrimSpace(e); e != "" && !strings.EqualFold(e, "identity") {
			return malformed(resp.StatusCode, "Content-Encoding %q although none was asked for", bounded(e))
		}
	}
	return nil
}

// impostor looks for what a 200 without a Content-Disposition may be instead of
// an asset: a JSON error object of the older API, or the HTML page of a proxy or
// a captive portal. What it reads of anything else is kept for the reader.
func impostor(resp *http.Response, body *Body) *Error {
	kind := mediaType(resp.Header.Get("Content-Type"))
	if kind == "text/html" || kind == "application/xhtml+xml" {
		return notAsset(resp, "an HTML page instead of an asset (a proxy or a login page?)")
	}
	if err := body.peek(512); err != nil { // as much as DetectContentType looks at
		return err
	}
	sniffed := http.DetectContentType(body.peeked)
	// A comment at the start makes HTML of XML, too.
	if strings.HasPrefix(sniffed, "text/html") && !strings.HasSuffix(kind, "xml") {
		return notAsset(resp, "an HTML page instead of an asset (a proxy or a login page?)")
	}
	if !bytes.HasPrefix(bytes.TrimSpace(trimBOM(body.peeked)), []byte("{")) || resp.ContentLength > maxErrorBody {
		return nil
	}
	if err := body.peek(maxErrorBody + 1); err != nil {
		return err
	}
	if len(body.peeked) > maxErrorBody {
		return nil
	}
	if o := parseErrorObject(body.peeked); o.is {
		return &Error{Status: resp.StatusCode, Code: o.code, Msg: o.msg, RetryAfter: retryAfter(resp.Header)}
	}
	if kind == "application/json" && !json.Valid(trimBOM(body.peeked)) {
		return malformed(resp.StatusCode, "broken JSON instead of an asset")
	}
	return nil
}

func notAsset(resp *http.Response, what string) *Error {
	e := malformed(resp.StatusCode, "%s", what)
	e.RetryAfter = retryAfter(resp.Header)
	return e
}

// peek reads until n bytes, or all there are, are in b.peeked.
func (b *Body) peek(n int) *Error {
	// Not io.ReadFull, which reports the end of a short body as net/http
	// reports a cut.
	buf := make([]byte, n)
	had := copy(buf, b.peeked)
	for had < n {
		m, err := b.rc.Read(buf[had:])
		had += m
		b.peeked = buf[:had]
		if errors.Is(err, io.EOF) && (b.left < 0 || int64(had) >= b.left) {
			return nil // the reader will meet io.EOF again
		}
		if err != nil {
			return classify(b.ctx, b.life, err)
		}
	}
	return nil
}
