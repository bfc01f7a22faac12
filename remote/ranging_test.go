package remote

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// refusing is a server that refuses each Range, and answers requests without Range with ten bytes. Of assets whose ID ends in
// 9 it sends parts. It counts requests.
func refusing(t *testing.T, status int, body string, o Options) (c *Client, count func() int) {
	t.Helper()
	hits := make(chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits <- struct{}{}
		if r.Header.Get("Range") != "" && !strings.Contains(r.URL.Path, "9/") {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
			return
		}
		w.Header().Set("Content-Disposition", `attachment; filename="x"`)
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader("0123456789"))
	}))
	t.Cleanup(srv.Close)
	n := 0
	return newTestClient(t, srv.URL, o), func() int {
		for len(hits) > 0 {
			<-hits
			n++
		}
		return n
	}
}

// The request without Range waits for its turn again, and whoever asks is told so.
func TestSentAgain(t *testing.T) {
	c, count := refusing(t, 400, "", Options{})
	var told []bool
	resp, err := c.Download(WithSent(t.Context(), func(sent bool) { told = append(told, sent) }), Request{ID: "re_1"})
	if err == nil {
		_ = resp.Body.Close()
	}
	if n := len(told); err != nil || count() != 2 || n < 3 || !slices.Equal(told[n-3:], []bool{true, false, true}) {
		t.Errorf("%v, %v", told, err)
	}
}

// Spring refuses ranges of what is empty, or a stream, with an exception, which the API's error handler answers like any other
// (measured with Spring 4.3). That an asset is missing or a limit exceeded says nothing of ranges.
func TestRangeRefusedInWordsOfAPI(t *testing.T) {
	const stream = `{"code":%s,"msg":"Cannot convert an InputStreamResource to a ResourceRegion","data":null,"success":false,"failed":true}`
	for name, tc := range map[string]struct {
		status, requests int // the latter until the asset is there; 0: it never is
		body             string
	}{
		"400":               {400, 2, fmt.Sprintf(stream, "400")},
		"0001 on 200":       {200, 2, fmt.Sprintf(stream, `"0001"`)},
		"empty":             {400, 2, `{"code":400,"msg":"Resource content length should be > 0","data":null}`},
		"500":               {500, triesOfDoubt + 1, `{"code":500,"msg":"InputStream has already been read","data":null}`},
		"500 on 200":        {200, triesOfDoubt + 1, `{"code":500,"msg":"InputStream has already been read","data":null}`},
		"missing":           {400, 0, `{"code":400,"msg":"Asset not found","data":null}`},
		"missing on 200":    {200, 0, `{"code":"0001","msg":"Resource does not exist","data":null}`},
		"too many":          {400, 0, `{"code":400,"msg":"Request has exceeded the limit.","data":null}`},
		"no money":          {200, 0, `{"code":402,"msg":"Insufficient balance","data":null}`},
		"not allowed":       {403, 0, `{"code":403,"msg":"Forbidden","data":null}`},
		"not allowed, 9009": {400, 0, `{"code":"9009","msg":"Forbidden","data":null}`},
	} {
		t.Run(name, func(t *testing.T) {
			c, count := refusing(t, tc.status, tc.body, Options{})
			made := 0
			for try := range triesOfDoubt {
				resp, err := c.Download(t.Context(), Request{ID: "re_1"})
				if made = count(); err == nil {
					_ = resp.Body.Close()
					if made != tc.requests {
						t.Errorf("after %d requests, want %d", made, tc.requests)
					}
					return
				}
				if tc.requests == 0 && made != try+1 {
					t.Errorf("%d requests for %d tries", made, try+1)
				}
			}
			if tc.requests > 0 {
				t.Errorf("no asset after %d requests", made)
			}
		})
	}
}

// What is refused for its range alone, and what is empty, says nothing of other ranges.
func TestRangeRefusedHere(t *testing.T) {
	for status, size := range map[int]int{http.StatusRequestedRangeNotSatisfiable: 5, http.StatusForbidden: 0} {
		hits, parts := 0, 0
		c := start(t, func(w http.ResponseWriter, r *http.Request) {
			hits++
			from := r.Header.Get("Range")
			if from == "bytes=9-" {
				w.WriteHeader(status)
				return
			}
			if from != "" {
				parts++
			}
			attach(w, "x")
			_, _ = w.Write(make([]byte, size))
		}, Options{})
		for i := range severalAssets {
			for _, start := range []int64{9, 1} {
				if _, body, err := fetch(t, c, Request{ID: fmt.Sprint("re_", i), Start: start}); err != nil || len(body) != size {
					t.Errorf("%d: %d bytes, %v", status, len(body), err)
				}
			}
		}
		if hits != 3*severalAssets || parts != severalAssets {
			t.Errorf("%d: %d requests, %d of them for another range, want %d and %d", status, hits, parts, 3*severalAssets, severalAssets)
		}
	}
}

// An asset that was sent in part may get shorter, which a 416 says at once. A 500 says nothing of its ranges, however often.
func TestPartsWorked(t *testing.T) {
	part := reply(206, attachment+"Content-Range: bytes 4-9/10\r\n", "456789")
	c, hits := raw(t, part, reply(416, "Content-Range: bytes */3\r\n", ""), reply(200, attachment+"Content-Length: 3\r\n", "012"))
	for _, want := range []string{"456789", "012"} {
		if _, body, err := fetch(t, c, Request{Start: 4}); err != nil || body != want {
			t.Errorf("%q, %v, want %q", body, err, want)
		}
	}
	if n := hits.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
	c, hits = raw(t, part, reply(500, "", ""))
	for n := range 1 + triesOfDoubt {
		if _, _, err := fetch(t, c, Request{Start: 4}); (err != nil) != (n > 0) {
			t.Errorf("request %d: %v", n, err)
		}
	}
	if n := hits.Load(); n != 1+triesOfDoubt {
		t.Errorf("%d requests, want %d", n, 1+triesOfDoubt)
	}
}

// Trouble that meets the request without Range as well says nothing of ranges: the next one has its range again, and does not
// bring the whole asset.
func TestTroubleIsNoRefusal(t *testing.T) {
	c, hits := raw(t, reply(403, "", "<html>"), reply(403, "", "<html>"), reply(206, attachment+"Content-Range: bytes 4-9/10\r\n", "456789"))
	if _, _, err := fetch(t, c, Request{Start: 4}); err == nil || hits.Load() != 2 {
		t.Fatalf("%v after %d requests", err, hits.Load())
	}
	if resp, body, err := fetch(t, c, Request{Start: 4}); err != nil || body != "456789" || !resp.Partial {
		t.Errorf("%q of %+v, %v", body, resp, err)
	}
}

// A request without Range that got no answer is made again, not the one with it.
func TestPlainIsOwed(t *testing.T) {
	refusal := reply(403, "", "<html>")
	c, hits := raw(t, refusal, "", reply(200, attachment+"Content-Length: 10\r\n", "0123456789"))
	for n, want := range []int64{2, 3} {
		if _, _, err := fetch(t, c, Request{Start: 4}); (err != nil) != (n == 0) || hits.Load() != want {
			t.Errorf("request %d: %v, %d in all, want %d", n, err, hits.Load(), want)
		}
	}
	if c.ranging.refusal(testID) == nil {
		t.Error("the answer to it, which was asked for because of the refusal, is forgotten")
	}
}

// What a program asks for without Range, in vain, says nothing of ranges either.
func TestPlainFailureIsNoRefusal(t *testing.T) {
	var sent []string
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Header.Get("Range"))
		switch {
		case r.Header.Get("Range") != "":
			w.WriteHeader(http.StatusForbidden)
		case len(sent) == 3:
			panic(http.ErrAbortHandler)
		default:
			attach(w, "x")
			_, _ = io.WriteString(w, "0123456789")
		}
	}, Options{})
	for i, r := range []Request{{End: 5}, {NoRange: true}, {End: 5}} {
		if _, _, err := fetch(t, c, r); (err != nil) != (i == 1) {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if !slices.Equal(sent, []string{"bytes=0-4", "", "", ""}) {
		t.Errorf("requests for %q", sent)
	}
}

// After a while ranges are tried again, whatever was downloaded in between.
func TestRangesRefusedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hits := 0
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			hits++
			if r.Header.Get("Range") != "" {
				w.WriteHeader(http.StatusForbidden)
				return
			}
			attach(w, "x")
			_, _ = io.WriteString(w, "0123456789")
		}, Options{})
		defer stop()
		for _, tc := range []struct {
			id    string
			after time.Duration
			want  int
		}{{"re_1", 0, 2}, {"re_1", refusedFor / 2, 1}, {"re_1", refusedFor / 2, 2}, {"re_1", refusedFor, 2}, {"re_1", refusedFor, 2}, {"re_2", 0, 2}, {"re_3", 0, 2}, {"re_4", refusedFor / 2, 1}, {"re_5", refusedFor / 2, 2}} {
			time.Sleep(tc.after)
			before := hits
			if _, _, err := fetch(t, c, Request{ID: tc.id, Start: 4}); err != nil || hits-before != tc.want {
				t.Errorf("%s: %v after %d requests, want %d", tc.id, err, hits-before, tc.want)
			}
		}
	})
}

// A 500 is seldom about the range. The third one in a row is taken for that, of an asset of which no part was sent.
func TestRangesBreak(t *testing.T) {
	c, count := refusing(t, 500, `{"code":500,"msg":"oops"}`, Options{})
	for n := 1; n <= triesOfDoubt; n++ {
		resp, body, err := fetch(t, c, Request{ID: "re_1"})
		if broken := n < triesOfDoubt; broken != (err != nil) || !broken && (body != "0123456789" || resp.Partial) {
			t.Errorf("request %d: %q of %+v, %v", n, body, resp, err)
		}
	}
	if n := count(); n != triesOfDoubt+1 {
		t.Errorf("%d requests, want %d", n, triesOfDoubt+1)
	}
	if _, _, err := fetch(t, c, Request{ID: "re_1"}); err != nil || count() != triesOfDoubt+2 {
		t.Errorf("%v after %d requests, want one more, without Range", err, count())
	}
}

// A server that refuses every Range serves whole downloads. assetfs finds that out for one asset after another, at the cost of
// a request each, and after three of them for all.
func TestRangesRefused(t *testing.T) {
	for status, body := range map[int]string{400: "", 403: "<Error/>", 405: "no", 406: "", 412: "<html>", 501: "<html>"} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			c, count := refusing(t, status, body, Options{})
			ask := func(r Request, requests int) {
				t.Helper()
				before := count()
				resp, body, err := fetch(t, c, r)
				if err != nil || body != "0123456789" || resp.Partial || resp.Start != 0 {
					t.Errorf("%+v: %q of %+v, %v", r, body, resp, err)
				}
				if n := count() - before; n != requests {
					t.Errorf("%+v: %d requests, want %d", r, n, requests)
				}
			}
			ask(Request{ID: "re_1"}, 2)
			ask(Request{ID: "re_1", Start: 4}, 1)
			ask(Request{ID: "re_2", Start: 4, End: 6}, 2)
			ask(Request{ID: "re_2"}, 1)
			ask(Request{ID: "re_3", Start: 4}, 2)
			ask(Request{ID: "re_4", Start: 4}, 1)
			ask(Request{ID: "re_9", Start: 4}, 1)
			c.ForgetFailures()
			if resp, body, err := fetch(t, c, Request{ID: "re_9", Start: 4}); err != nil || body != "456789" || !resp.Partial {
				t.Errorf("an asset with Range, asked again: %q of %+v, %v", body, resp, err)
			}
			ask(Request{ID: "re_4", Start: 4}, 2)
		})
	}
}

// One refusal in the middle of an asset that is served in parts says nothing yet: the range is tried again, and the asset is
// not downloaded as a whole.
func TestRangeRefusedOnce(t *testing.T) {
	const all = "0123456789"
	ranged := []bool{true, false, true, false, true, false, false, false} // which ranges are served
	var hits atomic.Int64
	c := start(t, func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		if r.Header.Get("Range") != "" {
			served := ranged[0]
			if ranged = ranged[1:]; !served {
				w.WriteHeader(http.StatusForbidden)
				return
			}
		}
		attach(w, "x")
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(all))
	}, Options{})
	for i, tc := range []struct {
		start    int64
		body     string
		requests int64
	}{
		{4, "456789", 1},
		{4, "", 1},
		{4, "456789", 1},
		{0, all, 2}, // the same bytes as without Range
		{4, "456789", 1},
		{4, "", 1},
		{4, all, 2}, // twice in a row
		{4, all, 1},
	} {
		before := hits.Load()
		_, got, err := fetch(t, c, Request{Start: tc.start})
		if got != tc.body || (err != nil) != (tc.body == "") || hits.Load()-before != tc.requests {
			t.Errorf("answer %d: %q, %v by %d requests, want %q by %d", i, got, err, hits.Load()-before, tc.body, tc.requests)
		}
	}
}

// If the account's limit refuses the request without Range, the next one goes without Range, too, but no other.
func TestBackgroundLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []string
		c, _, stop := bubble(t, func(w http.ResponseWriter, r *http.Request) {
			sent = append(sent, r.Header.Get("Range"))
			switch {
			case r.Header.Get("Range") != "":
				w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
			case len(sent) == 2:
				w.WriteHeader(http.StatusTooManyRequests)
			default:
				attach(w, "x")
			}
		}, Options{})
		defer stop()
		ask := func() error {
			resp, err := c.Download(t.Context(), Request{ID: testID, Class: Background, End: 5})
			if err == nil {
				_ = resp.Body.Close()
			}
			return err
		}
		if err := ask(); !errors.Is(err, ErrNoSlot) {
			t.Errorf("limited: %v", err)
		}
		time.Sleep(backoffMost)
		for range 2 {
			if err := ask(); err != nil {
				t.Error(err)
			}
		}
		if !slices.Equal(sent, []string{"bytes=0-4", "", "", "bytes=0-4", ""}) {
			t.Errorf("requests for %q", sent)
		}
	})
}

// In the background there may be a slot for one request only. The next one goes without Range. Otherwise no listing would ever
// get past such an asset.
func TestBackgroundAsksPlainNext(t *testing.T) {
	for status, body := range map[int]string{400: "", 416: "", 501: "<html>"} {
		c, count := refusing(t, status, body, Options{RateLimit: RateLimit{Rates: []Rate{{1, 500 * time.Millisecond}}}})
		var err error
		for range 100 { // on a busy machine it may miss its slot
			time.Sleep(max(50*time.Millisecond, time.Until(c.Budget(Background).Next)))
			var resp *Response
			if resp, err = c.Download(t.Context(), Request{ID: testID, Class: Background, End: 5}); err == nil {
				resp.Body.Close()
				break
			}
			if !errors.Is(err, ErrNoSlot) {
				break
			}
		}
		if n := count(); err != nil || n != 2 {
			t.Errorf("%d: %v after %d requests, want an answer after 2", status, err, n)
		}
	}
}
