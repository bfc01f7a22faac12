package service

import (
	"encoding/json"
	"strings"
	"testing"
)

// Whatever is listed and however long its errors are, a value fits into an
// attribute and is whole JSON; what is left out can be asked for.
func TestFitting(t *testing.T) {
	all := make([]AssetStatus, 3_000)
	for i := range all {
		all[i] = AssetStatus{ID: "re_" + strings.Repeat("1", 1+i%30), Error: strings.Repeat("<", i%600)}
	}
	for _, n := range []int{0, 1, 300, len(all)} {
		pages := 0
		for from := 0; from < n || pages == 0; pages++ {
			text, ok := fitting(all[from:n], func(a []AssetStatus) any { return a })
			var got []AssetStatus
			if err := json.Unmarshal([]byte(text), &got); err != nil || !ok || len(text) > MaxAttr {
				t.Fatalf("of %d assets, from %d on: %d bytes, %t, %v", n, from, len(text), ok, err)
			}
			if n > 0 && len(got) == 0 {
				t.Fatalf("of %d assets, from %d on: none", n, from)
			}
			for i, a := range got {
				if a.ID != all[from+i].ID || a.Error != all[from+i].Error {
					t.Fatalf("of %d assets, from %d on: the one at %d is %+v", n, from, i, a)
				}
			}
			from += len(got)
		}
	}
	tooLong := []AssetStatus{{Error: strings.Repeat("x", MaxAttr)}}
	if text, ok := fitting(tooLong, func([]AssetStatus) any { return tooLong }); ok {
		t.Errorf("what never fits gives %d bytes", len(text))
	}
}
