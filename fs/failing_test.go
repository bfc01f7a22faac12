package fs

import (
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/service"
	"assetfs/remote/fakeapi"
)

// An asset fails until the server sends something of it again: the status shows no error that is over.
func TestFailing(t *testing.T) {
	for name, tc := range map[string]struct {
		asset fakeapi.Asset
		fails bool // the first read
	}{
		"tried again":    {fakeapi.Asset{Faults: []fakeapi.Fault{{Op: "download", Status: 503, Form: "page", Times: 2}}}, false},
		"cut":            {fakeapi.Asset{Faults: []fakeapi.Fault{{Op: "download", Cut: 100_000, Times: 1}}}, false},
		"refused":        {fakeapi.Asset{Faults: []fakeapi.Fault{{Op: "download", Status: 403, Times: 1}}}, true},
		"no metadata":    {fakeapi.Asset{Faults: []fakeapi.Fault{{Op: "metadata", Status: 404}}}, false},
		"being uploaded": {fakeapi.Asset{UploadStatus: "UPLOADING", ReadyAfter: 30 * time.Second}, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tc.asset.ID, tc.asset.Size, tc.asset.ETag = faultID, 1<<20, "auto"
				w := newBubble(t, false, service.Options{}, tc.asset)
				defer w.end()
				w.server.Configure(func(c *fakeapi.Config) { c.Key = faultKey })
				w.mount()
				defer w.unmount()
				w.fs.SetList([]string{faultID})
				time.Sleep(time.Minute)
				a := w.fs.Catalog.Listed(faultID)
				read := func() error {
					r := service.Engine(a).Open()
					defer r.Close()
					_, err := r.ReadAt(t.Context(), make([]byte, 1<<20), 0)
					if err != nil {
						a.SetErr(err)
					}
					return err
				}
				if err := read(); (err != nil) != tc.fails {
					t.Errorf("the first read: %v", err)
				}
				if got := w.fs.Status(service.All); (got.Counts.Failing == 1) != tc.fails {
					t.Errorf("after the first read %d fail: %+v", got.Counts.Failing, got.Assets)
				}
				w.fs.ForgetFailures()
				if err := read(); err != nil {
					t.Errorf("the second read: %v", err)
				}
				if got := w.fs.Status(service.All); got.Counts.Failing > 0 {
					t.Errorf("after the second read one fails: %s", got.Assets[0].Error)
				}
			})
		})
	}
}
