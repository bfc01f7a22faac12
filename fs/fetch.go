package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/dustin/go-humanize"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
)

// What commands do with an asset beside reading it: see DESIGN.md, "The command
// line".

var (
	errNoAsset = errors.New("there is no such asset")
	errPinned  = errors.New("it is pinned; write assetfs unpin first")
)

// find returns the asset with that ID, and asks for one that is not listed.
func (f *FS) find(ctx context.Context, id string) (*catalog.Asset, error) {
	a, err := f.catalog.LookupID(ctx, id)
	if a == nil && err == nil {
		err = errNoAsset
	}
	return a, err
}

// Asset tells of one asset. If its size is not known it is found out, and then
// ctx ends the waiting. The status holds with an error, too.
func (f *FS) Asset(ctx context.Context, id string) (AssetStatus, error) {
	a, err := f.find(ctx, id)
	if err != nil {
		return AssetStatus{ID: id, Size: -1}, err
	}
	if sizeOf(a) < 0 {
		err = f.catalog.Stat(ctx, a)
	}
	return f.assetStatus(a), err
}

// Peek tells of one asset what is known of it without asking for more.
func (f *FS) Peek(id string) (AssetStatus, bool) {
	a := f.catalog.Listed(id)
	if a == nil {
		return AssetStatus{ID: id, Size: -1}, false
	}
	return f.assetStatus(a), true
}

// Cost is the price of n bytes in dollars.
func (f *FS) Cost(n int64) float64 { return f.ledger.Cost(n) }

// changes is how often Fetch begins again with an asset whose content changes.
const changes = 3

// Fetch brings the whole of an asset into the spool, as a program that reads it
// would, but with as few requests as possible. ctx ends the waiting; what has
// come stays. Until release is called the asset stays in the spool.
func (f *FS) Fetch(ctx context.Context, id string) (release func(), err error) {
	if ctx.Value(asset.CallerKey{}) == nil {
		ctx = ForProcess(ctx, os.Getpid())
	}
	a, err := f.find(ctx, id)
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		release, err = f.fetch(ctx, a)
		if err == nil {
			return release, nil
		}
		if !errors.Is(err, asset.ErrChanged) || n == changes {
			_ = f.failed("fetch", a, err) // nobody wants the number
			return nil, err
		}
	}
}

func (f *FS) fetch(ctx context.Context, a *catalog.Asset) (release func(), err error) {
	e := engine(a)
	by, _ := ctx.Value(asset.CallerKey{}).(asset.Caller)
	x := &wait{op: "fetch", asset: a, caller: by}
	f.waits.begin(x)
	defer f.waits.end(x)
	if err := f.catalog.Contact(ctx, a); err != nil {
		return nil, err
	}
	if !e.Info().Header { // names come from metadata: the content is unseen yet
		if _, err := e.Contact(ctx, asset.Contact{}); err != nil {
			return nil, err
		}
	}
	if limit := f.store.Usage().Limit; limit > 0 && e.Info().Size > limit {
		return nil, fmt.Errorf("%s of %s are more than --spool-size allows (%s): %w", humanize.IBytes(uint64(e.Info().Size)), a.ID, humanize.IBytes(uint64(limit)), syscall.ENOSPC)
	}
	r := e.Open()
	if err := r.Fetch(ctx); err != nil {
		r.Close()
		f.freeAtClose(a)
		return nil, err
	}
	return func() {
		r.Close()
		f.freeAtClose(a)
	}, nil
}

// Free gives back the room of an asset. Whoever has it open reads on. While the
// kernel may be reading it by itself nothing goes until its last close: then
// later is true.
func (f *FS) Free(id string) (freed int64, later bool, err error) {
	a := f.catalog.Listed(id)
	if a == nil {
		return 0, false, errNoAsset
	}
	e := engine(a)
	if e.Pinned() {
		return 0, false, errPinned
	}
	e.EndIdle()
	e.freeLater.Store(true) // before it is known: the last close may be on its way
	if freed, later = e.Free(); !later {
		e.freeLater.Store(false)
	}
	f.forgotten(a)
	return freed, later, nil
}

// freeAtClose does what Free could not.
func (f *FS) freeAtClose(a *catalog.Asset) {
	e := engine(a)
	if !e.freeLater.Load() || e.Pinned() {
		return
	}
	e.EndIdle()
	freed, later := e.Free()
	if later {
		return // somebody else has it open
	}
	e.freeLater.Store(false)
	f.forgotten(a)
	f.o.Log.Info("freed at its last close", "asset", a.ID, "bytes", freed)
}

// forgotten has the kernel ask again how much of a is spooled.
func (f *FS) forgotten(a *catalog.Asset) {
	for _, path := range []string{a.Path(), a.ID} {
		node := &f.root.Inode
		for name := range strings.SplitSeq(path, "/") {
			if node = node.GetChild(name); node == nil {
				break
			}
		}
		if node != nil {
			_ = node.NotifyContent(-1, 0) // without it the kernel asks once its time is up
		}
	}
}

// SetPinned keeps an asset in the spool whatever room is needed, and has what is
// absent of it fetched in the background; or no longer.
func (f *FS) SetPinned(ctx context.Context, id string, pinned bool) error {
	a, err := f.find(ctx, id)
	if err != nil {
		return err
	}
	e := engine(a)
	if err := e.SetPinned(pinned); err != nil {
		return err
	}
	if pinned {
		e.freeLater.Store(false)
		f.fetchPinned()
	}
	return nil
}

const (
	// pinRetry is after how long a pinned asset that could not be fetched is
	// tried again, doubling up to pinRetryMost.
	pinRetry     = time.Minute
	pinRetryMost = time.Hour
)

// fetchPinned has pinned assets fetched, one after the other, in the background.
func (f *FS) fetchPinned() {
	select {
	case f.pins <- struct{}{}:
	default: // they are looked at soon
	}
}

// keepPinned fetches what is pinned and absent, until the mount ends.
func (f *FS) keepPinned() {
	pause := pinRetry
	for {
		var retry <-chan time.Time
		if !f.fetchAbsentPins() {
			retry = time.After(pause)
			pause = min(2*pause, pinRetryMost)
		}
		select {
		case <-f.pins:
			pause = pinRetry
		case <-retry:
		case <-f.ctx.Done():
			return
		}
	}
}

// fetchAbsentPins fetches what is absent of pinned assets, and reports whether all
// is there then.
func (f *FS) fetchAbsentPins() bool {
	all := true
	for _, id := range f.store.AbsentPins() {
		if f.ctx.Err() != nil {
			return false
		}
		release, err := f.Fetch(f.ctx, id)
		if err != nil {
			all = false
			continue
		}
		release()
	}
	return all
}
