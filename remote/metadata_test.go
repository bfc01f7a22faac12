package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// resource is a metadata answer as in the API's documentation.
func resource(fields string) string {
	return `{"code":200,"msg":"success","data":{"total":1,"resource":[{` + fields + `}]},"success":true,"failed":false}`
}

const okFields = `"extension":"mp4","asset_id":"re_1","original_filename":"3","file_size":"133652816",` +
	`"upload_status":"SUCCESS","create_time":"1766989317192","modify_time":"1766989317193"`

func TestMetadata(t *testing.T) {
	full := Info{Name: "3.mp4", Size: 133652816, ModTime: time.UnixMilli(1766989317193)}
	for _, tc := range []struct {
		name, body string
		want       Info
	}{
		{"documented", resource(okFields), full},
		{"older", strings.Replace(resource(okFields), `"code":200`, `"code":"0000"`, 1), full},
		{"code as a string", strings.Replace(resource(okFields), `"code":200`, `"code":"200"`, 1), full},
		{"code of Java", strings.Replace(resource(okFields), `"code":200`, `"code":200.0`, 1), full},
		{"no flags", `{"code":200,"msg":"success","data":{"resource":[{` + okFields + `}]}}`, full},
		{"data alone", `{"data":{"resource":[{` + okFields + `}]}}`, full},
		{"byte order mark", "\ufeff" + resource(okFields), full},
		{"numbers", resource(`"asset_id":"re_1","original_filename":"a.MP4","extension":".mp4","file_size":5,"create_time":7`), Info{Name: "a.MP4", Size: 5, ModTime: time.UnixMilli(7)}},
		{"numbers of Java", resource(`"asset_id":"re_1","original_filename":3,"extension":"mp4","file_size":1.33652816E8,"create_time":"1.766989317193E12"`), full},
		{"nonsense", resource(`"asset_id":"re_1","original_filename":"../x\u0000y","file_size":"-1","modify_time":"soon"`), Info{Name: "../x\x00y", Size: -1}},
		{"objects", resource(`"asset_id":"re_1","original_filename":{},"file_size":[1],"upload_status":null,"modify_time":true`), Info{Size: -1}},
		{"more than an int64", resource(`"asset_id":"re_1","file_size":"99999999999999999999","modify_time":"99999999999999999999"`), Info{Size: -1}},
		{"more than an int64, of Java", resource(`"asset_id":"re_1","file_size":1e300`), Info{Size: -1}},
		{"less than nothing", resource(`"asset_id":"re_1","file_size":-5.0`), Info{Size: -1}},
		{"half a byte", resource(`"asset_id":"re_1","file_size":1.5`), Info{Size: -1}},
		{"nothing", resource(`"asset_id":"re_1","file_size":null`), Info{Size: -1}},
		{"second", resource(`"asset_id":"re_2","file_size":"9"},{` + okFields), full},
		{"lower case", resource(okFields[:len(okFields)-len(`"upload_status":"SUCCESS","create_time":"1766989317192","modify_time":"1766989317193"`)] + `"upload_status":"success","modify_time":1766989317193`), full},
	} {
		c := start(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/serve/api/v2/re_1/metadata" || r.Header.Get("Authorization") != testKey {
				t.Errorf("asked %s with %v", r.URL, r.Header)
			}
			_, _ = io.WriteString(w, tc.body)
		}, Options{})
		got, err := c.Metadata(t.Context(), Reader, testID)
		if err != nil || got != tc.want {
			t.Errorf("%s: %+v, %v, want %+v", tc.name, got, err, tc.want)
		}
		if s := c.Stats(); s.Requests != 0 || s.Bytes != 0 {
			t.Errorf("%s: billed %+v", tc.name, s)
		}
	}
}

// A redirected call is one call, whose sender is told once.
func TestMetadataRedirected(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/moved" {
			http.Redirect(w, r, "/moved", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, resource(`"asset_id":"re_1","file_size":"3","original_filename":"x"`))
	}, Options{})
	var told []bool
	_, err := c.Metadata(WithSent(t.Context(), func(sent bool) { told = append(told, sent) }), Reader, testID)
	if l := c.metadata.limiter; err != nil || !slices.Equal(told, []bool{false, true}) || l.times.pending != 0 || len(l.times.sent) != 1 {
		t.Errorf("%v, told %v, %d sent, %d pending", err, told, len(l.times.sent), l.times.pending)
	}
}

// A call that is refused waits for its turn again, and its sender is told so.
func TestMetadataSentAgain(t *testing.T) {
	hits := 0
	c := start(t, func(w http.ResponseWriter, _ *http.Request) {
		if hits++; hits == 1 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, resource(`"asset_id":"re_1","file_size":"3","original_filename":"x"`))
	}, Options{})
	var told []bool
	_, err := c.Metadata(WithSent(t.Context(), func(sent bool) { told = append(told, sent) }), Reader, testID)
	if err != nil || !slices.Equal(told, []bool{false, true, false, true}) {
		t.Errorf("%v, told %v", err, told)
	}
}

// Only the API's own statement that an asset does not exist counts as one. After any other failure callers go on with the
// download.
func TestMetadataErrors(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		status     int
		is         error
		number     int
		retry      int
		notFound   bool
		says       string
	}{
		{"unknown asset", `{"code":400,"msg":"Asset not found","success":false}`, 400, nil, 400, 0, true, "Asset not found"},
		{"unknown asset, newer", `{"code":400,"msg":"Asset not found","data":null}`, 400, nil, 400, 0, true, "Asset not found"},
		{"unknown asset on 404", `{"code":404,"msg":"Asset not found","success":false}`, 404, nil, 404, 0, true, "Asset not found"},
		{"unknown asset on 200", `{"code":400,"msg":"Asset not found","data":null}`, 200, nil, 400, 0, true, "Asset not found"},
		{"empty list", `{"code":200,"data":{"total":0,"resource":[]},"success":true}`, 200, nil, 404, 0, true, "does not list"},

		{"error on 200", `{"code":"0401","msg":"expired","success":false}`, 200, nil, 401, 0, false, "expired"},
		{"newer error on 200", `{"code":429,"msg":"slow","data":null}`, 200, nil, 429, -1, false, "slow"},
		{"error of a code that nobody knows", `{"code":1234,"msg":"odd","data":null}`, 200, nil, 0, 0, false, "code 1234"},
		{"error of a code that is no number", `{"code":"ODD","msg":"odd","data":null}`, 200, nil, 0, 0, false, "code ODD"},
		{"error in spite of its code", `{"code":200,"msg":"odd","success":false}`, 200, nil, 0, 0, false, "odd"},
		{"string code on 400", `{"code":"0429","msg":"slow"}`, 400, nil, 429, -1, false, "slow"},
		{"limit of something", `{"code":400,"msg":"Request has exceeded the limit."}`, 400, ErrExceeded, 400, 3, false, "exceeded"},
		{"denied", `{"code":403,"msg":"denied","data":null}`, 403, nil, 403, 0, false, "denied"},
		{"server error", `{"code":500,"msg":"oops","data":null}`, 500, nil, 500, -1, false, "oops"},
		{"unavailable", ``, 503, nil, 503, -1, false, "503"},

		{"waiting", resource(`"asset_id":"re_1","upload_status":"WAITING"`), 200, ErrUploading, 0, -1, false, "the upload is not finished: its status is WAITING"},
		{"uploading", resource(`"asset_id":"re_1","upload_status":"uploading"`), 200, ErrUploading, 0, -1, false, "UPLOADING"},
		{"failed upload", resource(`"asset_id":"re_1","upload_status":"FAILED"`), 200, nil, 0, 0, false, "upload status is FAILED"},
		{"unknown status", resource(`"asset_id":"re_1","upload_status":"\u001b[2J"`), 200, nil, 0, 0, false, `\x1b[2J`},

		{"gateway 404", gateway, 404, errForeign, 0, 3, false, "is --base-url right?"},
		{"gateway 404 on 200", gateway, 200, errForeign, 0, 3, false, "is --base-url right?"},
		{"gateway 503", `{"timestamp":1,"path":"/","status":503,"error":"Service Unavailable"}`, 503, nil, 503, -1, false, "503"},
		{"404 of a framework", `{"status":404,"error":"Not Found","message":"Not Found"}`, 404, errForeign, 0, 3, false, "404"},
		{"404 of nobody", ``, 404, nil, 0, 3, false, "404"},
		{"404 in html", `<html>Not found`, 404, errForeign, 0, 3, false, "404"},
		{"404 of the API on the call", `{"code":404,"msg":"Not Found.","success":false}`, 404, nil, 0, 3, false, "Not Found."},
		{"html 403", `<html>`, 403, errForeign, 0, 3, false, "403"},
		{"html 500", `<html>`, 500, nil, 500, -1, false, "500"},
		{"login page", `<html>`, 200, ErrUnreachable, 0, -1, false, "login page"},
		{"login wanted", `<html>`, 511, ErrUnreachable, 511, -1, false, "login page"},

		{"text", `hello`, 200, ErrMalformed, 0, 0, false, "can't be read"},
		{"list", `[]`, 200, ErrMalformed, 0, 0, false, "can't be read"},
		{"cut", resource(okFields)[:90], 200, ErrMalformed, 0, 0, false, "can't be read"},
		{"empty", ``, 200, ErrMalformed, 0, 0, false, "can't be read"},
		{"no data", `{"code":200,"data":null,"success":true}`, 200, ErrMalformed, 0, 0, false, "without data"},
		{"no list", `{"code":200,"data":{}}`, 200, ErrMalformed, 0, 0, false, "without a list"},
		{"another asset", resource(`"asset_id":"re_2","file_size":1`), 200, ErrMalformed, 0, 0, false, "another asset"},
		{"size of 2^60+1", resource(`"asset_id":"re_1","file_size":"1152921504606846977"`), 200, ErrMalformed, 0, 0, false, "bytes"},
		{"endless", `{"code":200,"data":"` + strings.Repeat("x", maxErrorBody) + `"}`, 200, ErrMalformed, 0, 0, false, "more than"},
		{"no content", ``, 204, ErrMalformed, 0, 0, false, "204"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			hits, status, body := 0, tc.status, tc.body
			c := start(t, func(w http.ResponseWriter, _ *http.Request) {
				hits++
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(status)
				if body != "" {
					_, _ = io.WriteString(w, body)
				}
			}, Options{})
			_, err := c.Metadata(t.Context(), Background, testID)
			e := failure(t, err)
			checkText(t, e)
			if tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %v and %q", err, tc.is, tc.says)
			}
			if n, _ := e.Retry(); e.Number() != tc.number || e.NotFound() != tc.notFound || n != tc.retry {
				t.Errorf("%v: number %d, not found %v, worth %d, want %d, %v, %d", err, e.Number(), e.NotFound(), n, tc.number, tc.notFound, tc.retry)
			}
			// When the server works again, the failure is forgotten.
			c.ForgetFailures() // opens the gate at once
			status, body = 200, resource(okFields)
			if i, err := c.Metadata(t.Context(), Reader, testID); err != nil || i.Size != 133652816 || hits != 2 {
				t.Errorf("afterwards %+v, %v after %d requests", i, err, hits)
			}
		})
	}
}

// Servers of scripts send JSON as HTML.
func TestMetadataAsHTML(t *testing.T) {
	c, _ := raw(t, reply(200, "Content-Type: text/html; charset=UTF-8\r\n", resource(okFields)))
	if i, err := c.Metadata(t.Context(), Reader, testID); err != nil || i.Size != 133652816 {
		t.Errorf("%+v, %v", i, err)
	}
}

// An answer that breaks off is trouble on the way, whatever its beginning says.
func TestMetadataCut(t *testing.T) {
	for _, body := range []string{resource(okFields), resource(okFields)[:90], ""} {
		c, _ := raw(t, reply(200, "Content-Length: 1000\r\n", body))
		_, err := c.Metadata(t.Context(), Reader, testID)
		if n, _ := failure(t, err).Retry(); !errors.Is(err, io.ErrUnexpectedEOF) || n >= 0 {
			t.Errorf("%q: %v", body, err)
		}
	}
}

// An answer that never ends ends the call, at last.
func TestMetadataStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.WriteString(w, `{"code":200,`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, Options{ResponseTimeout: 5 * time.Second})
		defer stop()
		began := time.Now()
		_, err := c.Metadata(t.Context(), Background, testID)
		if took := time.Since(began); err == nil || took != 5*time.Second {
			t.Errorf("after %v: %v", took, err)
		}
	})
}

// Where the call was sent on to, the error says.
func TestMetadataAway(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusFound)
	}, Options{})
	if _, err := c.Metadata(t.Context(), Background, testID); err == nil || !strings.Contains(err.Error(), "the API redirects to 127.0.0.1:1") {
		t.Errorf("got %v", err)
	}
}

// TestNoMetadataCall tests when the call is taken to be absent, and for how long. Each case has the answers to one call after
// the other, and the error of the last.
func TestNoMetadataCall(t *testing.T) {
	const well, away = "200 well", "404 " + gateway
	const unknown = `400 {"code":400,"msg":"Asset not found"}`
	for _, tc := range []struct {
		name    string
		answers []string
		absent  bool
	}{
		{"no static resource", []string{"404 " + noRoute}, true},
		{"no static resource on 200", []string{"200 " + noRoute}, true},
		{"no static resource on 500", []string{"500 " + noRoute}, true},
		{"method", []string{"405 "}, true},
		{"method, of the API", []string{`200 {"code":405,"msg":"method not allowed","data":null}`}, true},
		{"method, as a page", []string{"405 <html>"}, true},
		{"not implemented", []string{"501 "}, true},
		{"gateway, twice", []string{away, away}, false},
		{"gateway, three times", []string{away, away, away}, true},
		{"pages, three times", []string{"404 <html>", "404 ", `404 {"code":404,"msg":"Not Found"}`}, true},
		{"an answer between", []string{away, away, well, away, away}, false},
		{"an unknown asset between", []string{away, away, unknown, away, away}, false},
		{"an error of the API between", []string{away, away, `500 {"code":500,"msg":"oops"}`, away, away}, false},
		{"a 503 of the gateway between", []string{away, away, "503 ", away}, true},
		{"unknown assets", []string{unknown, unknown, unknown, unknown}, false},
		{"unknown assets on 404", slices.Repeat([]string{`404 {"code":404,"msg":"Asset not found"}`}, 4), false},
		{"server errors", []string{"500 ", "500 ", "502 ", "503 "}, false},
		{"a downloaded asset, once", []string{"download", away}, false},
		{"a downloaded asset, twice", []string{"download", away, away}, true},
		{"a downloaded asset that is unknown", []string{"download", unknown}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			next, hits := "", 0
			c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.URL.Path, "/download") {
					attach(w, "x")
					return
				}
				hits++
				if next == well {
					_, _ = io.WriteString(w, resource(okFields))
					return
				}
				status, _ := strconv.Atoi(next[:3])
				w.WriteHeader(status)
				_, _ = io.WriteString(w, next[4:])
			}, Options{})
			defer stop()
			var err error
			calls := 0
			for _, next = range tc.answers {
				if next == "download" {
					_, _, err = fetch(t, c, Request{})
					continue
				}
				calls++
				_, err = c.Metadata(t.Context(), Reader, testID)
			}
			if errors.Is(err, ErrNoMetadata) != tc.absent || hits != calls {
				t.Errorf("%s: %v after %d requests, want absent %v after %d", tc.name, err, hits, tc.absent, calls)
			}
			next = well
			_, err = c.Metadata(t.Context(), Reader, testID)
			if errors.Is(err, ErrNoMetadata) != tc.absent || tc.absent && hits != calls {
				t.Errorf("%s: then %v after %d requests", tc.name, err, hits)
			}
			if tc.absent {
				time.Sleep(absentFor)
			}
			if _, err = c.Metadata(t.Context(), Reader, testID); err != nil {
				t.Errorf("%s: once the server is well: %v", tc.name, err)
			}
		})
	}
	c := start(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotImplemented) }, Options{})
	_, _ = c.Metadata(t.Context(), Reader, testID)
	c.ForgetFailures()
	if _, err := c.Metadata(t.Context(), Reader, testID); failure(t, err).Status != http.StatusNotImplemented {
		t.Errorf("after SIGHUP: %v, want a new answer", err)
	}
}

func FuzzMetadata(f *testing.F) {
	for _, s := range []string{
		resource(okFields), resource(`"asset_id":"re_1","file_size":9e18,"create_time":1e300`), resource(`"asset_id":"re_1","upload_status":"WAITING"`),
		`{"code":"0000","data":{"resource":[]}}`, noRoute, gateway, `{"data":{"resource":null}}`, "<html>", "\ufeffnull", "",
	} {
		f.Add([]byte(s), 200)
		f.Add([]byte(s), 404)
	}
	f.Fuzz(func(t *testing.T, b []byte, status int) {
		resp := &http.Response{StatusCode: status, Header: http.Header{}, ContentLength: -1}
		answer, e := answerOf(resp, bodyOf(b), maxErrorBody)
		if e == nil {
			var i Info
			if i, e = parseMetadata(answer, testID); e == nil {
				if i.Size < -1 || i.Size > maxSize {
					t.Errorf("%q: %+v", b, i)
				}
				return
			}
		}
		checkText(t, e)
		if n, _ := e.Retry(); n < -1 || n > triesOfDoubt || e.NotFound() && n != 0 {
			t.Errorf("%q: %v is worth %d requests, not found %v", b, e, n, e.NotFound())
		}
		if again := new(metadataCall).judged(testID, e); again == nil {
			t.Errorf("%q: no error any more", b)
		}
	})
}

// At most eight run at a time. One that waits can be cancelled.
func TestMetadataAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var now, hits atomic.Int64
		var mu sync.Mutex // guards most
		var most int64
		c, _, stop := bubble(t, func(w http.ResponseWriter, _ *http.Request) {
			hits.Add(1)
			n := now.Add(1)
			defer now.Add(-1)
			mu.Lock()
			most = max(most, n)
			mu.Unlock()
			time.Sleep(time.Second)
			_, _ = io.WriteString(w, resource(okFields))
		}, Options{})
		defer stop()
		began := time.Now()
		var wg sync.WaitGroup
		for range 40 {
			wg.Go(func() {
				if _, err := c.Metadata(t.Context(), Reader, testID); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second/2)
		defer cancel()
		if _, err := c.Metadata(ctx, Reader, testID); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		wg.Wait()
		if most != 8 || hits.Load() != 40 || time.Since(began) != 6*time.Second {
			t.Errorf("%d calls, %d at once, in %v, want 40, 8, 6 s: the first goes alone", hits.Load(), most, time.Since(began))
		}
	})
}

// The closed gate of downloads does not hold up free calls.
func TestMetadataPassesRateLimit(t *testing.T) {
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/metadata") {
			_, _ = fmt.Fprint(w, resource(okFields))
			return
		}
		w.WriteHeader(http.StatusTooManyRequests)
	}, Options{})
	if _, err := c.Download(t.Context(), Request{ID: testID, Class: Background}); !errors.Is(err, ErrNoSlot) {
		t.Fatalf("a refused background download: %v, want ErrNoSlot", err)
	}
	if _, err := c.Metadata(t.Context(), Reader, testID); err != nil {
		t.Errorf("metadata: %v", err)
	}
	if b := c.Budget(Reader); b.Down == nil {
		t.Error("a metadata call opened the gate")
	}
}

// A time after the year 9999, which no file system can hold, is ignored.
func TestMetadataTime(t *testing.T) {
	const created = 1766989317192
	for modified, want := range map[string]int64{"253402300799999": 253402300799999, "253402300800000": created, "4611686018427387904": created, "-5": created} {
		i, err := parseMetadata([]byte(`{"code":200,"data":{"resource":[{"asset_id":"re_1","create_time":"1766989317192","modify_time":"`+modified+`"}]}}`), "re_1")
		if err != nil || i.ModTime.UnixMilli() != want {
			t.Errorf("modified %s: %v, %v", modified, i.ModTime, err)
		}
	}
}
