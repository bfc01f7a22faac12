package catalog

import (
	"errors"
	"testing"
)

// TestStatInterrupted: a stat that is interrupted at the moment when metadata answers without a size has found out
// nothing. If it succeeded, the file would be shown as empty.
func TestStatInterrupted(t *testing.T) {
	for range 200 { // what happens first is chance
		bubble(t, func(t *testing.T) {
			s := newServer(ids(1)...)
			s.set("re_1", func(a *remote) { a.noLength, a.size = true, -1 })
			r := start(t, s, newBook(), func(o *Options) { o.ByMetadata = true }, "re_1")
			defer r.Close()
			ctx, interrupted := interruptAfter(t, latency)
			if err := r.Stat(ctx, r.Listed("re_1")); !errors.Is(err, interrupted) {
				t.Fatalf("it fails with %v, want %v", err, interrupted)
			}
		})
	}
}
