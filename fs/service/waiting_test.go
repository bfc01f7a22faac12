package service

import (
	"log/slog"
	"net/url"
	"regexp"
	"testing"
	"time"

	"assetfs/fs/asset"
	"assetfs/remote"
)

// open returns a service of a host that nobody asks.
func open(t *testing.T, o Options) *Service {
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

// Who waits for no asset that is listed is told for what.
func TestWhyNames(t *testing.T) {
	v := open(t, Options{})
	for _, tc := range []struct {
		listed   []string
		op, want string
	}{
		{nil, "list", "for the list of a library"},
		{nil, "lookup", "for the answer whether there is such an asset"},
		{[]string{"re_1", "re_2"}, "list", "for names, 2 are unknown"},
		{[]string{"re_1"}, "lookup", "for names, 1 are unknown"},
	} {
		v.SetList(tc.listed)
		if got := v.whyNames(tc.op, time.Now()); got != tc.want {
			t.Errorf("%s with %v listed waits %q, want %q", tc.op, tc.listed, got, tc.want)
		}
	}
}
