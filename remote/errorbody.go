package remote

import (
	"bytes"
	"encoding/json"
	"errors"
	"html"
	"io"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// maxErrorBody is how much of a body is read to find out what went wrong, in bytes.
	maxErrorBody = 64 << 10
	// maxCode bounds the code of a JSON error object, in bytes; the API's have four.
	maxCode = 32
)

// loginPage describes a page that came instead of an asset.
const loginPage = "an HTML page instead of an answer of the API (a login page of this network, or a proxy's?)"

// errorOf reads the body of a response with an error status. If the caller's ctx ends meanwhile,
// the error is that. If reading the body fails otherwise, it has only a status.
func errorOf(resp *http.Response, body *Body) *Error {
	body.decode(coding(resp.Header))
	cut := body.peek(maxErrorBody)
	if cut != nil && body.ctx.Err() != nil {
		return cut
	}
	o := parseErrorObject(body.peeked)
	if !o.object {
		o = cutObject(body.peeked)
	}
	e := o.fault(resp)
	kind := mediaType(resp.Header.Get("Content-Type"))
	switch {
	case o.api, o.msg != "":
	case o.object:
		e.Msg = oneLine(string(body.peeked))
	case strings.HasSuffix(kind, "xml"):
		for _, found := range storageWords.FindAllSubmatch(body.peeked, -1) {
			e.Msg = oneLine(e.Msg + " " + html.UnescapeString(string(found[1])))
		}
	case kind == "text/plain":
		e.Msg = firstLine(body.peeked)
	case isHTML(resp):
		e.Msg = scriptWords(body.peeked)
	}
	empty := cut == nil && len(bytes.TrimSpace(body.peeked)) == 0
	switch status := resp.StatusCode; {
	case status == http.StatusNetworkAuthenticationRequired:
		e.Err = &detailError{loginPage, ErrUnreachable}
	case status == http.StatusProxyAuthRequired:
		e.Err = &detailError{proxyName(body.c.proxyOf(resp.Request)) + " wants a user and a password (407)", ErrProxy}
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		// These mean the same, whoever sends them.
	case !o.api && !empty:
		e.disown()
	}
	return e
}

// errorObject is a body, read as a JSON error object.
type errorObject struct {
	object    bool   // it is a JSON object, or the beginning of one
	more      bool   // something follows the object
	api       bool   // written by the API: it has a code, and a msg or failure flags
	failed    bool   // the flags say failure
	hasMsg    bool   // there is a msg, perhaps null
	bare      bool   // it has only keys of the envelope
	gateway   bool   // written by the gateway before the API; code is then its status
	code, msg string // bounded; "" if absent
}

// envelope holds the keys of the API's own objects.
var envelope = map[string]bool{"code": true, "msg": true, "data": true, "success": true, "failed": true}

// parseErrorObject reads a body of at most maxErrorBody bytes. The code may be a number or
// a string. Unknown keys are ignored.
func parseErrorObject(body []byte) errorObject {
	var fields map[string]json.RawMessage
	// Some servers don't escape line breaks in texts.
	line := bytes.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, trimBOM(body))
	d := json.NewDecoder(bytes.NewReader(line))
	if d.Decode(&fields) != nil || fields == nil {
		return errorObject{}
	}
	o := errorObjectOf(fields)
	o.more = len(bytes.TrimSpace(line[d.InputOffset():])) > 0
	return o
}

// errorObjectOf reads the fields of an object. The API itself may fail to give its error a code.
func errorObjectOf(fields map[string]json.RawMessage) errorObject {
	o := errorObject{object: true, code: codeOf(fields["code"]), msg: textOf(fields["msg"])}
	_, hasCode := fields["code"]
	_, o.hasMsg = fields["msg"]
	o.failed = flag(fields["success"]) == "false" || flag(fields["failed"]) == "true"
	o.api = o.code != "" && (o.hasMsg || o.failed) || hasCode && o.hasMsg && o.failed
	o.bare = true
	for key := range fields {
		o.bare = o.bare && envelope[key]
	}
	if o.msg == "" {
		o.msg = textOf(fields["message"])
	}
	o.gateway = !hasCode && !o.hasMsg && isGateway(fields)
	if o.gateway {
		o.code = codeOf(fields["status"])
		if o.msg == "" {
			o.msg = textOf(fields["error"])
		}
	}
	return o
}

// isGateway recognises what Spring writes when no code of the API has run.
func isGateway(fields map[string]json.RawMessage) bool {
	if textOf(fields["error"]) == "" || codeNumber(string(fields["status"])) == 0 {
		return false
	}
	for _, key := range []string{"timestamp", "path", "requestId"} {
		if _, ok := fields[key]; ok {
			return true
		}
	}
	return false
}

// documented holds the error codes of the API, newer and older.
var documented = map[string]bool{
	"400": true, "401": true, "402": true, "403": true, "405": true, "409": true, "415": true, "429": true, "500": true,
	"0001": true, "0003": true, "0401": true, "0402": true, "0403": true, "0409": true, "0429": true, "9009": true,
}

// replaces reports whether the object, as the whole body of a success, is an error instead
// of an asset: it holds nothing else, or its code is a documented one.
func (o errorObject) replaces() bool {
	return !o.more && (o.gateway || o.api && o.hasMsg && (o.bare || documented[o.code]))
}

// noRoute reports whether the server does not know the call. The text is Spring's.
func (o errorObject) noRoute() bool {
	return strings.Contains(strings.ToLower(o.msg), "no static resource")
}

// fault returns the error that the object and its response describe.
func (o errorObject) fault(resp *http.Response) *Error {
	e := &Error{Status: resp.StatusCode, Code: o.code, Msg: o.msg, RetryAfter: retryAfter(resp.Header), api: o.api, noRoute: o.noRoute()}
	switch n := e.Number(); {
	case e.noRoute, o.gateway && success(e.Status) && n < 500 && n != http.StatusTooManyRequests:
		e.disown()
	case o.gateway && !success(e.Status):
		e.Code = "" // it repeats the status
	case n == http.StatusBadRequest && strings.Contains(strings.ToLower(o.msg), "request has exceeded the limit"):
		e.Err = ErrExceeded
	}
	return e
}

// disown marks e as not written by the API.
func (e *Error) disown() {
	e.foreign, e.Err = true, errForeign
}

// Impostor reports whether content reads as an error or a web page that came instead of an
// asset. content is the first bytes of the asset, and all of it if it is at most 64 KiB
// long. A response with a Content-Disposition is an asset whatever it holds.
func Impostor(content []byte) bool {
	return len(content) <= maxErrorBody && parseErrorObject(content).replaces() || htmlPage(content)
}

// cutObject reads the beginning of an object of the API that was cut: it has a code and only
// keys of the envelope. For anything else the result is zero.
func cutObject(b []byte) errorObject {
	d := json.NewDecoder(bytes.NewReader(trimBOM(b)))
	if t, _ := d.Token(); t != json.Delim('{') {
		return errorObject{}
	}
	fields := map[string]json.RawMessage{}
	end := func(err error) errorObject {
		if fields["code"] == nil || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return errorObject{}
		}
		o := errorObjectOf(fields)
		o.api = true
		return o
	}
	for {
		key, err := d.Token()
		if err != nil {
			return end(err)
		}
		name, _ := key.(string)
		if !envelope[name] {
			return errorObject{}
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return end(err)
		}
		fields[name] = value
	}
}

// htmlPage reports whether b begins like an HTML document. Comments and the declaration of XML don't
// decide, since other XML may begin with them; nor do other elements, since plain texts do.
func htmlPage(b []byte) bool {
	b = trimBOM(b)
	b = b[len(prolog.Find(b)):]
	for _, tag := range []string{"<!doctype html", "<html"} {
		if len(b) > len(tag) && bytes.EqualFold(b[:len(tag)], []byte(tag)) && bytes.IndexByte([]byte(" \t\r\n\f/>"), b[len(tag)]) >= 0 {
			return true
		}
	}
	return false
}

// prolog matches what may come before the first element.
var prolog = regexp.MustCompile(`^(?s:\s|<!--.*?-->|<\?xml.*?\?>)*`)

func isHTML(resp *http.Response) bool {
	switch mediaType(resp.Header.Get("Content-Type")) {
	case "text/html", "application/xhtml+xml":
		return true
	}
	return false
}

// markup matches one tag of HTML.
var markup = regexp.MustCompile("<[^>]*>")

// storageWords finds what a storage host says. Its other elements may hold signatures.
var storageWords = regexp.MustCompile("<(?:Code|Message)>([^<]*)</")

func oneLine(s string) string { return bounded(strings.Join(strings.Fields(s), " ")) }

// scriptWords returns the first line of what a script says went wrong, "" if b is no such text.
// PHP calls everything HTML that a script does not call anything else: "no credit",
// {"error":"no credit"}, and its own errors, which begin with a line break. Any other markup
// is a page for somebody who looks at it.
func scriptWords(b []byte) string {
	b = bytes.TrimSpace(trimBOM(b))
	if bytes.HasPrefix(b, []byte("<")) && !bytes.EqualFold(b[:min(len(b), 3)], []byte("<br")) {
		return ""
	}
	return html.UnescapeString(firstLine(markup.ReplaceAll(b, nil)))
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return bounded(strings.TrimSpace(line))
}

// codeOf returns the code of an object, "" if it has none. Java may write a number like this:
// 429.0.
func codeOf(raw json.RawMessage) string {
	s := strings.TrimSpace(codeText(raw))
	f, err := strconv.ParseFloat(s, 64)
	if err == nil && strings.ContainsAny(s, ".eE") && math.Abs(f) < 1<<53 && f == math.Trunc(f) {
		s = strconv.FormatInt(int64(f), 10)
	}
	return s[:min(len(s), maxCode)]
}

// flag returns a truth value, which may be in quotes.
func flag(raw json.RawMessage) string { return strings.Trim(string(raw), `"`) }

func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return bounded(s)
}

// trimBOM removes the byte order mark that some servers write before JSON.
func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\ufeff")) }

// retryAfter reads a Retry-After in either form (RFC 9110, 10.2.3). The result is at most
// maxRetryAfter, and 0 if there is none or it can't be read. Some servers send fractions
// of a second.
func retryAfter(h http.Header) time.Duration {
	field := strings.TrimSpace(h.Get("Retry-After"))
	if n, _ := strconv.ParseFloat(field, 64); strings.Trim(field, "0123456789.") == "" {
		return time.Duration(min(n, maxRetryAfter.Seconds()) * float64(time.Second))
	}
	// The difference of two times of one clock is right even if that clock is wrong.
	now := httpTime(h.Get("Date"))
	if now.IsZero() {
		now = time.Now()
	}
	return min(max(0, httpTime(field).Sub(now)), maxRetryAfter) // what is no time is long ago
}
