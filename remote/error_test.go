package remote

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

func TestErrorText(t *testing.T) {
	for _, tc := range []struct {
		err  *Error
		want string
	}{
		{
			&Error{Op: "download", ID: "re_1", Status: 402, Code: "0402", Msg: "Insufficient balance."},
			`download re_1: HTTP 402 Payment Required, code 0402, "Insufficient balance."`,
		},
		{&Error{Op: "download", ID: "re_1", Status: 502}, `download re_1: HTTP 502 Bad Gateway`},
		{&Error{Op: "metadata", ID: "re_1", Err: ErrNoMetadata}, `metadata re_1: the API has no metadata call`},
		{&Error{Op: "download", ID: "re_1", Status: 206, Err: ErrMalformed}, `download re_1: HTTP 206 Partial Content: malformed response`},
		{
			&Error{Op: "download", ID: "re_1", Status: 599, Msg: "\x1b[2J\u202egpj.\nERROR forged=1"},
			`download re_1: HTTP 599, "\x1b[2J\u202egpj.\nERROR forged=1"`,
		},
		{
			&Error{Op: "download", ID: "re\n1", Code: "\x07", Err: errors.New("bad line: \x1b]0;x\x07")},
			`download re\n1: code \a: bad line: \x1b]0;x\a`,
		},
	} {
		if got := tc.err.Error(); got != tc.want {
			t.Errorf("got  %s\nwant %s", got, tc.want)
		}
	}
}

func TestErrorTextBounded(t *testing.T) {
	e := &Error{Op: "download", ID: "re_1", Status: 400, Msg: strings.Repeat("ü", 1<<16), Err: errors.New(strings.Repeat("\x00", 1<<16))}
	checkText(t, e)
	if !strings.Contains(e.Error(), "ü...") {
		t.Errorf("cut inside a rune: %s", e)
	}
}

// checkText fails unless e.Error() is one short line of printable text.
func checkText(tb testing.TB, e *Error) {
	tb.Helper()
	s := e.Error()
	if len(s) > 10*maxText || !utf8.ValidString(s) ||
		strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		tb.Errorf("not one short printable line: %d bytes, %.200q", len(s), s)
	}
}

func TestErrorKinds(t *testing.T) {
	for _, tc := range []struct {
		err       Error
		number    int
		temporary bool
		notFound  bool
	}{
		{Error{Status: 400, Msg: "Asset not found"}, 400, false, true},
		{Error{Status: 400, Msg: "Resource does not exist"}, 400, false, true},
		{Error{Status: 400, Msg: "Request has exceeded the limit."}, 400, false, false},
		{Error{Status: 200, Code: "0001", Msg: "ASSET NOT FOUND"}, 400, false, true},
		{Error{Status: 200, Code: "0003"}, 400, false, false},
		{Error{Status: 200, Code: "400", Msg: "Asset not found"}, 400, false, true},
		{Error{Status: 200, Code: "9009"}, 403, false, false},
		{Error{Status: 200, Code: "0401", Msg: "key not found"}, 401, false, false},
		{Error{Status: 402, Msg: "account does not exist"}, 402, false, false},
		{Error{Status: 403, Msg: "Asset not found"}, 403, false, true},
		{Error{Status: 404}, 404, false, true},
		{Error{Status: 410}, 410, false, true},
		{Error{Status: 200, Code: "0429"}, 429, true, false},
		{Error{Status: 200, Code: "429"}, 429, true, false},
		{Error{Status: 429, Code: "400"}, 429, true, false},
		{Error{Status: 408}, 408, true, false},
		{Error{Status: 500, Msg: "page not found"}, 500, true, false},
		{Error{Status: 200, Code: "0500"}, 500, true, false},
		{Error{Status: 200, Code: "0000"}, 0, false, false},
		{Error{Status: 200, Code: "-429"}, 0, false, false},
		{Error{Status: 200, Code: "many"}, 0, false, false},
		{Error{Status: 304}, 304, false, false},
		{Error{Err: ErrNoKey}, 0, false, false},
	} {
		e := tc.err
		if n, tmp, nf := e.Number(), e.Temporary(), e.NotFound(); n != tc.number || tmp != tc.temporary || nf != tc.notFound {
			t.Errorf("%+v: number %d, temporary %v, not found %v, want %d, %v, %v", e, n, tmp, nf, tc.number, tc.temporary, tc.notFound)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Tue, 06 May 2025 07:08:00 GMT"
	for field, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 0, "soon": 0, "0": 0,
		"999999999": time.Hour, "99999999999999999999999": time.Hour,
		"Tue, 06 May 2025 07:08:40 GMT": 40 * time.Second,
		"Tue, 06 May 2025 07:07:00 GMT": 0,
		"Tue, 06 May 2035 07:07:00 GMT": time.Hour,
	} {
		h := http.Header{"Retry-After": {field}, "Date": {date}}
		if got := retryAfter(h); got != want {
			t.Errorf("Retry-After %q: %v, want %v", field, got, want)
		}
	}
}

func TestErrorObject(t *testing.T) {
	for _, tc := range []struct {
		body string
		want errorObject
	}{
		{`{"code":429,"msg":"slow","data":null,"success":false,"failed":true}`, errorObject{true, true, "429", "slow"}},
		{`{"code":"0429","msg":"slow","success":false}`, errorObject{true, true, "0429", "slow"}},
		{"\ufeff {\"code\":1,\"failed\":true}\n", errorObject{true, true, "1", ""}},
		{`{"code":200,"msg":"success","success":true,"failed":false}`, errorObject{true, false, "200", "success"}},
		{`{"msg":"x","success":false}`, errorObject{true, false, "", "x"}},
		{`{"code":null,"success":false}`, errorObject{true, false, "", ""}},
		{`{"message":"no route"}`, errorObject{true, false, "", "no route"}},
		{`{"code":400,"success":"false"}`, errorObject{true, false, "400", ""}},
		{`{"code":400,"msg":{"a":1},"success":false}`, errorObject{true, true, "400", ""}},
		{`{"code":400,"success":false} trailing`, errorObject{}},
		{`{"code":400,"succ`, errorObject{}},
		{`[1]`, errorObject{}},
		{`null`, errorObject{}},
		{``, errorObject{}},
	} {
		if got := parseErrorObject([]byte(tc.body)); got != tc.want {
			t.Errorf("%q: %+v, want %+v", tc.body, got, tc.want)
		}
	}
}

func FuzzErrorBody(f *testing.F) {
	for _, s := range []string{
		`{"code":429,"msg":"Request has exceeded the limit.","data":null,"success":false,"failed":true}`,
		`{"code":"0402","msg":"Insufficient balance","success":false}`,
		`{"code":1e400,"success":false}`, `{"code":-0,"failed":true,"msg":"\u001b[31m\ud800"}`,
		`{"code":400,"success":false`, "\ufeff{}", `null`, `"x"`, strings.Repeat("[", 20000), "<html>", "",
	} {
		f.Add([]byte(s), 200, "application/json")
		f.Add([]byte(s), 500, "text/plain")
	}
	f.Fuzz(func(t *testing.T, b []byte, status int, kind string) {
		h := http.Header{"Content-Type": {kind}}
		body := &Body{ctx: context.Background(), life: context.Background(), rc: io.NopCloser(strings.NewReader(string(b))), left: -1}
		resp := &http.Response{StatusCode: status, Header: h, ContentLength: -1}
		e, fail := errorOf(resp, body)
		if fail != nil || e.Status != status || len(e.Code) > maxCode || len(e.Msg) > maxText+3 {
			t.Fatalf("%q: %+v, %v", b, e, fail)
		}
		checkText(t, e)
		if n := e.Number(); status == 200 && n != 0 && (n < 400 || n > 599) {
			t.Errorf("%q: number %d", b, n)
		}

		// As the body of a 200 it is an error, or it reaches the reader whole.
		body = &Body{c: &Client{}, ctx: context.Background(), life: context.Background(), rc: io.NopCloser(strings.NewReader(string(b))), left: -1}
		resp.StatusCode = http.StatusOK
		if e := impostor(resp, body); e != nil {
			checkText(t, e)
			return
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != string(b) {
			t.Errorf("judging lost bytes: %q became %q, %v", b, got, err)
		}
	})
}
