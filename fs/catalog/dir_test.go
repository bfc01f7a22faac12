package catalog

import "testing"

// TestSums: a directory's time moves whenever its list of names changes, also if IDs differ only in their last digits.
func TestSums(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newServer(), newBook(), nil)
		defer r.Close()
		lists := map[uint64][]string{}
		for set := range 1 << 9 {
			var list []string
			for i, id := range ids(9) {
				if set>>i&1 == 1 {
					list = append(list, id)
				}
			}
			r.SetList(list)
			r.mu.Lock()
			sum := r.links.sum
			r.mu.Unlock()
			if other, ok := lists[sum]; ok {
				t.Fatalf("%q looks like %q", list, other)
			}
			lists[sum] = list
		}
	})
}
