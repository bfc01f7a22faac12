package catalog

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"assetfs/fs/asset"
)

// Errors of an API and of Facts wrap these where they mean that. Any other error
// is a failure of the asset.
var (
	// ErrNotNow means that no request can be made at the moment: no slot of the
	// rate limit is free, the host is away, there is no key. It says nothing of
	// the asset.
	ErrNotNow = errors.New("no request may start now")
	// ErrNoCall means that the API has no metadata call.
	ErrNoCall = errors.New("no metadata call")
	// ErrUploading means that the upload of the asset is not finished.
	ErrUploading = errors.New("upload not finished")
	// ErrUntold means that metadata says nothing about the asset. A download may.
	ErrUntold = errors.New("no metadata of this asset")
	// ErrNotFound means that there is no such asset.
	ErrNotFound = errors.New("no such asset")
)

// What a stat or a lookup fails with when its time is over.
var (
	// ErrBusy means that its turn did not come.
	ErrBusy = errors.New("no request was free in time")
	// ErrSlow means that the server did not answer.
	ErrSlow = errors.New("no answer in time")
)

// API is the part of the remote API that the catalog uses.
type API interface {
	// Metadata makes the free metadata call. In the background it takes a slot
	// of the rate limit if one is free, and else fails with ErrNotNow; otherwise
	// it waits for one as long as ctx allows. Size is -1 and ModTime zero where
	// the answer does not say.
	Metadata(ctx context.Context, background bool, id string) (asset.Info, error)
	// Budgets returns what stands before a background call of each kind.
	Budgets() (metadata, downloads Budget)
}

// Budget is what stands before a background call.
type Budget struct {
	Available int       // calls that may start now
	Next      time.Time // when to look again if none may
	Away      bool      // the host can't be reached
}

// Facts is what is known of one asset, with the download as a way to learn more.
// An asset.Asset has it.
type Facts interface {
	Info() asset.Info
	Learn(asset.Info)
	Contact(context.Context, asset.Contact) (asset.Info, error)
}

// A Record keeps for the next mount what users have been shown.
type Record interface {
	// Load returns the name of each asset known, "" for one without, and the
	// note that was saved last, "" if none was.
	Load() (names map[string]string, note string)
	// Save adds names by ID, and replaces the note. Both are on disk when it
	// returns.
	Save(names map[string]string, note string)
}

// Options are required but where it says otherwise.
type Options struct {
	Pattern    *regexp.Regexp // what a valid ID looks like, anchored
	ByMetadata bool           // names come from the metadata call, not from the download's header
	ListWait   time.Duration  // how long a listing waits for names
	RetryFor   time.Duration  // how long a stat waits for its turn
	API        API
	Record     Record
	// Facts makes what knows the facts about an asset. It is called once for
	// each, under the catalog's lock, and does no I/O. learnt is to be called
	// whenever facts were added; it takes no lock but a leaf.
	Facts func(id string, learnt func()) Facts
	// Fold has names match that differ in case or normal form alone, as macOS
	// asks for them.
	Fold bool
	// Changed is called, with no lock held, after the list of names of a
	// directory has changed; nil: nobody.
	Changed func()

	// Scopes are the libraries. The videos of a single one stand in the root, of
	// several each has a directory. All below may be nil without any.
	Scopes []string
	Lister Lister
	Notes  Notes // keeps lists for the next mount
	// Looked is called, with no lock held, after each look at a library; nil:
	// nobody.
	Looked func(Look)
}

// An Asset is one asset met. Its methods may be called concurrently.
type Asset struct {
	ID      string
	Ino     uint64 // of the file
	LinkIno uint64 // of the link in by-id

	c     *Catalog
	facts atomic.Pointer[Facts] // nil while it is asleep, see Awake

	// Catalog.mu guards what follows.
	name   string // of the directory entry, given for good; "" while none is
	place  int    // in the list; -1 not listed
	looked bool   // listed because it was looked up in this mount
	sought bool   // looked up, and nobody could be asked about it yet
	*state        // nil while it is asleep
	video  *video // what a library tells; nil: none
}

// Catalog is all assets of a mount. Its methods may be called concurrently.
type Catalog struct {
	o      Options
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // background goroutines
	known  *regexp.Regexp // Pattern, in any case of letters

	// naming is held while names are given and recorded, so that they are on
	// disk before anybody sees them. It is taken before mu.
	naming sync.Mutex

	mu      sync.Mutex // guards what follows; taken before the locks of Facts; no I/O under it
	byID    map[string]*Asset
	ids     map[string]bool // folded IDs
	giving  bool            // names are taken, and being recorded
	inos    map[uint64]struct{}
	list    []*Asset // in order, but for those of libraries
	top     *Dir     // the root
	libs    []*library
	unnamed map[*Asset]bool // assets without a name whose own may be known by now
	links   dirTime
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

// firstIno is the first inode number that the catalog gives; the caller may use
// those below.
const firstIno = 16

// ByID is the name of the directory of links.
const ByID = "by-id"

// New returns a catalog of what the record knows, with nothing listed. Close
// ends it.
func New(o Options) *Catalog {
	c := &Catalog{
		o:       o,
		known:   regexp.MustCompile("(?i:" + o.Pattern.String() + ")"),
		byID:    map[string]*Asset{},
		ids:     map[string]bool{},
		inos:    map[uint64]struct{}{},
		unnamed: map[*Asset]bool{},
		learnt:  map[*Asset]bool{},
		changed: make(chan struct{}),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.calls = newSweep(c, byCall)
	c.headers = newSweep(c, byHeader)
	c.top = newDir(c, "")
	names, note := o.Record.Load()
	c.top.time, c.links = parseTimes(note)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(names)) {
		a := c.meetLocked(id)
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
		l.lookLocked()
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

// meetLocked returns the asset of an ID, made when it is new.
func (c *Catalog) meetLocked(id string) *Asset {
	if a := c.byID[id]; a != nil {
		return a
	}
	a := c.newAssetLocked(id)
	a.wakeLocked()
	c.ids[FoldName(id)] = true
	return a
}

func (c *Catalog) newAssetLocked(id string) *Asset {
	a := new(Asset)
	c.beginLocked(a, id)
	return a
}

func (c *Catalog) beginLocked(a *Asset, id string) {
	a.ID, a.Ino, a.LinkIno, a.c, a.place = id, c.inoLocked(id), c.inoLocked(ByID+"/"+id), c, -1
	c.byID[id] = a
}

// wakeLocked makes what an asset needs that is more than listed.
func (a *Asset) wakeLocked() Facts {
	if f := a.facts.Load(); f != nil {
		return *f
	}
	c := a.c
	facts := c.o.Facts(a.ID, func() {
		c.learntMu.Lock()
		defer c.learntMu.Unlock()
		c.learnt[a] = true
	})
	if a.state == nil {
		a.state = new(state)
	}
	if a.video != nil {
		facts.Learn(a.video.info())
	}
	a.facts.Store(&facts)
	return facts
}

// Facts returns what knows the facts about an asset. It wakes one that is asleep.
func (a *Asset) Facts() Facts {
	if f := a.facts.Load(); f != nil {
		return *f
	}
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.wakeLocked()
}

// Awake returns what Facts does, or nil of an asset that is asleep: a video that is
// listed, and that nobody has opened. Of 100 000 most are.
func (a *Asset) Awake() Facts {
	if f := a.facts.Load(); f != nil {
		return *f
	}
	return nil
}

// inoLocked returns a stable inode number for what key names: its hash, or the
// next free number where that is taken.
func (c *Catalog) inoLocked(key string) uint64 {
	ino := hash(key)
	for {
		if _, taken := c.inos[ino]; !taken && ino >= firstIno {
			c.inos[ino] = struct{}{}
			return ino
		}
		ino++
	}
}

// SetList makes ids the listed assets, in that order. Those looked up in this
// mount stay, behind them.
func (c *Catalog) SetList(ids []string) {
	c.change(func() {
		was := c.list
		before := map[*Asset]bool{}
		for _, a := range was {
			a.place = -1
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

// addLocked puts a at the end of the list, unless it is listed.
func (c *Catalog) addLocked(a *Asset) {
	if a.place >= 0 {
		return
	}
	a.wakeLocked()
	a.place = len(c.list)
	c.list = append(c.list, a)
	a.housedLocked()
	if a.name == "" {
		c.unnamed[a] = true
	}
}

// grownLocked is called when the list holds what it didn't.
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
		}
	})
}

// Forget lets everything that failed be tried again at once.
func (c *Catalog) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.byID {
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
		l.lookLocked()
	}
}

// notifyLocked wakes those that wait for names.
func (c *Catalog) notifyLocked() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// Listed returns the asset of an ID that is in the list, or nil.
func (c *Catalog) Listed(id string) *Asset {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.byID[id]; a != nil && a.listedLocked() {
		return a
	}
	return nil
}

func (a *Asset) listedLocked() bool { return a.place >= 0 || a.video != nil && a.video.listed }

// All returns every asset met that is awake, in no order.
func (c *Catalog) All() []*Asset {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*Asset
	for _, a := range c.byID {
		if a.facts.Load() != nil {
			all = append(all, a)
		}
	}
	return all
}

// Name returns the name under which a directory shows a, and whether that is its
// own, not just the ID.
func (a *Asset) Name() (name string, own bool) {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	return a.shownLocked(), a.name != ""
}

func (a *Asset) shownLocked() string {
	if a.name != "" {
		return a.name
	}
	return a.ID
}
