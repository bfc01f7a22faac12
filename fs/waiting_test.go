package fs

import (
	"regexp"
	"testing"
	"time"

	"assetfs/fs/catalog"
	"assetfs/remote/fakeapi"
)

// Who waits for no asset that is listed is told for what.
func TestWhyNames(t *testing.T) {
	r := newFaultRig(t, fakeapi.Asset{ID: faultID, Name: "a.bin", Size: 1}, fakeapi.Config{}, time.Second, time.Second)
	defer r.close()
	f := &FS{client: r.client, store: r.store}
	f.catalog = catalog.New(catalog.Options{
		Pattern: regexp.MustCompile("^re_[0-9]+$"), API: source{client: r.client}, Record: record{r.store}, Notes: r.store,
		Facts: func(id string, _ func()) catalog.Facts { return &content{Asset: r.store.Asset(id)} },
	})
	defer f.catalog.Close()
	for _, tc := range []struct {
		listed   []string
		op, want string
	}{
		{nil, "list", "for the list of a library"},
		{nil, "lookup", "for the answer whether there is such an asset"},
		{[]string{"re_1", "re_2"}, "list", "for names, 2 are unknown"},
		{[]string{"re_1"}, "lookup", "for names, 1 are unknown"},
	} {
		f.SetList(tc.listed)
		if got := f.whyNames(tc.op, time.Now()); got != tc.want {
			t.Errorf("%s with %v listed waits %q, want %q", tc.op, tc.listed, got, tc.want)
		}
	}
}
