package remote

import (
	"strings"
	"testing"
)

func TestCheckBaseURL(t *testing.T) {
	for _, tc := range []struct {
		raw      string
		insecure bool
		want     string // the URL, or part of the error
	}{
		{"https://api.test/serve/api/v2/", false, "https://api.test/serve/api/v2"},
		{" HTTPS://api.test:8443 ", false, "https://api.test:8443"},
		{"http://127.0.0.1:80/x", false, "http://127.0.0.1:80/x"},
		{"http://[::1]:80", false, "http://[::1]:80"},
		{"http://LocalHost/", false, "http://LocalHost"},
		{"http://localhost.", false, "http://localhost."},
		{"http://api.test", true, "http://api.test"},
		{"http://api.test", false, "--insecure-http"},
		{"http://localhost.evil.test", false, "--insecure-http"},
		{"http://127.0.0.1.evil.test", false, "--insecure-http"},
		{"http://10.0.0.1", false, "--insecure-http"},
		{"", false, "https://host/path"},
		{"api.test/serve", false, "https://host/path"},
		{"api.test:443", false, `base URL "api.test:443" is neither http nor https: write it like https://host/path`},
		{"https://api.test:0", false, "port"},
		{"https://api.test:65536/x", false, "port"},
		{"https://api.test:99999999999999999999", false, "port"},
		{"https://api.test:", false, "https://api.test:"},
		{"ftp://api.test/x", true, `base URL "ftp://api.test/x" is neither`},
		{"https://", false, "names no host"},
		{"https:///path", false, "names no host"},
		{"https:api.test", false, "names no host"},
		{"https://api test", false, "https://host/path"},
		{"https://api.test/%zz", false, "https://host/path"},
		{"https://user:hunter2@api.test", false, "--api-key-file"},
		{"https://api.test/?token=hunter2", false, "query"},
		{"https://api.test/?", false, "query"},
		{"https://api.test/#hunter2", false, "fragment"},
		{"https://api.test:http/hunter2@x", false, "https://host/path"},
	} {
		u, err := CheckBaseURL(tc.raw, tc.insecure)
		if err == nil || strings.EqualFold(strings.TrimRight(strings.TrimSpace(tc.raw), "/"), tc.want) {
			if err != nil || u.String() != tc.want {
				t.Errorf("%q: %s, %v, want %s", tc.raw, u, err, tc.want)
			}
			continue
		}
		s := err.Error()
		if !strings.Contains(s, tc.want) || strings.Contains(s, "\n") || strings.Contains(s, "hunter2") {
			t.Errorf("%q: %s, want one line with %q and no secret", tc.raw, s, tc.want)
		}
	}
}

func TestImpossibleID(t *testing.T) {
	c := newTestClient(t, "http://localhost", Options{})
	for _, id := range []string{"", ".", ".."} {
		_, err := c.Download(t.Context(), Request{ID: id})
		_, err2 := c.Metadata(t.Context(), Reader, id)
		for _, err := range []error{err, err2} {
			if err == nil || !strings.Contains(err.Error(), "can't be an asset ID") {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
}
