package service

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/asset"
	"assetfs/remote"
)

// open returns a service of a host that nobody asks.
func open(t testing.TB, o Options) *Service {
	t.Helper()
	base := &url.URL{Scheme: "http", Host: "127.0.0.1:9"}
	store, err := asset.OpenStore(t.TempDir(), base.String(), asset.StoreOptions{})
	if err != nil {
		t.Fatal(err)
	}
	client := remote.NewClient(base, remote.Options{Key: remote.NewKey("", "secret")})
	o.IDPattern, o.Log = regexp.MustCompile("^re_[0-9]+$"), slog.New(slog.DiscardHandler)
	v := New("/mnt", nil, client, store, Hooks{}, o)
	t.Cleanup(func() {
		v.Close()
		client.Close()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// Who waits for no asset that is listed is told for what, and until when.
func TestWhyNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, Options{ListWait: time.Minute})
		for _, tc := range []struct {
			listed   []string
			op, name string
			want     string
		}{
			{nil, "list", "", "for the list of a library; at most 45 s more"},
			{nil, "lookup", "film.mp4", "for the list of a library; at most 45 s more"},
			{nil, "lookup", "re_9", "a request is about to be made"},
			{[]string{"re_1", "re_2"}, "list", "", "for names, 2 are unknown; at most 45 s more"},
			{[]string{"re_1"}, "lookup", "film.mp4", "for names, 1 are unknown; at most 45 s more"},
		} {
			v.SetList(tc.listed)
			x := &Wait{Op: tc.op, Name: tc.name}
			v.Waits.Begin(x)
			time.Sleep(15 * time.Second)
			w := v.waiting(v.Waits.list())[""]
			v.Waits.End(x)
			if len(w) != 1 || w[0].For != tc.want {
				t.Errorf("%s %s with %v listed waits %+v, want %q", tc.op, tc.name, tc.listed, w, tc.want)
			}
		}
	})
}

// Where names come from metadata calls, those decide how long they take, and not downloads.
func TestWhyNamesByMetadata(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, Options{ListWait: time.Minute, ByMetadata: true})
		v.client = remote.NewClient(&url.URL{Scheme: "http", Host: "api.test"}, remote.Options{
			Key:  remote.NewKey("", "secret"),
			Dial: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ECONNREFUSED },
		})
		defer v.client.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, _ = v.client.Metadata(ctx, remote.Reader, "re_1") // fails
		v.SetList([]string{"re_1"})
		x := &Wait{Op: "list"}
		v.Waits.Begin(x)
		defer v.Waits.End(x)
		w := v.waiting(v.Waits.list())[""]
		if want := "for names, 1 are unknown: host unreachable"; len(w) != 1 || !strings.HasPrefix(w[0].For, want) {
			t.Errorf("a listing waits %+v, want %q", w, want)
		}
	})
}

// A metadata call is told by whether it was sent.
func TestWhyCall(t *testing.T) {
	v := open(t, Options{StallTimeout: 30 * time.Second})
	v.SetList([]string{"re_1"})
	x := &Wait{Op: "stat", Asset: v.Catalog.Listed("re_1")}
	call := v.Store.Call()
	v.api.calls.Store("re_1", call)
	for _, tc := range []struct {
		sent bool
		want string
	}{
		{false, "a metadata call is about to be made"},
		{true, "no answer to a metadata call for 1 s, gives up at 30 s"},
		{false, "a metadata call is about to be made"},
	} {
		call.Sent(tc.sent)
		if w := v.waiting([]*Wait{x})["re_1"]; len(w) != 1 || w[0].For != tc.want {
			t.Errorf("sent %v: %+v, want %q", tc.sent, w, tc.want)
		}
	}
}

// A metadata call that is made for other reasons is not what an open or a fetch waits for.
func TestWhyOtherCall(t *testing.T) {
	unseen, seen, unsized := asset.Info{Size: -1}, asset.Info{Header: true}, asset.Info{Header: true, Size: -1}
	for _, tc := range []struct {
		byMetadata bool // come names
		op         string
		known      asset.Info
		want       bool
	}{
		{false, "open", unseen, false},
		{false, "fetch", unseen, false},
		{false, "stat", unseen, true},
		{false, "read", unseen, false},
		{false, "open", unsized, true},
		{false, "fetch", unsized, false},
		{true, "open", unseen, true},
		{true, "fetch", unseen, true},
		{true, "fetch", seen, false},
	} {
		v := open(t, Options{ByMetadata: tc.byMetadata})
		v.SetList([]string{"re_1"})
		x := &Wait{Op: tc.op, Asset: v.Catalog.Listed("re_1")}
		if got := x.calls(tc.known); got != tc.want {
			t.Errorf("names by metadata %t, %s of %+v: %t", tc.byMetadata, tc.op, tc.known, got)
		}
	}
}

// Those who have waited longest are shown first, of each asset, and of all that no listed asset has.
func TestOldestFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, Options{})
		v.SetList([]string{"re_1", "re_2"})
		gone := v.Catalog.Listed("re_2")
		v.SetList([]string{"re_1"})
		for range 10 {
			v.Waits.Begin(&Wait{Op: "stat", Asset: v.Catalog.Listed("re_1")})
			v.Waits.Begin(&Wait{Op: "stat", Asset: gone})
			time.Sleep(time.Second)
			v.Waits.Begin(&Wait{Op: "list"})
		}
		s := v.Status(All)
		for what, list := range map[string][]WaitStatus{"an asset": s.Assets[0].Waiting, "others": s.Waiting} {
			if len(list) < 10 || !slices.IsSortedFunc(list, func(a, b WaitStatus) int { return cmp.Compare(b.Since, a.Since) }) {
				t.Errorf("the waits of %s: %+v", what, list)
			}
		}
	})
}

// A wait for an asset that is not listed, or no more, is shown, too.
func TestUnlistedWaits(t *testing.T) {
	v := open(t, Options{})
	v.SetList([]string{"re_1", "re_2"})
	for _, id := range []string{"re_1", "re_2"} {
		v.Waits.Begin(&Wait{Op: "stat", Asset: v.Catalog.Listed(id)})
	}
	v.SetList([]string{"re_2"})
	s := v.Status(All)
	if len(s.Waiting) != 1 || len(s.Assets) != 1 || len(s.Assets[0].Waiting) != 1 {
		t.Errorf("waits of what is listed: %+v, and of others: %+v", s.Assets, s.Waiting)
	}
}
