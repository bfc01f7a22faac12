package service

import (
	"encoding/json"
	"os"
	"slices"
	"testing"

	"assetfs/fs/catalog"
	"assetfs/remote"
)

// TestBrowserSaves reads the headers that browsers are tested with. A file in the
// mount is called as they save it, but for what must differ: the normal form,
// white space, and a dash at the start.
func TestBrowserSaves(t *testing.T) {
	data, err := os.ReadFile("../../remote/testdata/dispositions.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Header   string    `json:"header"`
		Raw      []byte    `json:"header_base64"`
		Expected *string   `json:"expected_filename"`
		Any      []*string `json:"expected_any"`
		Group    string    `json:"group"`
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 100 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		field := c.Header
		if c.Raw != nil {
			field = string(c.Raw)
		}
		got := catalog.SafeName(remote.FileName([]string{field}))
		if !slices.ContainsFunc(append(c.Any, c.Expected), func(want *string) bool { return want == nil && got == "" || want != nil && *want == got }) {
			t.Errorf("%s: %q is called %q, browsers save it otherwise", c.Group, field, got)
		}
	}
}
