package remote

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// guarded is a service that wants a key, and counts the calls of each kind.
type guarded struct {
	mu    sync.Mutex // guards the fields below
	key   string
	wants map[string]bool // assets that want another one
	calls map[string]int
}

func (g *guarded) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	words := strings.Split(r.URL.Path, "/")
	id, call := words[len(words)-2], words[len(words)-1]
	g.calls[call]++
	if r.Header.Get("Authorization") != g.key || g.wants[id] {
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"code":401,"msg":"Unauthorized","data":null}`))
		return
	}
	if call == opMetadata {
		_, _ = w.Write([]byte(`{"code":200,"msg":"success","data":{"resource":[{"asset_id":"` + id + `","file_size":"1"}]}}`))
		return
	}
	attach(w, "x")
}

// count returns the calls since the last count.
func (g *guarded) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.calls[opDownload] + g.calls[opMetadata]
	g.calls = map[string]int{}
	return n
}

func (g *guarded) want(key string, wants ...string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.key, g.wants = key, map[string]bool{}
	for _, id := range wants {
		g.wants[id] = true
	}
}

// ask makes a call of each kind on an asset, and reports whether they failed for the key.
func ask(t *testing.T, c *Client, class Class, id string) (refused bool) {
	t.Helper()
	resp, err := c.Download(t.Context(), Request{ID: id, Class: class})
	if err == nil {
		_ = resp.Body.Close()
	}
	_, other := c.Metadata(t.Context(), class, id)
	if (err == nil) != (other == nil) {
		t.Errorf("%s: download: %v, metadata: %v", id, err, other)
	}
	var e *Error
	if errors.As(err, &e) && (e.Number() != http.StatusUnauthorized || retries(e) || e.ID != id) {
		t.Errorf("%s: %v, want a permanent 401", id, err)
	}
	return err != nil
}

// A key that is refused is not sent again for every asset, but now and then: by readers each 5 s, in the background each
// five minutes. Another key is used at once.
func TestKeyRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{key: "right", calls: map[string]int{}}
		name := keyFile(t, "wrong")
		key := NewKey(name, "")
		c, _, stop := bubble(t, g.ServeHTTP, Options{Key: key})
		defer stop()
		check := func(what string, class Class, refused bool, most int) {
			t.Helper()
			for i := range 20 {
				if got := ask(t, c, class, "re_1"+strconv.Itoa(i)); got != refused {
					t.Errorf("%s: refused %v, want %v", what, got, refused)
				}
			}
			if n := g.count(); n != most {
				t.Errorf("%s: %d calls, want %d", what, n, most)
			}
		}
		check("wrong", Reader, true, 2)
		check("still", Background, true, 0)
		time.Sleep(refusedKey)
		check("5 s later, in the background", Background, true, 0)
		check("5 s later", Reader, true, 2)
		time.Sleep(refusedIdle)
		check("5 min later", Background, true, 2)
		writeKey(t, name, "right")
		check("right", Reader, false, 40)

		// One asset says nothing of a key that is good for others. Three in a row do.
		g.want("right", "re_10", "re_11")
		for range 5 {
			for _, id := range []string{"re_10", "re_11", "re_10", "re_11", "re_12"} {
				if got, want := ask(t, c, Reader, id), id != "re_12"; got != want {
					t.Errorf("%s: refused %v, want %v", id, got, want)
				}
			}
		}
		if n := g.count(); n != 50 {
			t.Errorf("%d calls, want 50", n)
		}
		g.want("another")
		check("revoked", Reader, true, 2*severalAssets)
		g.want("right") // the server was wrong
		check("still revoked", Reader, true, 0)
		time.Sleep(refusedKey)
		check("no more", Reader, false, 40)

		g.want("another")
		check("revoked again", Reader, true, 2*severalAssets)
		writeKey(t, name, "another")
		if !key.Renewed() {
			t.Error("the other key is not noticed")
		}
		check("in the background", Background, false, 40)
		g.want("third")
		check("revoked at last", Reader, true, 2*severalAssets)
		c.ForgetFailures()
		check("forgotten", Reader, true, 2)
	})
}

// Readers that wait for their turn while the key is refused need not wait for it.
func TestKeyRefusedWhileOthersWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{key: "right", calls: map[string]int{}}
		c, _, stop := bubble(t, g.ServeHTTP, Options{RateLimit: RateLimit{Rates: []Rate{onePerSecond}}})
		defer stop()
		began := time.Now()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { ask(t, c, Reader, "re_1"+strconv.Itoa(i)) })
		}
		wg.Wait()
		if took, n := time.Since(began), g.count(); took > 3*time.Second || n > 4 {
			t.Errorf("%d calls in %v", n, took)
		}
		if l := c.downloads.limiter; len(l.queue) > 0 || l.times.pending > 0 {
			t.Errorf("left behind: %d in the queue, %d pending", len(l.queue), l.times.pending)
		}
	})
}

// Metadata that waits for its turn is not asked for with a key that is refused meanwhile.
func TestKeyRefusedWhileMetadataWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{key: "right", calls: map[string]int{}}
		c, _, stop := bubble(t, g.ServeHTTP, Options{RateLimit: RateLimit{Rates: []Rate{onePerSecond}}})
		defer stop()
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { _, _ = c.Metadata(t.Context(), Reader, "re_1"+strconv.Itoa(i)) })
		}
		wg.Wait()
		if n, l := g.count(), c.metadata.limiter; n > 2 || len(l.queue) > 0 || l.times.pending > 0 {
			t.Errorf("%d calls; left behind: %d in the queue, %d pending", n, len(l.queue), l.times.pending)
		}
	})
}

// Only the API's own answers tell anything about the key, and a rate limit does not.
func TestVerdict(t *testing.T) {
	no := &Error{Status: 200, Code: "0401", Msg: "no", api: true}
	for name, tc := range map[string]struct {
		heard   []*Error // of one asset
		refuses bool
	}{
		"refused":                      {[]*Error{no}, true},
		"refused by something else":    {[]*Error{{Status: 401, foreign: true}}, false},
		"refused, then limited":        {[]*Error{no, {Status: 429, api: true}}, true},
		"refused, then a gateway":      {[]*Error{no, {Status: 502}}, true},
		"refused, then another host":   {[]*Error{no, {Status: 404, api: true, away: "x"}}, true},
		"refused, then no such asset":  {[]*Error{no, {Status: 404, api: true}}, false},
		"refused after it was valid":   {[]*Error{nil, no}, false},
		"refused, valid, then refused": {[]*Error{no, nil, no}, false},
	} {
		v := new(verdict)
		for _, e := range tc.heard {
			v.heard("key", "re_1", e)
		}
		got := v.refuses("key", Reader)
		if refuses := got != nil; refuses != tc.refuses || refuses && (got.Number() != 401 || got.Msg != no.Msg || got.Err != ErrKeyRefused) { //nolint:errorlint // exactly this one
			t.Errorf("%s: refused with %v, want %v", name, got, tc.refuses)
		}
	}
}

// Without a key the way to the API can be checked all the same, each time.
func TestCheckWithoutKey(t *testing.T) {
	g := &guarded{key: "right", calls: map[string]int{}}
	c := start(t, g.ServeHTTP, Options{Key: NewKey("", "")})
	for range 2 {
		if p := c.Check(t.Context(), testID); p.Err == nil || errors.Is(p.Err, ErrKeyRefused) {
			t.Errorf("got %v", p.Err)
		}
	}
	if n := g.count(); n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}
