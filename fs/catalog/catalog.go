package catalog

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"
	"time"

	"assetfs/fs/asset"
)

// Errors of an API and of Facts wrap these for what they mean. Any other error is a failure of the asset.
var (
	// ErrNotNow means that no request can be made now: the rate limit has no free slot, the host can't
	// be reached, or there is no key. It says nothing about the asset.
	ErrNotNow = errors.New("no request may start now")
	// ErrStuck is ErrNotNow until somebody does something about it: there is no key, or none that the
	// API accepts, a proxy refuses, or the budget is used up.
	ErrStuck = fmt.Errorf("no request can succeed: %w", ErrNotNow)
	// ErrNoCall means that the API has no metadata call.
	ErrNoCall = errors.New("no metadata call")
	// ErrUploading means that the upload of the asset is not finished.
	ErrUploading = errors.New("upload not finished")
	// ErrUntold means that metadata says nothing about the asset. A download may.
	ErrUntold = errors.New("no metadata of this asset")
	// ErrNotFound means that there is no such asset.
	ErrNotFound = errors.New("no such asset")
)

// Errors of a stat or a lookup that took too long.
var (
	// ErrBusy means that its turn did not come.
	ErrBusy = errors.New("no request was free in time")
	// ErrSlow means that the server did not answer.
	ErrSlow = errors.New("no answer in time")
)

// API is the part of the remote API that the catalog uses.
type API interface {
	// Metadata makes the free metadata call. In the background it takes a slot of the rate limit if
	// one is free, and otherwise fails with ErrNotNow; else it waits for one until ctx ends. Size is
	// -1 and ModTime zero if the answer doesn't say.
	Metadata(ctx context.Context, background bool, id string) (asset.Info, error)
	// Budgets says what keeps a background call of each kind back.
	Budgets() (metadata, downloads Budget)
}

// Budget says what keeps a background call back.
type Budget struct {
	Available int       // calls that may start now
	Next      time.Time // when to look again if none may
	Away      bool      // the host can't be reached
}

// Facts is what is known of one asset, and a way to learn more by a download. asset.Asset implements it.
type Facts interface {
	Info() asset.Info
	Learn(asset.Info)
	Contact(context.Context, asset.Contact) (asset.Info, error)
}

// Names keeps the names of assets for the next mount. They are on the disk when a call returns.
type Names interface {
	Names() map[string]string // by ID; "" of an asset that is known, and has none
	SetNames(map[string]string)
}

// Notes keeps texts for the next mount.
type Notes interface {
	Note(name string) string
	SetNote(name, text string) error
}

// Options configure a Catalog. All are required, unless they say otherwise.
type Options struct {
	Pattern    *regexp.Regexp // what a valid ID looks like, anchored
	ByMetadata bool           // names come from the metadata call, not from the download's header
	ListWait   time.Duration  // how long a listing waits for names
	RetryFor   time.Duration  // how long a stat waits for its turn
	API        API
	Names      Names
	Notes      Notes
	// Facts makes the facts of an asset. It is called once for each asset, under the catalog's lock, and
	// does no I/O. It must call learnt whenever facts were added; learnt takes only one lock, a leaf.
	Facts func(id string, learnt func()) Facts
	// Fold makes names match even if they differ in case or normal form, as macOS asks for them.
	Fold bool
	// Changed is called, with no lock held, after the list of names of a directory has changed. It may
	// be nil.
	Changed func()

	// Scopes are the libraries. The videos of a single library are shown in the root; of several, each
	// has a directory. Without any, Lister may be nil.
	Scopes []string
	Lister Lister
	// Looked is called, with no lock held, after each look at a library. It may be nil.
	Looked func(Look)
}

// Catalog holds all assets of a mount. Its methods may be called concurrently.
type Catalog struct {
	o      Options
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // background goroutines
	known  *regexp.Regexp // Pattern, in any case of letters

	// naming is held while names are given and recorded, so that they are on the disk before anybody
	// sees them. It is taken before mu.
	naming sync.Mutex

	mu      sync.Mutex        // guards what follows; taken before the locks of Facts; no I/O under it
	assets  map[uint64]*Asset // by inode number
	giving  bool              // names are taken, and being recorded
	list    []*Asset          // in order, but for those of libraries
	top     *Dir              // the root
	links   *Dir              // by-id
	libs    []*library
	unnamed map[*Asset]bool // assets without a name whose own may be known by now
	started bool
	closed  bool
	calls   *sweep    // metadata
	headers *sweep    // heads of downloads
	noCall  bool      // the API has shown that it has no metadata call
	listed  time.Time // when the root was listed last
	noTimes time.Time // metadata is not asked for a time alone before
	lookBy  time.Time // until when lookups wait for names; zero: none has since the list changed
	changed chan struct{}

	learntMu sync.Mutex      // guards learnt; a leaf
	learnt   map[*Asset]bool // facts were added since names were given last
}

// New returns a catalog with what earlier mounts have recorded, and no ID listed. Close ends it.
func New(o Options) *Catalog {
	c := &Catalog{
		o:       o,
		known:   regexp.MustCompile("(?i:" + o.Pattern.String() + ")"),
		assets:  map[uint64]*Asset{},
		unnamed: map[*Asset]bool{},
		learnt:  map[*Asset]bool{},
		changed: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.calls = newSweep(c, byCall)
	c.headers = newSweep(c, byHeader)
	c.top, c.links = newDir(c, ""), newDir(c, ByID)
	names := o.Names.Names()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(names)) {
		a := c.meetLocked(id)
		a.wakeLocked()
		if a.name = names[id]; a.name != "" {
			c.top.names[FoldName(a.name)] = a
		}
	}
	c.openLibrariesLocked()
	return c
}

// Start lets the catalog use the network in the background.
func (c *Catalog) Start() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.started = true
	c.calls.kickLocked(false)
	for _, l := range c.libs {
		l.lookLocked(false)
	}
}

// Close ends what runs in the background.
func (c *Catalog) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.wg.Wait()
}

// SetList makes ids the listed assets, in that order. Assets that were looked up in this mount stay,
// after them.
func (c *Catalog) SetList(ids []string) {
	c.change(func() {
		was := c.list
		before := make(map[*Asset]bool, len(was))
		for _, a := range was {
			a.alterLocked(func() { a.place = -1 })
			before[a] = true
		}
		c.list = make([]*Asset, 0, len(ids))
		for _, id := range ids {
			c.addLocked(c.meetLocked(id))
		}
		for _, a := range was {
			if a.looked {
				c.addLocked(a)
			}
			a.housedLocked()
		}
		if slices.ContainsFunc(c.list, func(a *Asset) bool { return !before[a] }) {
			c.grownLocked()
		}
	})
}

// addLocked puts a at the end of the list, unless it is listed already.
func (c *Catalog) addLocked(a *Asset) {
	if a.place >= 0 {
		return
	}
	if a.name == "" {
		c.top.yieldLocked(a)
	}
	a.alterLocked(func() { a.place = int32(len(c.list)) })
	c.list = append(c.list, a)
	a.housedLocked()
	if a.name == "" {
		c.unnamed[a] = true
	}
}

// grownLocked is called when something was added to the list.
func (c *Catalog) grownLocked() {
	c.lookBy = time.Time{}
	c.calls.kickLocked(false)
	c.notifyLocked()
}

// show lists an asset that was looked up.
func (c *Catalog) show(a *Asset) {
	c.change(func() {
		a.looked = true
		if a.place < 0 {
			c.addLocked(a)
			c.grownLocked()
			c.calls.hold = time.Now().Add(lookAgain) // the program that looked reads first
		}
	})
	c.giveNames(false)
}

// Forget lets everything that failed be tried again at once, and looks at the libraries.
func (c *Catalog) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.assets {
		if a.state != nil {
			a.forgetLocked()
		}
	}
	c.noCall, c.noTimes, c.lookBy = false, time.Time{}, time.Time{}
	c.calls.kickLocked(true)
	if c.headers.wanted {
		c.headers.kickLocked(true)
	}
	for _, l := range c.libs {
		l.lookLocked(true)
	}
}

// notifyLocked wakes those that wait for names.
func (c *Catalog) notifyLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Met returns the asset of an ID, listed or not, or nil if nobody has met it.
func (c *Catalog) Met(id string) *Asset {
	c.mu.Lock()
	defer c.mu.Unlock()
	a, _ := c.findLocked(id)
	return a
}

// Listed returns the listed asset of an ID, or nil.
func (c *Catalog) Listed(id string) *Asset {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a, _ := c.findLocked(id); a != nil && a.listedLocked() {
		return a
	}
	return nil
}
