package fs

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/remote"
)

var _ catalog.API = source{}

// Metadata makes the metadata call.
func (s source) Metadata(ctx context.Context, background bool, id string) (asset.Info, error) {
	i, err := s.client.Metadata(ctx, class(background), id)
	if err != nil {
		if re := (*remote.Error)(nil); errors.As(err, &re) && re.SaysNothing() {
			err = &meant{err, catalog.ErrUntold}
		}
		return asset.Info{Size: -1}, meaning(err)
	}
	return info(i, false), nil
}

// Budgets is what stands before background calls.
func (s source) Budgets() (metadata, downloads catalog.Budget) {
	return budget(s.client.MetadataBudget(remote.Background)), budget(s.client.Budget(remote.Background))
}

func budget(b remote.Budget) catalog.Budget {
	if b.Down == nil {
		return catalog.Budget{Available: b.Available, Next: b.Next}
	}
	next := b.Next
	if next.Before(b.Until) {
		next = b.Until
	}
	return catalog.Budget{Next: next, Away: errors.Is(b.Down, remote.ErrUnreachable)}
}

// content is one asset as the catalog and the kernel see it.
type content struct {
	*asset.Asset
	retired   atomic.Uint64 // whole inodes that were opened in part
	freeLater atomic.Bool   // its room is to be given back at the last close
	visitors  visitors
	sizes     sync.Map // *sizes by generation of the inode
}

var _ catalog.Facts = (*content)(nil)

// engine returns what reads the bytes of a.
func engine(a *catalog.Asset) *content { return a.Facts().(*content) }

// awake returns what engine does, or nil of a video that is listed and that nobody has
// opened.
func awake(a *catalog.Asset) *content {
	e, _ := a.Awake().(*content)
	return e
}

// stateOf returns the present state of a. That of one asleep is the first that its
// engine has.
func stateOf(a *catalog.Asset) state {
	if e := awake(a); e != nil {
		return e.state()
	}
	size, _, _ := a.Told()
	return state{sized: size >= 0}
}

// sizeOf returns the size of a, or -1.
func sizeOf(a *catalog.Asset) int64 {
	if e := awake(a); e != nil {
		return e.Info().Size
	}
	size, _, _ := a.Told()
	return size
}

// spooledOf returns how many bytes of a are present.
func spooledOf(a *catalog.Asset) int64 {
	if e := awake(a); e != nil {
		return e.Present()
	}
	return 0
}

// Contact is asset.Asset's, with errors that the catalog understands.
func (c *content) Contact(ctx context.Context, how asset.Contact) (asset.Info, error) {
	i, err := c.Asset.Contact(ctx, how)
	return i, meaning(err)
}

// meaning adds to an error what it means to the catalog.
func meaning(err error) error {
	var re *remote.Error
	errors.As(err, &re)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, remote.ErrNoMetadata):
		return &meant{err, catalog.ErrNoCall}
	case errors.Is(err, remote.ErrUploading):
		return &meant{err, catalog.ErrUploading}
	case errors.Is(err, remote.ErrNoSlot), errors.Is(err, remote.ErrUnreachable), errors.Is(err, remote.ErrProxy), errors.Is(err, remote.ErrNoKey), errors.Is(err, remote.ErrBudget),
		errors.Is(err, asset.ErrClosed), errors.Is(err, errUnmounting):
		return &meant{err, catalog.ErrNotNow}
	case re != nil && re.Number() == tooMany:
		return &meant{err, catalog.ErrBusy}
	case re != nil && re.NotFound():
		return &meant{err, catalog.ErrNotFound}
	}
	return err
}

// tooMany is the number of errors of the rate limit, which reach us only when ctx
// has ended.
const tooMany = 429

// meant is an error with its meaning to the catalog, which is not told to people.
type meant struct{ err, meaning error }

func (e *meant) Error() string   { return e.err.Error() }
func (e *meant) Unwrap() []error { return []error{e.err, e.meaning} }

// record keeps names and times of directories in the store.
type record struct{ store *asset.Store }

var _ catalog.Record = record{}

// noteTimes is the store's note of the times of directories.
const noteTimes = "directories"

func (r record) Load() (names map[string]string, note string) {
	return r.store.Names(), r.store.Note(noteTimes)
}

// Save has them written. The store logs what can't be, and tries again.
func (r record) Save(names map[string]string, note string) {
	if len(names) > 0 {
		r.store.SetNames(names)
	}
	_ = r.store.SetNote(noteTimes, note) // if it is lost, the directories seem changed after a restart
}
