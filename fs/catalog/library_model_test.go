package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
)

// TestLibraryModel: whatever changes during pages and between looks, a video that was there all the time is
// listed, once, under one name; and when the list no longer changes, all videos are.
func TestLibraryModel(t *testing.T) {
	for round := range 200 {
		bubble(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(round), 1))
			front := round%2 == 0 // new ones come first
			s, notes, b := newShelf("s"), &notebook{}, newBook()
			next := 0
			mutate := func(least int) {
				for range random.IntN(3) {
					v := named(next, fmt.Sprintf("name %d.mp4", random.IntN(10)))
					next++
					if list := s.scopes["s"]; front {
						s.scopes["s"] = append([]Video{v}, list...)
					} else {
						s.scopes["s"] = append(slices.Clone(list), v)
					}
				}
				for range random.IntN(3) {
					if list := s.scopes["s"]; len(list) > least {
						i := random.IntN(len(list))
						s.scopes["s"] = slices.Delete(slices.Clone(list), i, i+1)
					}
				}
			}
			for range 10 {
				mutate(0)
			}
			r := open(t, s, notes, b, "s")
			shown := map[string]string{} // names once seen
			for range 12 {
				s.mu.Lock()
				s.turned = func(string) {
					if random.IntN(2) == 0 {
						mutate(0)
					}
				}
				s.mu.Unlock()
				_, _ = r.Refresh(t.Context())
				s.mu.Lock()
				s.turned = nil
				for _, v := range s.scopes["s"] {
					if shown[v.ID] != "" && r.Listed(v.ID) == nil {
						t.Fatalf("round %d: %s was there all the time, and is not listed", round, v.ID)
					}
				}
				s.mu.Unlock()
				// It holds still.
				_, _ = r.Refresh(t.Context())
				if random.IntN(4) == 0 {
					r.Close()
					r = open(t, s, notes, b, "s")
					synctest.Wait()
				}
				names := map[string]bool{}
				listed := map[string]bool{}
				for _, e := range r.Root().Entries() {
					if names[e.Name] || listed[e.ID] {
						t.Fatalf("round %d: %s, %s is listed twice", round, e.ID, e.Name)
					}
					names[e.Name], listed[e.ID] = true, true
					if old := shown[e.ID]; old != "" && old != e.Name {
						t.Fatalf("round %d: %s was %q, and is %q", round, e.ID, old, e.Name)
					}
					shown[e.ID] = e.Name
				}
				if len(listed) != len(s.scopes["s"]) {
					t.Fatalf("round %d: %d videos are listed, want %d", round, len(listed), len(s.scopes["s"]))
				}
				for _, v := range s.scopes["s"] {
					if !listed[v.ID] {
						t.Fatalf("round %d: %s is lost", round, v.ID)
					}
				}
			}
			r.Close()
		})
	}
}
