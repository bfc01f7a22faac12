package fakeapi

import (
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// uploaded is the only upload status whose asset can be downloaded.
const uploaded = "SUCCESS"

// unknownTime stands in metadata for the times of an asset without ModTime: the
// example of the API's own page.
const unknownTime = 1766989317192

// resource is one asset in metadata. Numbers are strings, times milliseconds
// since 1970. A nil FileSize is null: nobody knows.
type resource struct {
	Extension        string  `json:"extension"`
	AssetID          string  `json:"asset_id"`
	OriginalFilename string  `json:"original_filename"`
	FileSize         *string `json:"file_size"`
	UploadStatus     string  `json:"upload_status"`
	CreateTime       string  `json:"create_time"`
	ModifyTime       string  `json:"modify_time"`
}

// resources is the data of a metadata answer.
type resources struct {
	Total    int        `json:"total"`
	Resource []resource `json:"resource"`
}

// metadataReply is the answer of the metadata call.
func metadataReply(cfg Config, a *Asset) *reply {
	extension := path.Ext(a.Name)
	res := resource{
		Extension:        strings.TrimPrefix(extension, "."),
		AssetID:          a.ID,
		OriginalFilename: strings.TrimSuffix(a.Name, extension),
		UploadStatus:     uploaded,
	}
	if a.MetaName != "" {
		res.OriginalFilename = a.MetaName
	}
	if a.MetaExtension != "" {
		res.Extension = a.MetaExtension
	}
	if a.UploadStatus != "" {
		res.UploadStatus = a.UploadStatus
	}
	if !a.NoLength {
		size := strconv.FormatInt(a.Size, 10)
		res.FileSize = &size
	}
	t := a.ModTime
	if t.IsZero() {
		t = time.UnixMilli(unknownTime)
	}
	res.ModifyTime = strconv.FormatInt(t.UnixMilli(), 10)
	res.CreateTime = res.ModifyTime

	o := object{Code: http.StatusOK, Msg: "success", Data: resources{1, []resource{res}}, Success: true}
	if cfg.OldCodes {
		o.Code = oldCode(http.StatusOK)
	}
	return textReply(http.StatusOK, "application/json", o.encode())
}
