package fakeapi

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// TestForms tests each form of a small body, for each kind of call and any status.
func TestForms(t *testing.T) {
	const failed = `"data":null,"success":false,"failed":true}`
	for _, c := range []struct {
		fault  Fault
		status int // if the fault sets none
		body   string
	}{
		{Fault{Status: 402, Form: "new"}, 0, `{"code":402,"msg":"Insufficient balance to download the resource. Please recharge and try again.","data":null}`},
		{Fault{Status: 200, Code: 429, Form: "new", Msg: msgLimit}, 0, `{"code":429,"msg":"Request has exceeded the limit.","data":null}`},
		{Fault{Status: 200, Code: 200, Form: "new", Msg: "success"}, 0, `{"code":200,"msg":"success","data":null}`},
		{Fault{Status: 400, Form: "old"}, 0, `{"code":"0001","msg":"Invalid parameters.",` + failed},
		{Fault{Status: 400, OldCode: "0429", Form: "old", Msg: msgLimit}, 0, `{"code":"0429","msg":"Request has exceeded the limit.",` + failed},
		{Fault{Status: 400, OldCode: "0003", Msg: "Asset not found"}, 0, `{"code":"0003","msg":"Asset not found",` + failed},
		{Fault{Form: "old", OldCode: "0402", Msg: "no"}, 200, `{"code":"0402","msg":"no",` + failed},
		{Fault{Form: "spring"}, 404, `{"code":"0001","msg":"No static resource api.",` + failed},
		{Fault{Form: "spring", Status: 200}, 0, `{"code":"0001","msg":"No static resource api.",` + failed},
		{Fault{Form: "gateway"}, 404, `{"timestamp":"TIME","path":"PATH","status":404,"error":"Not Found","requestId":"9f2b6c1d-417"}`},
		{Fault{Form: "gateway", Status: 503}, 0, `{"timestamp":"TIME","path":"PATH","status":503,"error":"Service Unavailable","requestId":"9f2b6c1d-417"}`},
		{Fault{Form: "xml"}, 403, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>AccessDenied</Code></Error>\n"},
		{Fault{Form: "text", Status: 502, Msg: "error code: 502"}, 0, "error code: 502\n"},
		{Fault{Form: "empty", Status: 404}, 0, ""},
		{Fault{Form: "empty"}, 200, ""},
		{Fault{Status: 500, TruncateJSON: true}, 0, `{"code":500,"msg":"Internal error.","da`},
		{Fault{Status: 500, BOM: true}, 0, "\ufeff" + `{"code":500,"msg":"Internal error.",` + failed},
		{Fault{Status: 500, BOM: true, TruncateJSON: true, PadBody: 50}, 0, "\ufeff" + `{"code":500,"msg":"Internal error.","da` + strings.Repeat(" ", 8)},
	} {
		for _, op := range []string{"download", "metadata"} {
			c.fault.Op = op
			s := New(Asset{ID: "re_1", Size: 10, Faults: []Fault{c.fault}})
			g := direct(t, s, op)
			body := regexp.MustCompile(`"timestamp":"[-0-9T:.+]{29}"`).ReplaceAllString(string(g.body), `"timestamp":"TIME"`)
			body = strings.Replace(body, prefix+"re_1/"+op, "PATH", 1)
			if status := max(c.fault.Status, c.status); g.status != status || body != c.body {
				t.Errorf("%s %+v:\n%d %s\nwant %d %s", op, c.fault, g.status, body, status, c.body)
			}
			if c.fault.Form == "empty" && g.header.Get("Content-Type") != "" {
				t.Errorf("an empty body of type %s", g.header.Get("Content-Type"))
			}
			if g.header.Get("Content-Disposition") != "" {
				t.Error("a Content-Disposition")
			}
		}
	}
}

// TestSuccessWithoutAsset tests a success that is not about an asset.
func TestSuccessWithoutAsset(t *testing.T) {
	s := New(Asset{ID: "re_1", Faults: []Fault{{Op: "any", Form: "nothing"}}})
	for _, c := range []struct {
		config    Config
		code, end string
	}{
		{Config{}, `200`, `,"success":true,"failed":false}`},
		{Config{OldCodes: true}, `"0000"`, `,"success":true,"failed":false}`},
		{Config{Bare: true}, `200`, `}`},
	} {
		s.Configure(func(cfg *Config) { *cfg = c.config })
		for op, data := range map[string]string{"download": "null", "metadata": `{"total":0,"resource":[]}`} {
			want := fmt.Sprintf(`{"code":%s,"msg":"success","data":%s%s`, c.code, data, c.end)
			if g := direct(t, s, op); g.status != http.StatusOK || string(g.body) != want {
				t.Errorf("%s: %d %s, want %s", op, g.status, g.body, want)
			}
		}
	}
}

// TestDialects tests the same error in each dialect of the settings.
func TestDialects(t *testing.T) {
	s := New()
	for _, c := range []struct {
		config Config
		status int
		body   string
	}{
		{Config{}, 400, `{"code":400,"msg":"Asset not found","data":null,"success":false,"failed":true}`},
		{Config{Bare: true}, 400, `{"code":400,"msg":"Asset not found","data":null}`},
		{Config{Bare: true, ErrorsOn200: true}, 200, `{"code":400,"msg":"Asset not found","data":null}`},
		{Config{OldCodes: true}, 400, `{"code":"0001","msg":"Asset not found","data":null,"success":false,"failed":true}`},
		{Config{OldCodes: true, ErrorsOn200: true}, 200, `{"code":"0001","msg":"Asset not found","data":null,"success":false,"failed":true}`},
	} {
		s.Configure(func(cfg *Config) { *cfg = c.config })
		for _, op := range []string{"download", "metadata"} {
			if g := direct(t, s, op); g.status != c.status || string(g.body) != c.body {
				t.Errorf("%s with %+v: %d %s", op, c.config, g.status, g.body)
			}
		}
	}
}

// TestPortal tests a captive portal, which is in front of everything until it is removed.
func TestPortal(t *testing.T) {
	s := start(t, Asset{ID: "re_1", Size: 10, Faults: []Fault{{Times: 1, Status: 500}}})
	for portal, want := range map[int]int{200: 200, 511: 511, 302: 302} {
		s.Configure(func(c *Config) {
			c.Key, c.Portal, c.Downloads = "sk-mavi-1", portal, Limit{Rates: "1/h"}
		})
		for _, path := range []string{prefix + "re_1/download", prefix + "re_1/metadata", "/storage/re_1", "/"} {
			g, err := s.try("GET", path)
			if err != nil || g.status != want {
				t.Errorf("%s: %d, %v, want %d", path, g.status, err, want)
			}
			if want == 302 {
				path = g.header.Get("Location")
				if g, err = s.try("GET", path); err != nil || g.status != 200 {
					t.Errorf("%s: %d, %v", path, g.status, err)
				}
			}
			if !strings.Contains(string(g.body), "Sign in") || !strings.HasPrefix(g.header.Get("Content-Type"), "text/html") {
				t.Errorf("%s: %v %s", path, g.header, g.body)
			}
		}
	}
	s.Configure(func(c *Config) { c.Portal = 0 })
	if got, want := s.get("re_1", "Authorization: sk-mavi-1").status, 500; got != want {
		t.Errorf("without the portal: %d, want %d: nothing came through it", got, want)
	}
}

// TestUnknownForm checks that an unknown form is refused when it is set.
func TestUnknownForm(t *testing.T) {
	for _, f := range []Fault{{Form: "newer"}, {Op: "downloads"}} {
		if (Asset{Faults: []Fault{f}}).Check() == nil || (Config{Faults: []Fault{f}}).Check() == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
}
