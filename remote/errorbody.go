package remote

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxCode bounds the code of a JSON error object, in bytes; theirs have four.
const maxCode = 32

// errorOf reads the body of a response with an error status. The second result
// is not nil when the caller's ctx ended meanwhile; any other trouble with the
// body leaves an error that has a status and no more.
func errorOf(resp *http.Response, body *Body) (*Error, *Error) {
	e := &Error{Status: resp.StatusCode, RetryAfter: retryAfter(resp.Header)}
	if err := body.peek(maxErrorBody); err != nil && body.ctx.Err() != nil {
		return nil, err
	}
	o := parseErrorObject(body.peeked)
	e.Code, e.Msg = o.code, o.msg
	if !o.object && mediaType(resp.Header.Get("Content-Type")) == "text/plain" {
		line, _, _ := strings.Cut(strings.TrimSpace(string(body.peeked)), "\n")
		e.Msg = bounded(strings.TrimSpace(line))
	}
	return e, nil
}

// errorObject is what a body says as a JSON error object of either dialect.
type errorObject struct {
	object    bool   // it is a JSON object
	is        bool   // it has all that makes an error object: a code, and success false or failed true
	code, msg string // bounded, "" when absent
}

// parseErrorObject reads a body of at most maxErrorBody bytes. It takes numbers
// and strings for the code, and ignores what it does not know.
func parseErrorObject(body []byte) errorObject {
	var fields map[string]json.RawMessage
	if json.Unmarshal(trimBOM(body), &fields) != nil || fields == nil {
		return errorObject{}
	}
	o := errorObject{object: true, code: codeOf(fields["code"]), msg: textOf(fields["msg"])}
	if o.msg == "" {
		o.msg = textOf(fields["message"]) // what gateways before the API write
	}
	o.is = o.code != "" && (string(fields["success"]) == "false" || string(fields["failed"]) == "true")
	return o
}

func codeOf(raw json.RawMessage) string {
	s := textOf(raw)
	if s == "" && len(raw) > 0 && (raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9') {
		s = string(raw)
	}
	return s[:min(len(s), maxCode)]
}

func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return bounded(s)
}

// trimBOM takes away the byte order mark that some servers put before JSON.
func trimBOM(b []byte) []byte { return bytes.TrimPrefix(b, []byte("\ufeff")) }

// retryAfter reads a Retry-After of either form (RFC 9110, 10.2.3): at most
// maxRetryAfter, and 0 when there is none, or none that can be read.
func retryAfter(h http.Header) time.Duration {
	field := strings.TrimSpace(h.Get("Retry-After"))
	if n, ok := parseDigits(field); ok {
		return time.Duration(min(n, int64(maxRetryAfter/time.Second))) * time.Second
	}
	until, err := http.ParseTime(field)
	if err != nil {
		// Digits beyond an int64 are a wish for very long, too.
		if _, err := strconv.ParseUint(field, 10, 64); field != "" && strings.Trim(field, "0123456789") == "" && err != nil {
			return maxRetryAfter
		}
		return 0
	}
	// Of two times by one clock the difference is right even if the clock is not.
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return min(max(0, until.Sub(now)), maxRetryAfter)
}
