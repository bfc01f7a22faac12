package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// resource is a metadata answer as the API's documentation shows it.
func resource(fields string) string {
	return `{"code":200,"msg":"success","data":{"total":1,"resource":[{` + fields + `}]},"success":true,"failed":false}`
}

const okFields = `"extension":"mp4","asset_id":"re_1","original_filename":"3","file_size":"133652816",` +
	`"upload_status":"SUCCESS","create_time":"1766989317192","modify_time":"1766989317193"`

func TestMetadata(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		want       Info
	}{
		{"documented", resource(okFields), Info{Name: "3.mp4", Size: 133652816, ModTime: time.UnixMilli(1766989317193)}},
		{"numbers", resource(`"asset_id":"re_1","original_filename":"a.MP4","extension":".mp4","file_size":5,"create_time":7`), Info{Name: "a.MP4", Size: 5, ModTime: time.UnixMilli(7)}},
		{"nonsense", resource(`"asset_id":"re_1","original_filename":"../x\u0000y","file_size":"-1","modify_time":"soon"`), Info{Name: "../x\x00y", Size: -1}},
		{"nothing", resource(`"asset_id":"re_1","file_size":null`), Info{Size: -1}},
		{"second", resource(`"asset_id":"re_2","file_size":"9"},{` + okFields), Info{Name: "3.mp4", Size: 133652816, ModTime: time.UnixMilli(1766989317193)}},
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

func TestMetadataErrors(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		status     int
		is         error
		number     int
		notFound   bool
		says       string
	}{
		{"unknown asset", `{"code":400,"msg":"Asset not found","success":false}`, 400, nil, 400, true, "Asset not found"},
		{"unknown asset as 404", `{"code":404,"msg":"Asset not found","success":false}`, 404, nil, 404, true, "Asset not found"},
		{"error on 200", `{"code":"0401","msg":"expired","success":false}`, 200, nil, 401, false, "expired"},
		{"empty list", `{"code":200,"data":{"total":0,"resource":[]},"success":true}`, 200, nil, 0, true, "does not list"},
		{"uploading", resource(`"asset_id":"re_1","upload_status":"UPLOADING"`), 200, ErrUploading, 0, false, "not finished"},
		{"html", `<html>`, 200, ErrMalformed, 0, false, "can't be read"},
		{"no data", `{"code":200,"data":null,"success":true}`, 200, ErrMalformed, 0, false, "without data"},
		{"no content", ``, 204, ErrMalformed, 0, false, "204"},
		{"server error", `<html>`, 500, nil, 500, false, "500"},
		{"no such route", `404 page not found`, 404, ErrNoMetadata, 404, true, "no metadata call"},
		{"no such route, html", `<html>Not found`, 404, ErrNoMetadata, 404, true, "no metadata call"},
		{"no such route, framework", `{"status":404,"error":"Not Found","message":"Not Found"}`, 404, ErrNoMetadata, 404, true, "no metadata call"},
		{"no such route, API", `{"code":404,"msg":"Not Found.","success":false}`, 404, ErrNoMetadata, 404, true, "no metadata call"},
		{"method", ``, 405, ErrNoMetadata, 405, false, "no metadata call"},
		{"not implemented", ``, 501, ErrNoMetadata, 501, false, "no metadata call"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			hits := 0
			c := start(t, func(w http.ResponseWriter, _ *http.Request) {
				hits++
				w.WriteHeader(tc.status)
				if tc.body != "" {
					_, _ = io.WriteString(w, tc.body)
				}
			}, Options{})
			for range 2 {
				_, err := c.Metadata(t.Context(), Reader, testID)
				e := failure(t, err)
				if tc.is != nil && !errors.Is(err, tc.is) || !strings.Contains(err.Error(), tc.says) {
					t.Errorf("got %v, want %v and %q", err, tc.is, tc.says)
				}
				if lacks := errors.Is(tc.is, ErrNoMetadata); !lacks && (e.Number() != tc.number || e.NotFound() != tc.notFound) {
					t.Errorf("%v: number %d, not found %v, want %d, %v", err, e.Number(), e.NotFound(), tc.number, tc.notFound)
				}
			}
			want := 2
			if errors.Is(tc.is, ErrNoMetadata) {
				want = 1 // remembered
			}
			if hits != want {
				t.Errorf("%d requests for two calls, want %d", hits, want)
			}
			c.ForgetFailures()
			_, _ = c.Metadata(t.Context(), Reader, testID)
			if hits != want+1 {
				t.Errorf("%d requests after SIGHUP, want %d", hits, want+1)
			}
		})
	}
}

// Eight at a time; one that waits for a place can be called off.
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

// A closed gate of a rate limit does not hold up what is free.
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
