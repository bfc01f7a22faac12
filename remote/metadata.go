package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const opMetadata = "metadata"

// Metadata asks for what the API knows of an asset. The call is free and has a
// rate limit of its own: a Reader waits for its turn, Background fails with
// ErrNoSlot. At most eight run at a time, and ctx bounds all waits. Size is -1
// and ModTime zero where the answer does not tell; Type and validators are
// never told. ErrNoMetadata means that the API has no such call, and is answered
// without a request from then on, until ForgetFailures. Every error is an *Error.
func (c *Client) Metadata(ctx context.Context, class Class, id string) (Info, error) {
	i, err := c.askMetadata(ctx, class, id)
	if err != nil {
		return Info{Size: -1}, c.finish(opMetadata, id, err)
	}
	return i, nil
}

func (c *Client) askMetadata(ctx context.Context, class Class, id string) (Info, *Error) {
	for refused := false; ; {
		if c.noMetadata.Load() {
			return Info{}, &Error{Err: ErrNoMetadata}
		}
		key, err := c.o.Key.get()
		if err != nil {
			return Info{}, &Error{Err: err}
		}
		i, fail := c.sendMetadata(ctx, class, id, key)
		switch {
		case fail == nil:
			return i, nil
		case fail.Number() == http.StatusTooManyRequests && ctx.Err() == nil:
			if class == Background {
				return Info{}, noSlot(fail)
			}
		case fail.Number() == http.StatusUnauthorized && !refused && c.o.Key.changed(key):
			refused = true
		case errors.Is(fail, ErrNoMetadata):
			c.noMetadata.Store(true)
			return Info{}, fail
		default:
			return Info{}, fail
		}
	}
}

func (c *Client) sendMetadata(ctx context.Context, class Class, id, key string) (Info, *Error) {
	u, err := callURL(c.base, id, opMetadata)
	if err != nil {
		return Info{}, &Error{Err: err}
	}
	slot, fail := c.metadata.limiter.acquire(ctx, class)
	if fail != nil {
		return Info{}, fail
	}
	select {
	case c.atOnce <- struct{}{}:
		defer func() { <-c.atOnce }()
	case <-ctx.Done():
		slot.release()
		return Info{}, waiting(ctx, nil)
	}
	i, fail := c.exchangeMetadata(ctx, u, id, key, func(net.Conn) { slot.write(ctx) })
	if fail != nil {
		fail.Op, fail.ID = opMetadata, id
	}
	slot.done(id, fail, ctx.Err() != nil)
	return i, fail
}

// exchangeMetadata sends one metadata call and judges the answer.
func (c *Client) exchangeMetadata(ctx context.Context, u *url.URL, id, key string, onConn func(net.Conn)) (Info, *Error) {
	life, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	h := http.Header{"User-Agent": {c.o.UserAgent}, "Accept": {"application/json"}}
	//nolint:bodyclose // Body.Close does it
	resp, err := c.follow(life, c.metadata, u, h, key, onConn)
	if err != nil {
		return Info{}, classify(ctx, life, err)
	}
	body := &Body{c: c, id: id, ctx: ctx, life: life, cancel: cancel, rc: resp.Body, left: -1}
	defer func() { _ = body.Close() }() // what was read is judged already
	defer body.bound(c.o.ResponseTimeout)()
	i, fail := judgeMetadata(resp, id, body)
	if fail != nil {
		fail.Msg = hide(fail.Msg, key)
	}
	return i, fail
}

func judgeMetadata(resp *http.Response, id string, body *Body) (Info, *Error) {
	status := resp.StatusCode
	if status != http.StatusOK {
		if status < 400 {
			return Info{}, malformed(status, "an answer that no metadata call has")
		}
		e, err := errorOf(resp, body)
		if err != nil {
			return Info{}, err
		}
		if lacksCall(e) {
			return Info{}, &Error{Status: status, Err: ErrNoMetadata}
		}
		return Info{}, e
	}
	if err := body.peek(maxErrorBody); err != nil {
		return Info{}, err
	}
	if o := parseErrorObject(body.peeked); o.is {
		return Info{}, &Error{Status: status, Code: o.code, Msg: o.msg, RetryAfter: retryAfter(resp.Header)}
	}
	return parseMetadata(body.peeked, id)
}

// lacksCall tells that the server knows no metadata call, rather than no such
// asset: only the API itself says "Asset not found".
func lacksCall(e *Error) bool {
	switch e.Status {
	case http.StatusNotImplemented:
		return true
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		msg := strings.ToLower(strings.TrimSpace(e.Msg))
		return e.Code == "" || !saysNotFound(msg) || strings.Trim(msg, ".!") == "not found"
	}
	return false
}

// parseMetadata reads the answer of a metadata call on the asset id.
func parseMetadata(b []byte, id string) (Info, *Error) {
	var answer struct {
		Data *struct {
			Resource []struct {
				ID       string `json:"asset_id"`
				Name     string `json:"original_filename"`
				Ext      string `json:"extension"`
				Status   string `json:"upload_status"`
				Size     number `json:"file_size"`
				Created  number `json:"create_time"`
				Modified number `json:"modify_time"`
			} `json:"resource"`
		} `json:"data"`
	}
	if err := json.Unmarshal(trimBOM(b), &answer); err != nil {
		return Info{}, malformed(http.StatusOK, "metadata that can't be read: %v", err)
	}
	if answer.Data == nil {
		return Info{}, malformed(http.StatusOK, "metadata without data")
	}
	for _, r := range answer.Data.Resource {
		if r.ID != id {
			continue
		}
		switch strings.ToUpper(r.Status) {
		case "", "SUCCESS":
		case "WAITING", "UPLOADING":
			return Info{}, &Error{Status: http.StatusOK, Err: ErrUploading, temporary: true}
		default:
			return Info{}, &Error{
				Status: http.StatusOK,
				Err:    fmt.Errorf("upload status is %s: only a finished upload can be downloaded", printable(r.Status)),
			}
		}
		i := Info{Name: withExtension(r.Name, r.Ext), Size: -1}
		if r.Size.ok {
			i.Size = r.Size.n
		}
		switch {
		case r.Modified.ok && r.Modified.n > 0:
			i.ModTime = time.UnixMilli(r.Modified.n)
		case r.Created.ok && r.Created.n > 0:
			i.ModTime = time.UnixMilli(r.Created.n)
		}
		return i, nil
	}
	return Info{}, &Error{Status: http.StatusOK, Msg: "the metadata does not list the asset", missing: true}
}

// withExtension adds ext to name unless name has it.
func withExtension(name, ext string) string {
	ext = strings.TrimPrefix(ext, ".")
	if name == "" || ext == "" || strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(ext)) {
		return name
	}
	return name + "." + ext
}

// number is a count or a time that the API writes as a string, or as a number.
// What is neither, or negative, is as good as absent.
type number struct {
	n  int64
	ok bool
}

func (v *number) UnmarshalJSON(b []byte) error {
	s := string(b)
	if u, err := strconv.Unquote(s); err == nil {
		s = u
	}
	v.n, v.ok = parseDigits(s)
	return nil
}
