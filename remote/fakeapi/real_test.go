package fakeapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestContract compares the fake with what API.md says about the service, and the service, too, if ASSETFS_CONTRACT_URL (the
// base URL), ASSETFS_CONTRACT_ASSET (the ID of a small asset, which is downloaded once, and billed) and MEMORIES_API_KEY are
// set.
func TestContract(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Name: "video.mp4", Type: "video/mp4", Size: 100_000})
	for _, dialect := range []Config{{}, {Bare: true}, {OldCodes: true}} {
		dialect.Key = "sk-mavi-1"
		s.Configure(func(c *Config) { *c = dialect })
		contract{s, s.url + strings.TrimSuffix(prefix, "/"), "sk-mavi-1", "re_1"}.test(t)
	}
	if base := os.Getenv("ASSETFS_CONTRACT_URL"); base != "" {
		service := &site{nil, t, "", client(t)}
		contract{service, strings.TrimSuffix(base, "/"), os.Getenv("MEMORIES_API_KEY"), os.Getenv("ASSETFS_CONTRACT_ASSET")}.test(t)
	}
}

// contract is an API to test, and one of its assets.
type contract struct {
	site          *site
	base, key, id string
}

func (c contract) get(t *testing.T, id, call, key string) got {
	t.Helper()
	g, err := c.site.try(http.MethodGet, c.base+"/"+id+"/"+call, "Authorization: "+key)
	if err != nil {
		t.Fatalf("%s of %s: %v", call, id, err)
	}
	return g
}

func (c contract) test(t *testing.T) {
	g := c.get(t, c.id, "download", c.key)
	if g.status != http.StatusOK || g.bodyErr != nil || len(g.body) == 0 {
		t.Fatalf("download: status %d, %d bytes, %v", g.status, len(g.body), g.bodyErr)
	}
	if d := strings.ToLower(g.header.Get("Content-Disposition")); !strings.Contains(d, "filename") {
		t.Errorf("Content-Disposition %q names no file", d)
	}
	if !strings.Contains(g.header.Get("Content-Type"), "/") {
		t.Errorf("Content-Type %q", g.header.Get("Content-Type"))
	}
	if g.length >= 0 && g.length != int64(len(g.body)) {
		t.Errorf("Content-Length %d for %d bytes", g.length, len(g.body))
	}

	var meta struct {
		Msg  string
		Data struct {
			Resource []struct {
				AssetID  string `json:"asset_id"`
				FileSize string `json:"file_size"`
				Status   string `json:"upload_status"`
			}
		}
	}
	m := c.get(t, c.id, "metadata", c.key)
	if err := json.Unmarshal(m.body, &meta); err != nil || meta.Msg != "success" || len(meta.Data.Resource) != 1 {
		t.Fatalf("metadata: %v in %q", err, m.body)
	}
	if r := meta.Data.Resource[0]; r.AssetID != c.id || r.FileSize != fmt.Sprint(len(g.body)) || r.Status != uploaded {
		t.Errorf("metadata: %+v for %d bytes", r, len(g.body))
	}

	// Digits only, so that the ID is valid, but too many for a real one.
	const unknown = "re_999999999999999999999999"
	c.wantError(t, c.get(t, unknown, "download", c.key), "400 404 0001 0003 0404")
	c.wantError(t, c.get(t, c.id, "download", "sk-mavi-wrong"), "401 0401 403 0403")
}

// wantError checks that g is an error object with one of these codes.
func (c contract) wantError(t *testing.T, g got, codes string) {
	t.Helper()
	var o object
	if err := json.Unmarshal(g.body, &o); err != nil {
		t.Fatalf("%v in %q", err, g.body)
	}
	if o.Success || o.Msg == "" || !strings.Contains(" "+codes+" ", fmt.Sprintf(" %v ", o.Code)) {
		t.Errorf("%+v, want one of the codes %s", o, codes)
	}
}
