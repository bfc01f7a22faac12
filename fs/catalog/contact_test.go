package catalog

import (
	"errors"
	"testing"
	"time"
)

// TestContact opens assets.
func TestContact(t *testing.T) {
	for _, tc := range []struct {
		name         string
		options      func(*Options)
		change       func(*remote)
		want         error
		calls, heads int
	}{
		{"by header", nil, func(*remote) {}, nil, 0, 1},
		{"by header, none there", nil, func(a *remote) { a.headErr = ErrNotFound }, ErrNotFound, 0, 1},
		{"by metadata", byMetadata, func(*remote) {}, nil, 1, 0},
		{"by metadata, none there", byMetadata, func(a *remote) { a.callErr = ErrNotFound }, ErrNotFound, 1, 0},
		{"by metadata, which fails", byMetadata, func(a *remote) { a.callErr = errServer }, nil, 1, 1},
		{"by metadata, no such call", byMetadata, func(a *remote) { a.callErr = ErrNoCall }, nil, 1, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := newServer()
				r := start(t, s, newBook(), tc.options)
				defer r.Close()
				s.set("re_1", func(a *remote) { a.name, a.metaName = "a.bin", "a.bin" })
				s.set("re_1", tc.change)
				r.mu.Lock()
				a := r.meetLocked("re_1")
				r.mu.Unlock()
				if err := r.Contact(t.Context(), a); !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
					t.Errorf("got %v, want %v", err, tc.want)
				}
				r.expectCounts(tc.calls, tc.heads)
				if tc.want == nil && tc.heads == 1 {
					if err := r.Contact(t.Context(), a); err != nil {
						t.Error(err)
					}
					r.expectCounts(tc.calls, tc.heads)
				}
			})
		})
	}
}

func TestErr(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newServer("re_1"), newBook(), nil, "re_1")
		defer r.Close()
		a := r.Listed("re_1")
		a.SetErr(errServer)
		if at, err := a.Err(); !errors.Is(err, errServer) || !at.Equal(time.Now()) {
			t.Errorf("got %v, of %v", err, at)
		}
	})
}
