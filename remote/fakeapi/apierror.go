package fakeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"
)

// What the API says, word for word.
const (
	msgNotFound     = "Asset not found"
	msgBadKey       = "Invalid API key."
	msgBalance      = "Insufficient balance to download the resource. Please recharge and try again."
	msgForbidden    = "Permission denied."
	msgMethod       = "Method not allowed."
	msgLimit        = "Request has exceeded the limit."
	msgInvalid      = "Invalid parameters."
	msgInternal     = "Internal error."
	msgNotUploaded  = "The resource can not be downloaded, upload status: "
	msgUnacceptable = "Requested range not satisfiable."
)

// messageOf returns what the API says for a status.
func messageOf(status int) string {
	switch status {
	case http.StatusBadRequest:
		return msgInvalid
	case http.StatusUnauthorized:
		return msgBadKey
	case http.StatusPaymentRequired:
		return msgBalance
	case http.StatusForbidden:
		return msgForbidden
	case http.StatusMethodNotAllowed:
		return msgMethod
	case http.StatusRequestedRangeNotSatisfiable:
		return msgUnacceptable
	case http.StatusTooManyRequests:
		return msgLimit
	case http.StatusInternalServerError:
		return msgInternal
	}
	return http.StatusText(status)
}

// oldCode returns the string that older pages have for a status.
func oldCode(status int) string {
	switch status {
	case http.StatusOK:
		return "0000"
	case http.StatusBadRequest:
		return "0001"
	}
	return fmt.Sprintf("%04d", status)
}

// object is the frame of each JSON answer. Code is a number, or a string on the
// older pages.
type object struct {
	Code    any    `json:"code"`
	Msg     string `json:"msg"`
	Data    any    `json:"data"`
	Success bool   `json:"success"`
	Failed  bool   `json:"failed"`
}

// bareObject is the frame in the examples of the newer pages.
type bareObject struct {
	Code any    `json:"code"`
	Msg  string `json:"msg"`
	Data any    `json:"data"`
}

func (o object) encode() []byte     { return encode(o) }
func (o bareObject) encode() []byte { return encode(o) }

// encode returns a frame as JSON.
func encode(o any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		panic(err) // only strings, numbers and nil in it
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// errorReply is an error object in the dialect of the settings.
func errorReply(cfg Config, status int, msg string) *reply {
	o := object{Code: status, Msg: msg, Failed: true}
	if cfg.OldCodes {
		o.Code = oldCode(status)
	}
	rp := textReply(status, "application/json", o.encode())
	if cfg.ErrorsOn200 {
		rp.status = http.StatusOK
	}
	return rp
}

// refusal is the answer to a request beyond a limit, in the form that it says.
func refusal(cfg Config, l Limit, wait time.Duration) *reply {
	var rp *reply
	switch l.Refusal {
	case "400":
		rp = textReply(http.StatusBadRequest, "application/json", object{Code: "0429", Msg: msgLimit, Failed: true}.encode())
	case "200":
		b := bareObject{Code: http.StatusTooManyRequests, Msg: msgLimit}.encode()
		rp = textReply(http.StatusOK, "application/json", b)
	case "exceeded":
		rp = errorReply(cfg, http.StatusBadRequest, msgLimit)
	case "429 page":
		rp = pageReply(http.StatusTooManyRequests)
	case "503 page":
		rp = pageReply(http.StatusServiceUnavailable)
	default:
		rp = errorReply(cfg, http.StatusTooManyRequests, msgLimit)
	}
	if l.RetryAfter {
		rp.header.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
	return rp
}

// faultReply is the error object or page that f puts in an answer's place.
func faultReply(cfg Config, f Fault, size int64) *reply {
	status := f.Status
	if status == 0 {
		status = http.StatusOK
	}
	var rp *reply
	switch {
	case f.HTML:
		rp = pageReply(status)
	case status == http.StatusNotModified || status == http.StatusNoContent:
		rp = &reply{status: status, header: http.Header{}}
	default:
		o := object{Code: f.Code, Msg: f.Msg, Failed: true}
		switch {
		case f.OldCode != "":
			o.Code = f.OldCode
		case f.Code == 0 && cfg.OldCodes:
			o.Code = oldCode(status)
		case f.Code == 0:
			o.Code = status
		}
		if f.Msg == "" {
			o.Msg = messageOf(status)
		}
		b := o.encode()
		if f.TruncateJSON {
			b = b[:len(b)/2]
		}
		rp = textReply(status, "application/json", b)
	}
	if status == http.StatusRequestedRangeNotSatisfiable {
		rp.header.Set("Content-Range", byteRange{unsatisfiable: true}.contentRange(size))
	}
	if f.PadBody > rp.end {
		rp.body, rp.end = padded{rp.body, rp.end}, f.PadBody
	}
	return rp
}

// pageReply is an HTML page as gateways and captive portals send it.
func pageReply(status int) *reply {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	text := "The server at the other end has nothing to say."
	if status == http.StatusOK {
		title, text = "Sign in to the network", "Please accept the terms of use to go on."
	}
	title = html.EscapeString(title)
	page := fmt.Sprintf("<!DOCTYPE html>\n<html>\n<head><title>%s</title></head>\n<body><h1>%s</h1><p>%s</p></body>\n</html>\n", title, title, text)
	return textReply(status, "text/html; charset=utf-8", []byte(page))
}

// textReply is a small body that is not billed.
func textReply(status int, mediaType string, b []byte) *reply {
	return &reply{
		status: status,
		header: http.Header{"Content-Type": {mediaType}},
		body:   bytes.NewReader(b),
		end:    int64(len(b)),
	}
}

// padded is text followed by spaces without end.
type padded struct {
	text io.ReaderAt
	size int64
}

func (p padded) ReadAt(b []byte, off int64) (int, error) {
	n := 0
	if off < p.size {
		m, err := p.text.ReadAt(b[:min(int64(len(b)), p.size-off)], off)
		if err != nil && err != io.EOF {
			return m, err
		}
		n = m
	}
	pad := b[n:]
	for i := 0; i < len(pad); {
		i += copy(pad[i:], "                                                                ")
	}
	return len(b), nil
}
