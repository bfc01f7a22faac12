package cli

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"assetfs/fs/service"
)

// Assets that are written one after the other are the same text as all at once.
func TestWriteJSON(t *testing.T) {
	for n := range 3 {
		s := service.Status{Mountpoint: "[]", Assets: []service.AssetStatus{}}
		var list []*service.AssetStatus
		for i := range n {
			s.Assets = append(s.Assets, service.AssetStatus{ID: fmt.Sprint("re_", i), Name: "<[]>", Streams: []service.StreamStatus{{}}})
		}
		for i := range s.Assets {
			list = append(list, &s.Assets[i])
		}
		var want, got bytes.Buffer
		if err := encode(&want, &s); err != nil {
			t.Fatal(err)
		}
		s.Assets = nil
		if err := writeJSON(&got, &s, slices.Values(list)); err != nil || got.String() != want.String() {
			t.Errorf("%d assets: %v\n%s\nwant\n%s", n, err, got.String(), want.String())
		}
	}
}
