package fakeapi

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// uploaded is the only upload status whose asset can be downloaded.
const uploaded = "SUCCESS"

// unknownTime is used in metadata for assets without ModTime. It is from the API's own
// example.
const unknownTime = 1766989317192

// resource is one asset in metadata, with fields in the order of the API's example.
type resource []field

// field is one name with its value.
type field struct {
	name  string
	value any
}

// MarshalJSON writes the fields in their order.
func (res resource) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, f := range res {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", f.name, encode(f.value))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// resources is the data of a metadata answer.
type resources struct {
	Total    int        `json:"total"`
	Resource []resource `json:"resource"`
}

// metadataReply returns the answer to a metadata call.
func metadataReply(cfg Config, a *Asset) *reply {
	extension := path.Ext(a.Name)
	t := a.ModTime
	if t.IsZero() {
		t = time.UnixMilli(unknownTime)
	}
	// Numbers are strings unless cfg says otherwise. An unknown size is null.
	number := func(text string) any {
		if cfg.MetaNumbers && json.Valid([]byte(text)) {
			return json.RawMessage(text)
		}
		return text
	}
	var size any
	switch {
	case a.MetaSize != "":
		size = number(a.MetaSize)
	case !a.NoLength:
		size = number(strconv.FormatInt(a.Size, 10))
	}
	millis := number(strconv.FormatInt(t.UnixMilli(), 10))
	res := resource{
		{"extension", cmp.Or(a.MetaExtension, strings.TrimPrefix(extension, "."))},
		{"asset_id", a.ID},
		{"original_filename", cmp.Or(a.MetaName, strings.TrimSuffix(a.Name, extension))},
		{"file_size", size},
		{"upload_status", cmp.Or(a.UploadStatus, uploaded)},
		{"create_time", millis},
		{"modify_time", millis},
	}
	omitted := slices.Collect(items(a.MetaOmit))
	res = slices.DeleteFunc(res, func(f field) bool { return slices.Contains(omitted, f.name) })
	b := frame(cfg, codeOf(cfg, http.StatusOK), "success", resources{1, []resource{res}}, true)
	return textReply(http.StatusOK, "application/json", b)
}
