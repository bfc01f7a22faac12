package remote

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
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
	_, _, err := fetch(t, c, Request{ID: "re_1", Sent: func(sent bool) { told = append(told, sent) }})
	if n := len(told); err != nil || count() != 2 || n < 3 || !slices.Equal(told[n-3:], []bool{true, false, true}) {
		t.Errorf("%v, %v", told, err)
	}
}

// A 500 is seldom about the range. The third one in a row is taken for that, of an asset of which no part was sent.
func TestRangesBreak(t *testing.T) {
	c, count := refusing(t, 500, `{"code":500,"msg":"oops"}`, Options{})
	for n := 1; n <= triesOfDoubt; n++ {
		resp, body, err := fetch(t, c, Request{ID: "re_1"})
		if broken := n < triesOfDoubt; broken != (err != nil) || !broken && (body != "0123456789" || !resp.Ignored) {
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
				if err != nil || body != "0123456789" || resp.Partial || resp.Start != 0 || !resp.Ignored {
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
	part := reply(206, attachment+"Content-Range: bytes 4-9/10\r\nContent-Length: 6\r\n", "456789")
	no := reply(403, "", "<html>")
	const all = "0123456789"
	plain := reply(200, attachment+"Content-Length: 10\r\n", all)
	c, hits := raw(t, part, no, part, no, plain, part, no, no, plain, plain)
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
