package catalog

import (
	"context"
	"fmt"
	"regexp"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/asset"
)

// rig is a catalog with its fakes, in a bubble of virtual time.
type rig struct {
	*Catalog
	t       *testing.T
	s       *server
	changed atomic.Int32
}

// start makes and starts a catalog. It is closed when the bubble ends.
func start(t *testing.T, s *server, b *book, change func(*Options), ids ...string) *rig {
	t.Helper()
	r := &rig{t: t, s: s}
	o := Options{
		Pattern: regexp.MustCompile(`^(?:re_[0-9]+)$`), ListWait: 5 * time.Second, RetryFor: 2 * time.Minute,
		API: s, Names: b, Notes: b,
		Facts: func(id string, learnt func()) Facts {
			return &engine{s: s, id: id, learnt: learnt, info: asset.Info{Size: -1}}
		},
		Changed: func() {
			r.Root().Changed() // with a lock held it would hang
			r.changed.Add(1)
		},
	}
	if change != nil {
		change(&o)
	}
	r.Catalog = New(o)
	b.c = r.Catalog
	r.SetList(ids)
	r.Start()
	return r
}

// Known, Lookup, AwaitNames and Times are those of the root.
func (r *rig) Known(name string) *Asset { return r.Root().Known(name) }

func (r *rig) Lookup(ctx context.Context, name string) (*Asset, error) {
	return r.Root().Lookup(ctx, name)
}

func (r *rig) AwaitNames(ctx context.Context) error { return r.Root().AwaitNames(ctx) }

func (r *rig) Times() (root, links time.Time) { return r.Root().Changed(), r.Links().Changed() }

// bubble runs f in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

func byMetadata(o *Options) { o.ByMetadata = true }

// limited makes both limits one a second.
func (s *server) limited() *server {
	s.calls.interval, s.heads.interval = interval, interval
	return s
}

// engine returns that of an asset met.
func (r *rig) engine(id string) *engine {
	r.mu.Lock()
	defer r.mu.Unlock()
	a, _ := r.findLocked(id)
	return a.wakeLocked().(*engine)
}

// shown returns the names in the root.
func (r *rig) shown() []string {
	names := []string{}
	for _, e := range r.Entries() {
		names = append(names, e.Name)
	}
	return names
}

// expect fails unless the root shows these names.
func (r *rig) expect(want ...string) {
	r.t.Helper()
	synctest.Wait()
	if got := r.shown(); fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Errorf("the root shows %q, want %q", got, want)
	}
}

// expectCounts fails unless that many metadata calls and downloads were made.
func (r *rig) expectCounts(calls, heads int) {
	r.t.Helper()
	synctest.Wait()
	if gotCalls, gotHeads := r.s.calls.count(), r.s.heads.count(); gotCalls != calls || gotHeads != heads {
		r.t.Errorf("%d metadata calls and %d downloads, want %d and %d", gotCalls, gotHeads, calls, heads)
	}
}

// ids returns re_1 to re_n.
func ids(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("re_%d", i+1)
	}
	return list
}

// since returns how long f takes.
func since(f func()) time.Duration {
	began := time.Now()
	f()
	return time.Since(began)
}

// errOf is the last error of an asset.
func errOf(a *Asset) error {
	_, err := a.Err()
	return err
}
