package fakeapi

import (
	"bytes"
	"fmt"
	"html"
	"io"
	"net/http"
	"time"
)

// The values of Fault.Form.
const (
	formNew     = "new"
	formOld     = "old"
	formSpring  = "spring"
	formGateway = "gateway"
	formPage    = "page"
	formXML     = "xml"
	formText    = "text"
	formEmpty   = "empty"
	formNothing = "nothing"
)

// formStatus is the HTTP status of a form if the fault sets none. It is 200 for the others.
var formStatus = map[string]int{
	formSpring:  http.StatusNotFound,
	formGateway: http.StatusNotFound,
	formXML:     http.StatusForbidden,
}

// faultReply returns the answer that f gives instead of the normal one.
func faultReply(rq Request, cfg Config, f Fault, size int64) *reply {
	status := f.Status
	if status == 0 {
		status = http.StatusOK
		if s, ok := formStatus[f.Form]; ok {
			status = s
		}
	}
	rp := formReply(rq, cfg, f, status)
	if f.TruncateJSON {
		rp.end /= 2
	}
	if f.BOM {
		b := make([]byte, rp.end)
		n, _ := rp.body.ReadAt(b, 0) // the bytes are in memory
		b = append([]byte("\ufeff"), b[:n]...)
		rp.body, rp.end = bytes.NewReader(b), int64(len(b))
	}
	if status == http.StatusRequestedRangeNotSatisfiable {
		rp.header.Set("Content-Range", byteRange{unsatisfiable: true}.contentRange(size))
	}
	if f.PadBody > rp.end {
		rp.body, rp.end = padded{rp.body, rp.end}, f.PadBody
	}
	return rp
}

// formReply returns the body of f in its form.
func formReply(rq Request, cfg Config, f Fault, status int) *reply {
	msg := f.Msg
	if msg == "" {
		msg = messageOf(status)
	}
	json := func(b []byte) *reply { return textReply(status, "application/json", b) }
	if status == http.StatusNotModified || status == http.StatusNoContent {
		return &reply{status: status, header: http.Header{}}
	}
	switch f.Form {
	case formNew:
		cfg = Config{Bare: true}
	case formOld:
		cfg = Config{OldCodes: true}
	case formSpring:
		if f.Msg == "" {
			msg = "No static resource api."
		}
		cfg = Config{OldCodes: true}
		return json(frame(cfg, codeIn(cfg, f, http.StatusBadRequest), msg, nil, false)) // "0001" on any status
	case formGateway:
		return json(encode(gatewayObject{time.Now().UTC().Format("2006-01-02T15:04:05.000+00:00"), rq.Path, status, http.StatusText(status), "9f2b6c1d-417"}))
	case formPage:
		return pageReply(status)
	case formXML:
		return storageRefusal(status, "AccessDenied")
	case formText:
		return textReply(status, "text/plain; charset=utf-8", []byte(msg+"\n"))
	case formEmpty:
		return &reply{status: status, header: http.Header{"Content-Type": nil}, body: bytes.NewReader(nil)}
	case formNothing:
		var data any
		if rq.Op == opMetadata {
			data = resources{Resource: []resource{}}
		}
		return json(frame(cfg, codeIn(cfg, f, http.StatusOK), "success", data, true))
	}
	return json(frame(cfg, codeIn(cfg, f, status), msg, nil, false))
}

// codeIn returns the code of f, or the one for status.
func codeIn(cfg Config, f Fault, status int) any {
	switch {
	case f.OldCode != "":
		return f.OldCode
	case f.Code != 0:
		return f.Code
	}
	return codeOf(cfg, status)
}

// gatewayObject is the error object of the gateway in front of the API.
type gatewayObject struct {
	Timestamp string `json:"timestamp"`
	Path      string `json:"path"`
	Status    int    `json:"status"`
	Error     string `json:"error"`
	RequestID string `json:"requestId"`
}

// pageReply returns an HTML page as gateways and captive portals send it.
func pageReply(status int) *reply {
	title := fmt.Sprintf("%d %s", status, http.StatusText(status))
	text := "The server at the other end has nothing to say."
	if status == http.StatusOK || status == http.StatusNetworkAuthenticationRequired {
		title, text = "Sign in to the network", "Please accept the terms of use to go on."
	}
	title = html.EscapeString(title)
	page := fmt.Sprintf("<!DOCTYPE html>\n<html>\n<head><title>%s</title></head>\n<body><h1>%s</h1><p>%s</p></body>\n</html>\n", title, title, text)
	return textReply(status, "text/html; charset=utf-8", []byte(page))
}

// padded is text followed by endless spaces.
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
