package asset

import (
	"errors"
	"slices"
	"testing"
)

// TestAhead makes room by dropping bytes after all readers of open assets: the furthest first, and none
// that are nearer than the bytes being written.
func TestAhead(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{Size: 4 * mib})
	a, b := d.Asset("a"), d.Asset("b")
	for _, f := range []*Asset{a, b} {
		f.acquire()
		f.change(func(m *facts) { m.info.Size = 100 * mib })
		put(t, f, span(10*mib, 11*mib))
		put(t, f, span(40*mib, 41*mib))
	}
	write := func(f *Asset, off int64) error { return f.write(content(f.id, 0, span(off, off+64*kib)), off) }
	if err := write(a, 0); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("readers unknown: %v", err)
	}

	// a's reader has gone back to its beginning, b's is further on.
	a.setSpan(span(0, mib))
	b.setSpan(span(9*mib, 20*mib))
	if err := write(a, 50*mib); !errors.Is(err, ErrNoSpace) {
		t.Fatalf("further than all that is there: %v", err)
	}
	a.setSpan(span(128*kib, mib)) // a stream comes up from behind
	if err := write(a, 0); err != nil {
		t.Fatal(err)
	}
	a.setSpan(span(0, mib))
	if a.presentNow(span(41*mib-64*kib, 41*mib)) || !a.presentNow(span(40*mib, 41*mib-64*kib)) || b.Status().Present != 2*mib {
		t.Errorf("not the furthest went first: a has %v, b %v", spooled(a), spooled(b))
	}

	// What is written takes what is further, of both, and leaves what lies among the readers of b.
	put(t, a, span(mib, 4*mib-64*kib))
	if got := spooled(a); len(got) != 2 || b.presentNow(span(41*mib-64*kib, 41*mib)) || !b.presentNow(span(10*mib, 11*mib)) {
		t.Errorf("left: a %v, b %v", got, spooled(b))
	}
	check(t, a)
	check(t, b)

	// So says the index.
	got := spooled(a)
	closeDir(t, d)
	d = open(t, root, keep{})
	if again := spooled(d.Asset("a")); !slices.Equal(again, got) {
		t.Errorf("afterwards a has %v, had %v", again, got)
	}
}
