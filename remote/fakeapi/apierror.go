package fakeapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"
)

// The messages of the API, word for word.
const (
	msgNotFound     = "Asset not found"
	msgNoBucket     = "Bucket cannot be null or empty"
	msgNoBlob       = "Blob cannot be null or empty"
	msgNoResource   = "Resource does not exist"
	msgBadKey       = "Unauthorized"
	msgBalance      = "Insufficient balance to download the resource. Please recharge and try again."
	msgForbidden    = "Permission denied."
	msgMethod       = "Method not allowed."
	msgLimit        = "Request has exceeded the limit."
	msgInvalid      = "Invalid parameters."
	msgInternal     = "Internal error."
	msgNotUploaded  = "The resource can not be downloaded, upload status: "
	msgUnacceptable = "Requested range not satisfiable."
)

// messageOf returns the message of the API for a status.
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

// oldCode returns the code of the older pages for a status.
func oldCode(status int) string {
	switch status {
	case http.StatusOK:
		return "0000"
	case http.StatusBadRequest:
		return "0001"
	}
	return fmt.Sprintf("%04d", status)
}

// object is the envelope of each JSON answer. Code is a number, or a string on the older
// pages.
type object struct {
	Code    any    `json:"code"`
	Msg     string `json:"msg"`
	Data    any    `json:"data"`
	Success bool   `json:"success"`
	Failed  bool   `json:"failed"`
}

// bareObject is the envelope in the examples of the newer pages.
type bareObject struct {
	Code any    `json:"code"`
	Msg  string `json:"msg"`
	Data any    `json:"data"`
}

func (o object) encode() []byte     { return encode(o) }
func (o bareObject) encode() []byte { return encode(o) }

// encode returns an envelope as JSON.
func encode(o any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(o); err != nil {
		panic(err) // it holds only strings, numbers and nil
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// frame returns a JSON answer in the dialect that cfg selects.
func frame(cfg Config, code any, msg string, data any, success bool) []byte {
	if cfg.Bare {
		return bareObject{code, msg, data}.encode()
	}
	return object{code, msg, data, success, !success}.encode()
}

// codeOf returns the code for a status in the dialect that cfg selects.
func codeOf(cfg Config, status int) any {
	if cfg.OldCodes {
		return oldCode(status)
	}
	return status
}

// errorReply returns an error object in the dialect that cfg selects.
func errorReply(cfg Config, status int, msg string) *reply {
	rp := textReply(status, "application/json", frame(cfg, codeOf(cfg, status), msg, nil, false))
	if cfg.ErrorsOn200 {
		rp.status = http.StatusOK
	}
	return rp
}

// refusal returns the answer to a request beyond a limit, in the form that l selects.
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

// textReply returns a reply with a small body that is not billed.
func textReply(status int, mediaType string, b []byte) *reply {
	return &reply{
		status: status,
		header: http.Header{"Content-Type": {mediaType}},
		body:   bytes.NewReader(b),
		end:    int64(len(b)),
	}
}
