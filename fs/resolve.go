package fs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"assetfs/fs/asset"
	"assetfs/remote"
)

const (
	// resolvers is how many assets are resolved at a time.
	resolvers = 8
	// forgive is how long a listing leaves an asset alone that could not be
	// resolved: an `ls` now and then must not cost a request for each of them.
	forgive = 5 * time.Minute
)

// resolver finds out names and sizes of listed assets, for listings.
type resolver struct {
	tree     *tree
	client   *remote.Client
	listWait time.Duration
	ctx      context.Context // the life of the mount
	wg       sync.WaitGroup  // its goroutines
	flights  singleflight.Group
	noSizes  atomic.Bool  // the API has no metadata call
	noTimes  atomic.Int64 // don't ask metadata for times until then; nanoseconds since 1970

	mu      sync.Mutex // guards what follows
	running bool
	active  int                  // contacts under way
	credits int                  // requests that may still be started before the window is looked at again
	next    time.Time            // when the window has more, while credits are 0
	failed  map[string]time.Time // when resolving failed, by ID
	changed chan struct{}        // closed and replaced when any of the above changes
}

func newResolver(ctx context.Context, t *tree, client *remote.Client, listWait time.Duration) *resolver {
	return &resolver{tree: t, client: client, listWait: listWait, ctx: ctx, failed: map[string]time.Time{}, changed: make(chan struct{})}
}

// list waits, for a listing, until the names of all listed assets are known,
// but no longer than --list-wait, and not when nothing more can start within
// that time. Resolving goes on behind it.
func (r *resolver) list(ctx context.Context) {
	todo := r.unresolved()
	if len(todo) > 0 {
		r.start()
		r.wait(ctx, time.Now().Add(r.listWait))
	}
	r.tree.nameAll()
}

func (r *resolver) wait(ctx context.Context, deadline time.Time) {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		r.mu.Lock()
		changed := r.changed
		idle := r.active == 0 && r.credits == 0 && r.next.After(deadline)
		running := r.running
		r.mu.Unlock()
		if !running || idle {
			return
		}
		select {
		case <-changed:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// settled reports whether no batch is under way, whose names are to be given in
// the order of the list.
func (r *resolver) settled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.active == 0
}

// unresolved returns the listed assets whose names are to be found out.
func (r *resolver) unresolved() []*entry {
	now := time.Now()
	var todo []*entry
	for _, e := range r.tree.entries() {
		if r.tree.named(e) || e.asset.Info().Header {
			continue
		}
		r.mu.Lock()
		at, failed := r.failed[e.id]
		r.mu.Unlock()
		if !failed || now.Sub(at) > forgive {
			todo = append(todo, e)
		}
	}
	return todo
}

// forget lets listings try again what failed.
func (r *resolver) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.failed)
}

// start sets the resolver to work, unless it is.
func (r *resolver) start() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running || r.ctx.Err() != nil {
		return
	}
	r.running = true
	r.credits, r.next = 1, time.Time{}
	r.wg.Go(r.run)
}

// close waits for what the resolver started. Its ctx has ended.
func (r *resolver) close() { r.wg.Wait() }

// run resolves until nothing is left to do.
func (r *resolver) run() {
	defer func() {
		r.mu.Lock()
		r.running = false
		r.notifyLocked()
		r.mu.Unlock()
		r.tree.nameAll()
	}()
	r.wg.Go(r.sizes)
	for {
		todo := r.unresolved()
		if len(todo) == 0 || r.ctx.Err() != nil {
			return
		}
		if r.tree.byMeta {
			r.each(todo, func(e *entry) error {
				_, err := r.metadata(r.ctx, e)
				return err
			})
			return
		}
		b := r.client.Budget(remote.Background)
		if b.Down != nil {
			return // listings must not wait for a server that is away
		}
		if b.Available == 0 {
			r.mu.Lock()
			r.credits, r.next = 0, b.Next
			r.notifyLocked()
			r.mu.Unlock()
			r.tree.nameAll()
			select {
			case <-time.After(max(time.Until(b.Next), 10*time.Millisecond)):
				continue
			case <-r.ctx.Done():
				return
			}
		}
		batch := todo[:min(len(todo), b.Available)]
		r.each(batch, func(e *entry) error {
			_, err := e.asset.Contact(r.ctx, asset.Contact{Head: true, Background: true, Patience: r.listWait})
			return err
		})
		r.tree.nameAll()
	}
}

// each calls f for the entries of a batch, some at a time, and waits for them.
func (r *resolver) each(batch []*entry, f func(*entry) error) {
	r.mu.Lock()
	r.credits = len(batch)
	r.mu.Unlock()
	work := make(chan *entry)
	var wg sync.WaitGroup
	for range min(resolvers, len(batch)) {
		wg.Go(func() {
			for e := range work {
				r.mu.Lock()
				r.active++
				r.credits--
				r.mu.Unlock()
				err := f(e)
				r.mu.Lock()
				r.active--
				if err != nil {
					r.failed[e.id] = time.Now()
				}
				r.notifyLocked()
				r.mu.Unlock()
			}
		})
	}
feed:
	for _, e := range batch {
		select {
		case work <- e:
		case <-r.ctx.Done():
			break feed
		}
	}
	close(work)
	wg.Wait()
}

// notifyLocked wakes those that wait for the resolver.
func (r *resolver) notifyLocked() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// sizes starts the free metadata call for all listed assets of unknown size:
// a program that lists a directory is about to ask for them.
func (r *resolver) sizes() {
	work := make(chan *entry)
	var wg sync.WaitGroup
	for range resolvers {
		wg.Go(func() {
			for e := range work {
				if _, err := r.metadata(r.ctx, e); errors.Is(err, remote.ErrNoMetadata) {
					r.noSizes.Store(true)
				}
			}
		})
	}
	for _, e := range r.tree.entries() {
		if r.noSizes.Load() || r.ctx.Err() != nil {
			break
		}
		if !r.told(e) {
			work <- e
		}
	}
	close(work)
	wg.Wait()
}

// metadata makes the free metadata call, once for all who ask at a time.
func (r *resolver) metadata(ctx context.Context, e *entry) (asset.Info, error) {
	if r.told(e) {
		return e.asset.Info(), nil
	}
	flight := r.flights.DoChan(e.id, func() (any, error) {
		i, err := r.client.Metadata(r.ctx, remote.Reader, e.id)
		if err != nil {
			return nil, err
		}
		e.asset.Learn(info(i, false))
		e.sizeless.Store(i.Size < 0)
		return nil, nil
	})
	select {
	case res := <-flight:
		return e.asset.Info(), res.Err
	case <-ctx.Done():
		return e.asset.Info(), context.Cause(ctx)
	}
}

// told reports whether a metadata call has nothing to add to what is known of e.
func (r *resolver) told(e *entry) bool {
	i := e.asset.Info()
	return (i.Size >= 0 || i.Header && e.sizeless.Load()) && !i.ModTime.IsZero() && (i.Name != "" || i.Header || !r.tree.byMeta)
}

// attributes sees to it that the size of e is known, for a stat: from the free
// metadata call, else from a download's header if a request may start now.
func (r *resolver) attributes(ctx context.Context, e *entry) error {
	i := e.asset.Info()
	if i.Size >= 0 || i.Header && (e.sizeless.Load() || r.noSizes.Load()) {
		r.time(ctx, e)
		return nil
	}
	wait, cancel := context.WithTimeout(ctx, r.listWait)
	defer cancel()
	i, err := r.metadata(wait, e)
	switch {
	case err == nil && i.Size >= 0:
		return nil
	case errors.Is(err, remote.ErrNoMetadata):
		r.noSizes.Store(true)
	case err != nil:
		return err
	}
	if i.Header {
		return nil // neither tells
	}
	if b := r.client.Budget(remote.Background); b.Down != nil {
		return b.Down
	} else if b.Available == 0 {
		return errBusy
	}
	r.mu.Lock()
	listing := r.running
	r.mu.Unlock()
	_, err = e.asset.Contact(ctx, asset.Contact{Head: listing, Background: true, Patience: r.listWait})
	return err
}

// time asks metadata for the time of an asset whose header told none. It is
// asked once, and for no asset soon after it was slow or failed: a stat of what
// is known must not wait for a server that is away.
func (r *resolver) time(ctx context.Context, e *entry) {
	const patience, pause = 500 * time.Millisecond, time.Minute
	if r.told(e) || r.noSizes.Load() || time.Now().UnixNano() < r.noTimes.Load() || e.asked.Swap(true) {
		return
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := r.metadata(wait, e); err != nil {
		r.noTimes.Store(time.Now().Add(pause).UnixNano())
	}
}
