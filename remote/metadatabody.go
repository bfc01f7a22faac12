package remote

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// answerOf reads the JSON answer to a call, of at most most bytes. It returns an error
// unless both the status and the code mean success.
func answerOf(resp *http.Response, body *Body, most int) ([]byte, *Error) {
	status := resp.StatusCode
	switch {
	case status >= 400:
		return nil, errorOf(resp, body)
	case !allOfIt(status):
		return nil, errorInside(resp, body, malformed(status, "unexpected status"))
	}
	if err := body.peek(most + 1); err != nil {
		return nil, err
	}
	if len(body.peeked) > most {
		return nil, malformed(status, "an answer of more than %d bytes", most)
	}
	o := parseErrorObject(body.peeked)
	if !o.object {
		if err := pageError(resp, body.peeked); err != nil {
			return nil, err
		}
	}
	// "0000" and 200 mean success, and so does an absent code.
	code, err := strconv.Atoi(o.code)
	good := !o.failed && (o.code == "" || err == nil && (code == 0 || success(code)))
	if !good {
		return nil, o.fault(resp)
	}
	return body.peeked, nil
}

// parseMetadata reads the answer to a metadata call on the asset id.
func parseMetadata(b []byte, id string) (Info, *Error) {
	var answer struct {
		Data *struct {
			Resource []resourceInfo `json:"resource"`
		} `json:"data"`
	}
	if err := json.Unmarshal(trimBOM(b), &answer); err != nil {
		return Info{}, malformed(http.StatusOK, "metadata that can't be read: %v", err)
	}
	switch {
	case answer.Data == nil:
		return Info{}, malformed(http.StatusOK, "metadata without data")
	case answer.Data.Resource == nil:
		return Info{}, malformed(http.StatusOK, "metadata without a list")
	case len(answer.Data.Resource) == 0:
		return Info{}, &Error{Status: http.StatusOK, Msg: "the metadata does not list the asset", missing: true, api: true}
	}
	for _, r := range answer.Data.Resource {
		if string(r.ID) == id {
			return r.info()
		}
	}
	return Info{}, malformed(http.StatusOK, "metadata of another asset")
}

// resourceInfo is an asset in a metadata answer.
type resourceInfo struct {
	ID       text   `json:"asset_id"`
	Name     text   `json:"original_filename"`
	Ext      text   `json:"extension"`
	Status   text   `json:"upload_status"`
	Size     number `json:"file_size"`
	Created  number `json:"create_time"`
	Modified number `json:"modify_time"`
}

func (r *resourceInfo) info() (Info, *Error) {
	switch status := strings.ToUpper(string(r.Status)); status {
	case "", "SUCCESS":
	case "WAITING", "UPLOADING":
		return Info{}, &Error{
			Status: http.StatusOK, temporary: true, api: true,
			Err: &detailError{"its status is " + status, ErrUploading},
		}
	default:
		return Info{}, &Error{
			Status: http.StatusOK, api: true,
			Err: fmt.Errorf("upload status is %s: only a finished upload can be downloaded", printable(status)),
		}
	}
	if r.Size.ok && r.Size.n > maxSize {
		return Info{}, malformed(http.StatusOK, "an impossible size of %d bytes", r.Size.n)
	}
	i := Info{Name: withExtension(string(r.Name), string(r.Ext)), Size: -1}
	if r.Size.ok {
		i.Size = r.Size.n
	}
	if i.ModTime = r.Modified.time(); i.ModTime.IsZero() {
		i.ModTime = r.Created.time()
	}
	return i, nil
}

// withExtension adds ext to name unless name already has it.
func withExtension(name, ext string) string {
	ext = strings.TrimPrefix(ext, ".")
	if name == "" || ext == "" || strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(ext)) {
		return name
	}
	return name + "." + ext
}

// text is a string that the API may write as a number. Anything else is "".
type text string

// UnmarshalJSON never fails: one odd field must not cost the others.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(codeText(b))
	return nil
}

func codeText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	var n json.Number
	_ = json.Unmarshal(raw, &n) // anything else is ""
	return n.String()
}

// number is a count or a time, which the API writes as a string or as a number. Anything
// else, or a negative or fractional number, counts as absent.
type number struct {
	n  int64
	ok bool
}

// UnmarshalJSON never fails: one odd field must not cost the others.
func (v *number) UnmarshalJSON(b []byte) error {
	s := strings.TrimSpace(codeText(b))
	if v.n, v.ok = parseDigits(s); v.ok {
		return nil
	}
	// Java writes a double like this: 1.766989317192E12.
	f, err := strconv.ParseFloat(s, 64)
	if v.ok = err == nil && f >= 0 && f <= 1<<62 && f == math.Trunc(f); v.ok {
		v.n = int64(f)
	}
	return nil
}

// time converts milliseconds since 1970. It returns the zero time if v holds none.
func (v number) time() time.Time {
	if v.n <= 0 || v.n > maxMillis {
		return time.Time{}
	}
	return time.UnixMilli(v.n)
}

// maxMillis is the end of the year 9999; larger numbers are not times.
const maxMillis = 253_402_300_799_999
