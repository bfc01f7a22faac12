package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
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
		{&Error{Op: "download", ID: "re_1", Status: 402}, `download re_1: HTTP 402 Payment Required (recharge the account)`},
		{&Error{Op: "download", ID: "re_1", Status: 401, Msg: "expired"}, `download re_1: HTTP 401 Unauthorized, "expired" (is the key right? see --api-key-file)`},
		{&Error{Op: "download", ID: "re_1", Status: 400, Code: "9009"}, `download re_1: HTTP 400 Bad Request, code 9009 (may this key, and this address, use it?)`},
		{&Error{Op: "download", ID: "re_1", Err: ErrNoKey}, `download re_1: no API key (give one with --api-key-file or MEMORIES_API_KEY)`},
		{&Error{Op: "download", ID: "re_1", Err: &causeError{ErrUnreachable, errCut}}, `download re_1: host unreachable: connection cut (is the network up, and --base-url right?)`},
		{&Error{Op: "download", ID: "re_1", Status: 418, Err: errForeign, foreign: true}, `download re_1: HTTP 418 I'm a teapot: not an answer of the API (is there a proxy or a gateway in between?)`},
		{&Error{Op: "download", ID: "re_1", Status: 401, Err: errForeign, foreign: true}, `download re_1: HTTP 401 Unauthorized: not an answer of the API (is the key right? see --api-key-file)`},
		{&Error{Op: "download", ID: "re_1", Status: 511, Err: ErrUnreachable}, `download re_1: HTTP 511 Network Authentication Required: host unreachable`},
		{&Error{Op: "download", ID: "re_1", Err: ErrUnreachable, proxy: true}, `download re_1: host unreachable`},
		{&Error{Op: "download", ID: "re_1", Err: &proxyError{nil, errCut}, temporary: true}, `download re_1: a proxy: connection cut (are the network, HTTPS_PROXY and --base-url right?)`},
		{&Error{Op: "download", ID: "re_1", Err: &proxyError{nil, errCut}}, `download re_1: a proxy: connection cut`},
		{&Error{Op: "download", ID: "re_\xff", Status: 502}, `download re_\xff: HTTP 502 Bad Gateway`},
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
	if s := bounded("x" + e.Msg); !utf8.ValidString(s) || len(s) != maxText-1+len(ellipsis) {
		t.Errorf("cut inside a rune: %q", s)
	}
	if s := bounded(strings.Repeat("\x80", 1<<16)); len(s) != maxText-utf8.UTFMax+len(ellipsis) {
		t.Errorf("no runes: %d bytes", len(s))
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
		err      Error
		number   int
		requests int
		notFound bool
	}{
		{Error{Status: 400, Msg: "Asset not found"}, 400, 0, true},
		{Error{Status: 400, Msg: "Resource does not exist"}, 400, 0, true},
		{Error{Status: 400, Msg: "Request has exceeded the limit.", Err: ErrExceeded}, 400, 3, false},
		{Error{Status: 400, Code: "0429"}, 429, -1, false},
		{Error{Status: 400, Code: "429"}, 429, -1, false},
		{Error{Status: 400, Code: "0402", Msg: "wallet not found"}, 402, 0, false},
		{Error{Status: 400, Code: "404", Msg: "x"}, 404, 0, true},
		{Error{Status: 400, Code: "0000"}, 400, 0, false},
		{Error{Status: 400, Code: "9009"}, 403, 0, false},
		{Error{Status: 200, Code: "0001", Msg: "ASSET NOT FOUND"}, 400, 0, true},
		{Error{Status: 200, Code: "0003"}, 400, 0, false},
		{Error{Status: 200, Code: "400", Msg: "Asset not found"}, 400, 0, true},
		{Error{Status: 206, Code: "429"}, 429, -1, false},
		{Error{Status: 200, Code: "9009"}, 403, 0, false},
		{Error{Status: 200, Code: "0401", Msg: "key not found"}, 401, 0, false},
		{Error{Status: 402, Msg: "account does not exist"}, 402, 0, false},
		{Error{Status: 403, Msg: "Asset not found"}, 403, 0, true},
		{Error{Status: 403, Code: "0429"}, 403, 0, false},
		{Error{Status: 404}, 404, 0, true},
		{Error{Status: 404, foreign: true}, 0, 3, false},
		{Error{Status: 404, Msg: "page not found", foreign: true}, 0, 3, false},
		{Error{Status: 401, foreign: true}, 0, 3, false},
		{Error{Status: 400, foreign: true, asked: true}, 0, 2, false},
		{Error{Status: 410}, 410, 0, true},
		{Error{Status: 200, Code: "0429"}, 429, -1, false},
		{Error{Status: 200, Code: "429"}, 429, -1, false},
		{Error{Status: 429, Code: "400"}, 429, -1, false},
		{Error{Status: 429, Msg: "limit does not exist"}, 429, -1, false},
		{Error{Status: 408}, 408, -1, false},
		{Error{Status: 500, Msg: "page not found"}, 500, -1, false},
		{Error{Status: 200, Code: "0500"}, 500, -1, false},
		{Error{Status: 200, Code: "0000"}, 0, 0, false},
		{Error{Status: 200, Code: "-429"}, 0, 0, false},
		{Error{Status: 200, Code: "many"}, 0, 0, false},
		{Error{Status: 304}, 304, 0, false},
		{Error{Err: ErrNoKey}, 0, 0, false},
		{Error{Err: ErrUnreachable, temporary: true}, 0, -1, false},
	} {
		e := tc.err
		n, _ := e.Retry()
		if e.Number() != tc.number || n != tc.requests || e.NotFound() != tc.notFound {
			t.Errorf("%+v: number %d, %d requests, not found %v, want %d, %d, %v", e, e.Number(), n, e.NotFound(), tc.number, tc.requests, tc.notFound)
		}
	}
}

// A wait that ends says why it waited, for what, and how it ended, each once.
func TestWaitEnded(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(nil)
	gate := &Error{Op: "download", ID: "re_1", Status: 400, Code: "0429", Msg: "slow", RetryAfter: time.Minute}
	e := waiting(ctx, gate)
	if n, _ := e.Retry(); e.Number() != 429 || e.Msg != gate.Msg || e.RetryAfter != gate.RetryAfter || n != -1 {
		t.Errorf("%+v, worth %d requests", e, n)
	}
	const want = `gave up waiting after download re_1: HTTP 400 Bad Request, code 0429, "slow": context canceled`
	if e.Err.Error() != want || !errors.Is(e, context.Canceled) {
		t.Errorf("got  %v\nwant %s", e.Err, want)
	}
	if n, _ := waiting(ctx, &Error{Err: ErrUnreachable, temporary: true}).Retry(); n != -1 {
		t.Errorf("worth %d requests although the host may come back", n)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	cancel(errors.New("closed"))
	if e := waiting(ctx, nil); e.Err.Error() != "context canceled: closed" {
		t.Errorf("with a cause: %v", e.Err)
	}
}

// Retry-After applies to the asset; a rate limit does not.
func TestRetryWhen(t *testing.T) {
	const after = 30 * time.Second
	for _, tc := range []struct {
		err     Error
		after   time.Duration
		crowded bool
	}{
		{Error{Status: 503}, 0, true},
		{Error{Status: 200, Code: "503"}, 0, true},
		{Error{Status: 503, RetryAfter: after}, after, false},
		{Error{Status: 502, RetryAfter: after}, after, false},
		{Error{Status: 502}, 0, true},
		{Error{Status: 504}, 0, true},
		{Error{Status: 500}, 0, false},
		{Error{Status: 403}, 0, false},
		{Error{Status: 403, foreign: true}, 0, false},
		{Error{Status: 404, foreign: true}, 0, false},
		{Error{Status: 429, RetryAfter: after}, 0, false},
		{Error{Status: 400, Code: "0429", RetryAfter: after}, 0, false},
		{Error{Status: 402, RetryAfter: after}, 0, false},
		{Error{Status: 404, RetryAfter: after, foreign: true}, after, false},
		{Error{Status: 511, Err: ErrUnreachable}, 0, false},
		{Error{Status: 503, Err: ErrUnreachable}, 0, false},
		{Error{Err: &causeError{ErrUnreachable, syscall.ECONNREFUSED}}, 0, false},
		{Error{Err: &causeError{ErrUnreachable, syscall.ENETUNREACH}}, 0, false},
		{Error{Err: &causeError{errCut, syscall.ECONNRESET}}, 0, true},
		{Error{Err: &causeError{errCut, syscall.ECONNRESET}, proxy: true}, 0, false},
		{Error{Err: &causeError{errCut, syscall.ECONNRESET}, away: "elsewhere"}, 0, false},
		{Error{Err: io.ErrUnexpectedEOF}, 0, true},
		{Error{Err: ErrStalled}, 0, true},
	} {
		e := tc.err
		if _, d := e.Retry(); d != tc.after || e.Crowded() != tc.crowded {
			t.Errorf("%+v: after %v, crowded %v, want %v, %v", e, d, e.Crowded(), tc.after, tc.crowded)
		}
	}
}

// Which errors say that a host is in trouble, and which that metadata is not to be had.
func TestErrorSays(t *testing.T) {
	for _, tc := range []struct {
		err               Error
		troubles, nothing bool
	}{
		{Error{Status: 500}, true, false},
		{Error{Status: 500, plain: true}, false, false},
		{Error{Err: ErrStalled, temporary: true}, true, false},
		{Error{Err: ErrUploading, temporary: true}, false, false},
		{Error{Err: errDescriptors, temporary: true}, false, false},
		{Error{Err: ErrMalformed}, false, true},
		{Error{Status: 404}, false, true},
		{Error{Status: 404, foreign: true}, false, true},
		{Error{Status: 407, foreign: true}, false, false},
		{Error{Status: 200, foreign: true}, false, true},
		{Error{Status: 200, Code: "0402"}, false, false},
		{Error{Status: 400, Code: "0402"}, false, false},
		{Error{Status: 400, Code: "0403"}, false, true},
		{Error{Status: 304}, false, false},
	} {
		if e := tc.err; e.troubles() != tc.troubles || e.SaysNothing() != tc.nothing {
			t.Errorf("%+v: troubles %v, nothing %v, want %v, %v", e, e.troubles(), e.SaysNothing(), tc.troubles, tc.nothing)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const date = "Tue, 06 May 2025 07:08:00 GMT"
	for field, want := range map[string]time.Duration{
		"": 0, "30": 30 * time.Second, " 7 ": 7 * time.Second, "-1": 0, "1.5": 1500 * time.Millisecond, "120.0": 2 * time.Minute, "soon": 0, "0": 0,
		".": 0, "1e3": 0, "Inf": 0, "NaN": 0, "1.2.3": 0, "-0.5": 0, "5 s": 0, "0x10": 0, "5, 6": 0, strings.Repeat("9", 400): time.Hour,
		"999999999": time.Hour, "99999999999999999999999": time.Hour,
		"Tue, 06 May 2025 07:08:40 GMT": 40 * time.Second,
		"Tue, 06 May 2025 07:07:00 GMT": 0,
		"Tue, 06 May 2025 07:08:40 UTC": 40 * time.Second, "Tue, 06 May 2025 09:08:40 +0200": 40 * time.Second, "2025-05-06T07:08:40Z": 40 * time.Second,
		"Tue, 06 May 2035 07:07:00 GMT": time.Hour,
	} {
		h := http.Header{"Retry-After": {field}, "Date": {date}}
		if got := retryAfter(h); got != want {
			t.Errorf("Retry-After %q: %v, want %v", field, got, want)
		}
	}
	if got := retryAfter(http.Header{"Retry-After": {date}}); got != 0 {
		t.Errorf("a time long ago, without a Date: %v", got)
	}
}

// The text of a page is no message, and a gateway's code says no more than the status.
func TestErrorOf(t *testing.T) {
	for _, tc := range []struct{ body, kind, code, msg string }{
		{"<html>gone", "text/html", "", ""},
		{"gone\nfor good", "text/plain", "", "gone"},
		{`{"code":1,"msg":"x"}`, "text/plain", "1", "x"},
		{"<?xml version='1.0'?>\n<Error>\n <Code>ExpiredToken</Code><Message>The token has\nexpired.</Message><SignatureProvided>x</SignatureProvided></Error>", "application/xml; charset=UTF-8", "", "ExpiredToken The token has expired."},
		{"{\n  \"error\": {\n    \"code\": 404\n  }\n}\n", "application/json", "", `{ "error": { "code": 404 } }`},
		{"<?xml version='1.0'?><html>gone</html>", "application/xhtml+xml", "", ""},
		{`{"timestamp":1,"status":502,"error":"Bad Gateway"}`, "application/json", "", "Bad Gateway"},
		{`{"code":402,"success":false}`, "application/json", "402", ""},
		{"\x00\x01gone", "application/octet-stream", "", ""},
	} {
		resp := &http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{"Content-Type": {tc.kind}}, ContentLength: -1}
		e := errorOf(resp, bodyOf([]byte(tc.body)))
		if e.Code != tc.code || e.Msg != tc.msg {
			t.Errorf("%q: %+v, want code %q, msg %q", tc.body, e, tc.code, tc.msg)
		}
	}
}

// An error that was read counts even if nobody waits for it any more.
func TestErrorOfCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	body := bodyOf([]byte(`{"code":402,"msg":"x"}`))
	body.ctx = ctx
	if e := errorOf(&http.Response{StatusCode: http.StatusPaymentRequired, ContentLength: -1}, body); e.Msg != "x" {
		t.Error(e)
	}
}

// The text about a limit may be about one on values. With the status of a rate limit it is about that.
func TestExceeded(t *testing.T) {
	for status, want := range map[int]error{200: ErrExceeded, 400: ErrExceeded, 403: nil, 429: nil} {
		o := parseErrorObject([]byte(`{"code":"0001","msg":"Request has exceeded the limit.","data":null}`))
		if e := o.fault(&http.Response{StatusCode: status}); !errors.Is(e.Err, want) {
			t.Errorf("%d: %v", status, e)
		}
	}
}

func TestErrorObject(t *testing.T) {
	for _, tc := range []struct {
		body      string
		code, msg string
		is        string // those of object, api, bare, gateway, replaces that are true
	}{
		{`{"code":429,"msg":"slow","data":null,"success":false,"failed":true}`, "429", "slow", "object api bare replaces"},
		{`{"code":429,"msg":"slow","data":null}`, "429", "slow", "object api bare replaces"},
		{`{"code":"0429","msg":"slow","success":false}`, "0429", "slow", "object api bare replaces"},
		{"\ufeff {\"code\":1,\"msg\":null,\"failed\":true}\n", "1", "", "object api bare replaces"},
		{`{"code":200,"msg":"success","success":true,"failed":false}`, "200", "success", "object api bare replaces"},
		{`{"code":"0000","msg":"success","data":{"a":1}}`, "0000", "success", "object api bare replaces"},
		{`{"code":429,"msg":"slow","traceId":"x"}`, "429", "slow", "object api replaces"},
		{`{"code":"9009","msg":"no","traceId":"x"}`, "9009", "no", "object api replaces"},
		{`{"code":"0001","msg":"no","traceId":"x"}`, "0001", "no", "object api replaces"},
		{`{"code":1,"msg":"no","traceId":"x"}`, "1", "no", "object api"},
		{`{"code":429.0,"msg":"slow","traceId":"x"}`, "429", "slow", "object api replaces"},
		{`{"code":4.29e2,"msg":"slow"}`, "429", "slow", "object api bare replaces"},
		{`{"code":"429.0","msg":"slow","traceId":"x"}`, "429", "slow", "object api replaces"},
		{`{"code":" 0429 ","msg":"slow","traceId":"x"}`, "0429", "slow", "object api replaces"},
		{"{\"code\":500,\"msg\":\"a\nb\tc\",\"data\":null}\x00", "500", "a b c", "object api bare replaces"},
		{"{\"code\":500,\"msg\":\"\xff\"}", "500", "\ufffd", "object api bare replaces"},
		{`{"code":1.5,"msg":"x"}`, "1.5", "x", "object api bare replaces"},
		{`{"code":null,"msg":"oops","data":null,"success":false,"failed":true}`, "", "oops", "object api bare replaces"},
		{`{"code":"","msg":null,"success":"false"}`, "", "", "object api bare replaces"},
		{`{"code":true,"msg":"x","failed":true,"traceId":"x"}`, "", "x", "object api"},
		{`{"code":200,"msg":"hello","scene":[]}`, "200", "hello", "object api"},
		{`{"code":"DE","msg":"Deutschland","capital":"Berlin"}`, "DE", "Deutschland", "object api"},
		{`{"code":429,"success":false}`, "429", "", "object api bare"},
		{`{"code":429}`, "429", "", "object bare"},
		{`{"code":429,"message":"gateway"}`, "429", "gateway", "object"},
		{`{"msg":"x","success":false}`, "", "x", "object bare"},
		{`{"code":null,"msg":"x"}`, "", "x", "object bare"},
		{`{"message":"no route"}`, "", "no route", "object"},
		{`{}`, "", "", "object bare"},
		{`{"code":400,"msg":{"a":1},"success":false}`, "400", "", "object api bare replaces"},
		{`{"timestamp":"2025","path":"/serve/x","status":404,"error":"Not Found","requestId":"1-2"}`, "404", "Not Found", "object gateway replaces"},
		{`{"timestamp":1766989317192,"status":503,"error":"Service Unavailable","message":"down","path":"/x"}`, "503", "down", "object gateway replaces"},
		{`{"status":404,"error":"Not Found"}`, "", "", "object"},
		{`{"status":404,"error":"Not Found","path":"/x"}`, "404", "Not Found", "object gateway replaces"},
		{`{"status":404,"error":"Not Found","requestId":"1-2"}`, "404", "Not Found", "object gateway replaces"},
		{`{"code":null,"success":false}`, "", "", "object bare"},
		{`{"status":"404","error":"Not Found","path":"/x"}`, "", "", "object"},
		{`{"status":200,"error":"none","path":"/x"}`, "", "", "object"},
		{`{"timestamp":1,"status":404,"path":"/x"}`, "", "", "object"},
		{`{"code":"0402","timestamp":1,"status":404,"error":"Not Found"}`, "0402", "", "object"},
		{`{"msg":"no","timestamp":1,"status":404,"error":"Not Found"}`, "", "no", "object"},
		{`{"code":-1,"msg":"x","data":null}`, "-1", "x", "object api bare replaces"},
		{`{"code":0.0,"msg":"x"}`, "0", "x", "object api bare replaces"},
		{`{"code":0.0,"msg":"x"}`, "0", "x", "object api bare replaces"},
		{`{"code":1e300,"msg":"x"}`, "1e300", "x", "object api bare replaces"},
		{`{"code":1e400,"msg":"x"}`, "1e400", "x", "object api bare replaces"},
		{`{"code":400,"msg":"Asset not found","data":null} <!-- by cache1 -->`, "400", "Asset not found", "object api bare"},
		{`{"code":400,"msg":"Asset not found"}` + gateway, "400", "Asset not found", "object api bare"},
		{gateway + "x", "404", "Not Found", "object gateway"},
		{`{"code":400,"succ`, "", "", ""},
		{`[1]`, "", "", ""},
		{`null`, "", "", ""},
		{``, "", "", ""},
	} {
		o := parseErrorObject([]byte(tc.body))
		var is []string
		for name, holds := range map[string]bool{"object": o.object, "api": o.api, "bare": o.bare, "gateway": o.gateway, "replaces": o.replaces()} {
			if holds {
				is = append(is, name)
			}
		}
		want := strings.Fields(tc.is)
		slices.Sort(is)
		slices.Sort(want)
		if o.code != tc.code || o.msg != tc.msg || !slices.Equal(is, want) {
			t.Errorf("%q: code %q, msg %q, %v, want %q, %q, %v", tc.body, o.code, o.msg, is, tc.code, tc.msg, want)
		}
		if got := Impostor([]byte(tc.body)); got != slices.Contains(want, "replaces") {
			t.Errorf("Impostor(%q) = %v", tc.body, got)
		}
	}
}

func TestImpostor(t *testing.T) {
	for content, want := range map[string]bool{
		"<!DOCTYPE html><title>x": true, "\ufeff\n<!doctype HTML>": true, "<html>": true, "<HTML lang=de>": true, "<html\n>": true,
		"<!-- a --> <!-- b -->\n<html>": true, "<!-- a --><svg/>": false, "<!-- a": false, "<htmlx>": false, "<html": false,
		"<p align=center>readme</p>": false, "<?xml version='1.0'?>": false, "\x00\x00\x00 ftypmp42": false, "": false,
		`{"code":429,"msg":"` + strings.Repeat("x", maxErrorBody) + `"}`: false,
	} {
		if got := Impostor([]byte(content)); got != want {
			t.Errorf("Impostor(%.40q) = %v", content, got)
		}
	}
}

func TestCutObject(t *testing.T) {
	for b, want := range map[string]bool{
		`{"code":500,"msg":"x`: true, `{"code":500,"msg":`: true, `{"code":500,`: true, `{"code":500`: true, `{"msg":"x","code":"0429","da`: true,
		`{"code":5`: true, `{"code":`: false, `{"msg":"x`: false, `{"code":500,"frames":[`: false, `{"frames":1,"code":5,`: false,
		`{"code":500}`: false, `{"code":500,"msg":x`: false, "{\"code\":1}\n{\"code\":2}": false, `{`: false, ``: false, `[`: false, `["code",500,`: false, `{"code":500,"data":{"a":[1,`: true,
	} {
		if got := cutObject([]byte(b)).object; got != want {
			t.Errorf("cutObject(%q) = %v", b, got)
		}
	}
}

// bodyOf returns a body of unknown length that holds b.
func bodyOf(b []byte) *Body {
	body := &Body{c: &Client{o: Options{proxy: http.ProxyURL(nil)}}, ctx: context.Background(), life: context.Background(), rc: io.NopCloser(bytes.NewReader(b))}
	body.left.Store(-1)
	return body
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
		body := bodyOf(b)
		resp := &http.Response{StatusCode: status, Header: h, ContentLength: -1}
		e := errorOf(resp, body)
		if e.Status != status || len(e.Code) > maxCode || len(e.Msg) > maxText+3 {
			t.Fatalf("%q: %+v", b, e)
		}
		checkText(t, e)
		if n := e.Number(); status == 200 && n != 0 && (n < 400 || n > 599) {
			t.Errorf("%q: number %d", b, n)
		}

		// As the body of a 200 it is an error, or it reaches the reader whole.
		body = bodyOf(b)
		resp.StatusCode = http.StatusOK
		if e := impostor(resp, body, true); e != nil {
			checkText(t, e)
			return
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != string(b) {
			t.Errorf("judging lost bytes: %q became %q, %v", b, got, err)
		}
	})
}
