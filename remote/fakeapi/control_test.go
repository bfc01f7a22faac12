package fakeapi

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// control sends a control request and returns the answer.
func control(t *testing.T, url, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client(t).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func TestControl(t *testing.T) {
	s := start(t)
	url := listen(t, s.Control())
	do := func(method, path, body string) string {
		t.Helper()
		status, answer := control(t, url, method, path, body)
		if status != http.StatusOK {
			t.Errorf("%s %s %s: %d %s", method, path, body, status, answer)
		}
		return answer
	}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
		t.Fatal(err)
	}

	do("PUT", "/asset", `{"id":"re_1","name":"a.bin","size":1000,"etag":"auto","staleFor":"5s","readyAfter":"1h","faults":[{"times":1,"status":429,"retryAfter":"30","delay":"1ms"}]}`)
	do("POST", "/asset", `{"id":"re_2","text":"inline"}`)
	do("PUT", "/asset", `{"id":"re_3","base64":"AAEC"}`)
	do("PUT", "/asset", `{"id":"re_4","file":"`+file+`"}`)
	do("PUT", "/asset", `{"id":"re_5","text":""}`)

	a, ok := s.Asset("re_1")
	want := Asset{ID: "re_1", Name: "a.bin", Size: 1000, ETag: "auto", StaleFor: 5 * time.Second, ReadyAfter: time.Hour, Faults: []Fault{{Times: 1, Status: 429, RetryAfter: "30", Delay: time.Millisecond}}}
	if !ok || !reflect.DeepEqual(a, want) {
		t.Errorf("got %+v, want %+v", a, want)
	}
	var back Asset
	if err := json.Unmarshal([]byte(do("GET", "/asset/re_1", "")), &back); err != nil || !reflect.DeepEqual(back, want) {
		t.Errorf("GET /asset: %+v, %v", back, err)
	}
	s.get("re_1").wantHeader(t, "Retry-After", "30")
	s.get("re_1").wantBytes(t, 200, 0, 1000)
	for id, text := range map[string]string{"re_2": "inline", "re_3": "\x00\x01\x02", "re_4": "from a file", "re_5": ""} {
		if g := s.get(id); string(g.body) != text {
			t.Errorf("%s: %q, want %q", id, g.body, text)
		}
	}
	s.idle()

	if got, want := do("GET", "/billed", ""), "{\n  \"Acknowledged\": 0,\n  \"Billed\": 1020\n}\n"; got != want {
		t.Errorf("billed: %s", got)
	}
	if got, want := do("GET", "/refused", ""), "{\n  \"download\": 0,\n  \"list\": 0,\n  \"metadata\": 0\n}\n"; got != want {
		t.Errorf("refused: %s", got)
	}
	var log []Request
	if err := json.Unmarshal([]byte(do("GET", "/requests", "")), &log); err != nil || len(log) != 6 || log[0].Status != 429 || log[1].Bytes != 1000 {
		t.Errorf("requests: %+v, %v", log, err)
	}
	do("GET", "/idle", "")
	do("POST", "/reset", "")
	if n := len(s.Requests()); n != 0 {
		t.Errorf("%d requests after a reset", n)
	}
	do("DELETE", "/asset/re_1", "")
	s.get("re_1").wantError(t, 400, 400, "Asset not found")
}

func TestControlConfig(t *testing.T) {
	s := start(t)
	url := listen(t, s.Control())
	for _, body := range []string{
		`{"latency":"20ms","sendTimeout":"1m","norange":true,"faults":[{"status":500}]}`,
		`{"downloads":{"rates":"1/s","mode":"strict"},"metadata":{"rates":"1/s"}}`,
		`{"rate":5,"downloads":{"rates":"12/m"}}`, // other fields keep their value
	} {
		if status, answer := control(t, url, "PUT", "/config", body); status != 200 {
			t.Errorf("%s: %d %s", body, status, answer)
		}
	}
	want := Config{
		Latency: 20 * time.Millisecond, SendTimeout: time.Minute, NoRange: true, Rate: 5,
		Downloads: Limit{Rates: "12/m", Mode: "strict"}, Metadata: Limit{Rates: "1/s"},
		Faults: []Fault{{Status: 500}},
	}
	if got := s.Config(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if _, answer := control(t, url, "GET", "/config", ""); !strings.Contains(answer, `"Latency": "20ms"`) {
		t.Errorf("GET /config: %s", answer)
	}
	if status, _ := control(t, url, "PUT", "/config", `{"faults":[]}`); status != 200 || len(s.Config().Faults) != 0 {
		t.Errorf("faults stay: %d, %+v", status, s.Config().Faults)
	}
	want.Faults = s.Config().Faults

	for _, c := range [][3]string{
		{"PUT", "/config", `{"norange":false,"nonsense":1}`},
		{"PUT", "/config", `{"norange":false,"latency":"soon"}`},
		{"PUT", "/config", `{`},
		{"PUT", "/config", `{"norange":false,"downloads":{"rates":"often"}}`},
		{"PUT", "/config", `{"norange":false,"metadata":{"mode":"moody"}}`},
		{"PUT", "/asset", `{"name":"no ID"}`},
		{"PUT", "/asset", `{"id":"re_1","faults":[{"nonsense":1}]}`},
		{"PUT", "/asset", `{"id":"re_1","faults":[{"form":"nonsense"}]}`},
		{"PUT", "/asset", `{"id":"re_1","staleFor":"soon"}`},
		{"PUT", "/asset", `{"id":"re_1","file":"/nonexistent/file"}`},
		{"GET", "/asset/re_1", ""},
	} {
		if status, answer := control(t, url, c[0], c[1], c[2]); status != 400 || answer == "" {
			t.Errorf("%v: %d %q, want 400 and a line", c, status, answer)
		}
	}
	if got := s.Config(); !reflect.DeepEqual(got, want) {
		t.Errorf("a bad request has changed the settings: %+v", got)
	}
}
