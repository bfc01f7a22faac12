// Package service is what a mount serves, independent of FUSE: it joins the API, the spool, the
// catalog and the ledger, knows who waits for what, and carries out commands. Package fs shows
// its assets as files.
package service

import (
	"context"
	"log/slog"
	"regexp"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/ledger"
	"assetfs/remote"
)

// Options configure a Service. Each field says what its zero value means.
type Options struct {
	IDPattern    *regexp.Regexp // what a valid asset ID looks like, anchored; required
	ByMetadata   bool           // names come from the free metadata call, not from the download's header
	ListWait     time.Duration  // how long a listing waits for names
	ReadAhead    int64          // bytes a stream may run ahead
	StallTimeout time.Duration  // no byte for this long is a dead stream
	RetryFor     time.Duration  // how long one read keeps retrying
	PricePerGB   float64        // dollars, for reports
	MaxDownload  int64          // bytes, for reports; the client enforces it
	MaxPerMonth  int64          // bytes that this spool downloads in a month of local time; 0: no limit

	// Turns holds one element for each read or write of the disk that is running, so its
	// capacity limits them; nil: no limit.
	Turns chan struct{}

	// Libraries are scopes whose videos are listed. The videos of a single library are in the
	// root; of several, each has a directory. Looked is called after each look at one; it may
	// be nil.
	Libraries []string
	Looked    func(Look)

	Log *slog.Logger // required
}

// Hooks are called when something changes that package fs must know. No lock is held.
type Hooks struct {
	Changed func()                                       // the times of directories have moved; may be nil
	Failed  func(op string, a *catalog.Asset, err error) // for what is no request of the kernel
}

// Service serves the assets of one mount.
type Service struct {
	Catalog *catalog.Catalog
	Store   *asset.Store
	Waits   Waits
	Served  atomic.Int64 // bytes given to readers by us
	Kernel  Kernel

	o       Options
	hooks   Hooks
	point   string
	client  *remote.Client
	api     *Source
	ledger  *ledger.Ledger
	started time.Time
	socket  atomic.Pointer[string] // where commands are taken, nil if nowhere
	pins    chan struct{}          // has an element when pinned assets are to be looked at

	ctx        context.Context // ends with the mount
	cancel     context.CancelFunc
	background sync.WaitGroup

	mu        sync.Mutex // guards what follows
	lastErr   string
	lastErrAt time.Time
}

// Kernel counts what the kernel reads by itself.
type Kernel struct {
	Passthrough atomic.Bool  // it reads whole assets by itself
	Opens       atomic.Int64 // of those
	Bytes       atomic.Int64 // their sizes together
}

// New returns a service for the assets with the given IDs, which will be mounted on point. The
// caller still owns client and store. Close ends the service.
func New(point string, ids []string, client *remote.Client, store *asset.Store, hooks Hooks, o Options) *Service {
	v := &Service{o: o, hooks: hooks, point: point, client: client, Store: store, started: time.Now(), pins: make(chan struct{}, 1)}
	v.ctx, v.cancel = context.WithCancel(context.Background())
	v.ledger = ledger.New(ledger.Options{
		Notes: store, PricePerGB: o.PricePerGB, MaxPerMonth: o.MaxPerMonth,
		Spent: client.Spent, Served: v.Served.Load, Allow: client.Allow, Log: o.Log,
	})
	v.ledger.Start()
	api := &Source{Client: client, Log: o.Log, Place: func(id string) (bucket, blob string, err error) { return v.Catalog.Place(id) }, Store: store}
	v.api = api
	store.Serve(&asset.Options{
		Source:       api,
		ReadAhead:    o.ReadAhead,
		StallTimeout: o.StallTimeout,
		RetryFor:     o.RetryFor,
		Turns:        o.Turns,
	})
	v.Catalog = catalog.New(catalog.Options{
		Pattern:    o.IDPattern,
		ByMetadata: o.ByMetadata,
		ListWait:   o.ListWait,
		RetryFor:   o.RetryFor,
		API:        api,
		Names:      store,
		Notes:      store,
		Facts: func(id string, learnt func()) catalog.Facts {
			a := store.Asset(id)
			a.OnFacts(learnt)
			return &Content{Asset: a}
		},
		Fold:    runtime.GOOS == "darwin", // which asks for names in any case and normal form
		Changed: hooks.Changed,
		Scopes:  o.Libraries,
		Lister:  api,
		Looked:  o.Looked,
	})
	v.SetList(ids)
	return v
}

// Start begins the background work. It must be called once, before the first request.
func (v *Service) Start() {
	v.Catalog.Start()
	v.background.Go(v.keepPinned)
}

// SetList makes ids the listed assets, in that order.
func (v *Service) SetList(ids []string) { v.Catalog.SetList(ids) }

// Refresh looks at all libraries now, and returns the results.
func (v *Service) Refresh(ctx context.Context) ([]Look, error) { return v.Catalog.Refresh(ctx) }

// ForgetFailures lets everything that failed be tried again at once.
func (v *Service) ForgetFailures() {
	v.Store.ForgetFailures()
	v.Catalog.Forget()
	v.fetchPinned()
}

// Suspend makes waiting reads fail.
func (v *Service) Suspend() { v.Store.Suspend(ErrUnmounting) }

// Close ends all downloads and the background work. Call it after the unmount.
func (v *Service) Close() {
	v.cancel()
	v.Store.CloseAssets()
	v.background.Wait()
	v.Catalog.Close()
	v.ledger.Close()
}

// SetLastError keeps the text of the last error for the status.
func (v *Service) SetLastError(text string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.lastErr, v.lastErrAt = text, time.Now()
}
