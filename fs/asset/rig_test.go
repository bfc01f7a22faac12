package asset

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const mib = 1 << 20

// rig is an asset with a server and a store, in a bubble of virtual time.
type rig struct {
	*Asset
	t      *testing.T
	server *fakeServer
	store  *testStore
}

func newRig(t *testing.T, server *fakeServer) *rig {
	if server.rate == 0 {
		server.rate = 100 * mib
	}
	if server.latency == 0 {
		server.latency = 20 * time.Millisecond
	}
	r := &rig{t: t, server: server, store: newTestStore(t, StoreOptions{}, Options{
		Source: server, ReadAhead: 64 * mib,
		StallTimeout: 30 * time.Second, RetryFor: 2 * time.Minute,
	})}
	r.Asset = r.store.Asset("re_1")
	return r
}

// Close closes one asset.
func (a *Asset) Close() {
	a.store.CloseAssets()
}

// restart ends everything and begins anew.
func (r *rig) restart() {
	r.t.Helper()
	r.Close()
	r.store.close()
	r.store.start()
	r.Asset = r.store.Asset("re_1")
}

// read reads and compares.
func (r *rig) read(rd *Reader, off, n int64) {
	r.t.Helper()
	p := make([]byte, n)
	got, err := rd.ReadAt(context.Background(), p, off)
	if err != nil {
		r.t.Fatalf("read %d at %d: %v", n, off, err)
	}
	if want := min(n, max(0, r.server.size-off)); int64(got) != want {
		r.t.Fatalf("read %d at %d: got %d bytes, want %d", n, off, got, want)
	}
	want := make([]byte, got)
	fill(want, r.server.version, off)
	if !bytes.Equal(p[:got], want) {
		r.t.Fatalf("read %d at %d: wrong bytes", n, off)
	}
}

// cat reads all from off to end in pieces like cat(1).
func (r *rig) cat(rd *Reader, off, end int64) {
	r.t.Helper()
	for ; off < end; off += 128 << 10 {
		r.read(rd, off, min(128<<10, end-off))
	}
}

func (r *rig) contact() {
	r.t.Helper()
	if _, err := r.Contact(context.Background(), Contact{}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) head() {
	r.t.Helper()
	if _, err := r.Contact(context.Background(), Contact{Head: true, Background: true}); err != nil {
		r.t.Fatal(err)
	}
	synctest.Wait()
}

// spent asserts requests made and bytes billed.
func (r *rig) spent(requests int, bytes int64) {
	r.t.Helper()
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.t.Logf("%d requests, %d bytes = %.3f x size", len(r.server.requests), r.server.billed, float64(r.server.billed)/float64(r.server.size))
	if len(r.server.requests) > requests {
		r.t.Errorf("%d requests, want at most %d: %+v", len(r.server.requests), requests, r.server.requests[:min(20, len(r.server.requests))])
	}
	if r.server.billed > bytes {
		r.t.Errorf("%d bytes billed, want at most %d", r.server.billed, bytes)
	}
}

// test runs f in a bubble and ends the asset.
func test(t *testing.T, server *fakeServer, f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, server)
		defer func() {
			r.Close()
			if server.open != 0 || r.store.users() != 0 {
				t.Errorf("left behind: %d bodies open, %d readers", server.open, r.store.users())
			}
			r.store.close()
		}()
		f(r)
	})
}

// bothWays runs f with a server that has Range and one that has not.
func bothWays(t *testing.T, server *fakeServer, f func(*rig)) {
	t.Helper()
	for _, ranged := range []bool{true, false} {
		name := map[bool]string{true: "Range", false: "NoRange"}[ranged]
		t.Run(name, func(t *testing.T) {
			s := fakeServer{size: server.size, etag: server.etag, perMin: server.perMin, rate: server.rate, ranged: ranged, cutAfter: server.cutAfter, noLength: server.noLength}
			test(t, &s, f)
		})
	}
}
