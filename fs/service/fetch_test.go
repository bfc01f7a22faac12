package service

import (
	"net/url"
	"testing"
	"testing/synctest"

	"assetfs/fs/catalog"
	"assetfs/remote"
)

// A pinned asset that could not be fetched is tried again when failures are forgotten, as after a new
// key: by itself that may take an hour.
func TestForgottenPins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := open(t, Options{})
		failures := 0
		v.hooks.Failed = func(string, *catalog.Asset, error) { failures++ }
		v.SetList([]string{"re_1"})
		v.api.Client = remote.NewClient(&url.URL{Scheme: "http", Host: "127.0.0.1:9"}, remote.Options{Key: remote.NewKey("", "")})
		defer v.api.Client.Close()
		v.Start()
		if err := v.SetPinned(t.Context(), []string{"re_1"}, true)[0]; err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := failures
		v.ForgetFailures()
		synctest.Wait()
		if before == 0 || failures == before {
			t.Errorf("%d attempts failed, then %d", before, failures-before)
		}
	})
}
