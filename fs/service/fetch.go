package service

import (
	"context"
	"errors"
	"fmt"
	"os"
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
func (v *Service) find(ctx context.Context, id string) (*catalog.Asset, error) {
	a, err := v.Catalog.LookupID(ctx, id)
	if a == nil && err == nil {
		err = errNoAsset
	}
	return a, err
}

// Asset tells of one asset. If its size is not known it is found out, and then
// ctx ends the waiting. The status holds with an error, too.
func (v *Service) Asset(ctx context.Context, id string) (AssetStatus, error) {
	a, err := v.find(ctx, id)
	if err != nil {
		return AssetStatus{ID: id, Size: -1}, err
	}
	if SizeOf(a) < 0 {
		err = v.Catalog.Stat(ctx, a)
	}
	return v.assetStatus(a), err
}

// Peek tells of one asset what is known of it without asking for more.
func (v *Service) Peek(id string) AssetStatus {
	a := v.Catalog.Listed(id)
	if a == nil {
		return AssetStatus{ID: id, Size: -1}
	}
	return v.assetStatus(a)
}

// Cost is the price of n bytes in dollars.
func (v *Service) Cost(n int64) float64 { return v.ledger.Cost(n) }

// fetcher is who waits for whole assets on behalf of a command.
type fetcher struct{ pid int }

// Program names the command.
func (f fetcher) Program() (name string, pid int) { return "assetfs fetch", f.pid }

// ForProcess returns a context for Fetch on behalf of a process that gave the
// command. Without one it is this process.
func ForProcess(ctx context.Context, pid int) context.Context {
	return context.WithValue(ctx, asset.CallerKey{}, fetcher{pid})
}

// changes is how often Fetch begins again with an asset whose content changes.
const changes = 3

// Fetch brings the whole of an asset into the spool, as a program that reads it
// would, but with as few requests as possible. ctx ends the waiting; what has
// come stays. Until release is called the asset stays in the spool.
func (v *Service) Fetch(ctx context.Context, id string) (release func(), err error) {
	if ctx.Value(asset.CallerKey{}) == nil {
		ctx = ForProcess(ctx, os.Getpid())
	}
	a, err := v.find(ctx, id)
	if err != nil {
		return nil, err
	}
	for n := 0; ; n++ {
		release, err = v.fetch(ctx, a)
		if err == nil {
			return release, nil
		}
		if !errors.Is(err, asset.ErrChanged) || n == changes {
			v.hooks.Failed("fetch", a, err)
			return nil, err
		}
	}
}

func (v *Service) fetch(ctx context.Context, a *catalog.Asset) (release func(), err error) {
	e := Engine(a)
	by, _ := ctx.Value(asset.CallerKey{}).(asset.Caller)
	x := &Wait{Op: "fetch", Asset: a, Caller: by}
	v.Waits.Begin(x)
	defer v.Waits.End(x)
	if err := v.Catalog.Contact(ctx, a); err != nil {
		return nil, err
	}
	if !e.Info().Header { // names come from metadata: the content is unseen yet
		if _, err := e.Contact(ctx, asset.Contact{}); err != nil {
			return nil, err
		}
	}
	if limit := v.Store.Usage().Limit; limit > 0 && e.Info().Size > limit {
		return nil, fmt.Errorf("%s of %s are more than --spool-size allows (%s): %w", humanize.IBytes(uint64(e.Info().Size)), a.ID, humanize.IBytes(uint64(limit)), syscall.ENOSPC)
	}
	r := e.Open()
	if err := r.Fetch(ctx); err != nil {
		r.Close()
		v.FreeAtClose(a)
		return nil, err
	}
	return func() {
		r.Close()
		v.FreeAtClose(a)
	}, nil
}

// Free gives back the room of an asset. Whoever has it open reads on. While the
// kernel may be reading it by itself nothing goes until its last close: then
// later is true.
func (v *Service) Free(id string) (freed int64, later bool, err error) {
	a := v.Catalog.Listed(id)
	if a == nil {
		return 0, false, errNoAsset
	}
	e := Engine(a)
	if e.Status().Pinned {
		return 0, false, errPinned
	}
	e.freeLater.Store(true) // before it is known: the last close may be on its way
	if freed, later = e.Free(); !later {
		e.freeLater.Store(false)
	}
	v.hooks.Freed(a)
	return freed, later, nil
}

// FreeAtClose does, at the end of each handle, what Free could not.
func (v *Service) FreeAtClose(a *catalog.Asset) {
	e := Engine(a)
	if !e.freeLater.Load() || e.Status().Pinned {
		return
	}
	freed, later := e.Free()
	if later {
		return // somebody else has it open
	}
	e.freeLater.Store(false)
	v.hooks.Freed(a)
	v.o.Log.Info("freed at its last close", "asset", a.ID, "bytes", freed)
}

// SetPinned keeps an asset in the spool whatever room is needed, and has what is
// absent of it fetched in the background; or no longer.
func (v *Service) SetPinned(ctx context.Context, id string, pinned bool) error {
	if !pinned {
		a := v.Store.Asset(id) // also of what nobody lists any more
		if !a.Status().Pinned && v.Catalog.Listed(id) == nil {
			return errNoAsset
		}
		return a.SetPinned(false)
	}
	a, err := v.find(ctx, id)
	if err != nil {
		return err
	}
	e := Engine(a)
	if err := e.SetPinned(true); err != nil {
		return err
	}
	e.freeLater.Store(false)
	v.fetchPinned()
	return nil
}

const (
	// pinRetry is after how long a pinned asset that could not be fetched is
	// tried again, doubling up to pinRetryMost.
	pinRetry     = time.Minute
	pinRetryMost = time.Hour
)

// fetchPinned has pinned assets fetched, one after the other, in the background.
func (v *Service) fetchPinned() {
	select {
	case v.pins <- struct{}{}:
	default: // they are looked at soon
	}
}

// keepPinned fetches what is pinned and absent, until the mount ends.
func (v *Service) keepPinned() {
	pause := pinRetry
	for {
		var retry <-chan time.Time
		if !v.fetchAbsentPins() {
			retry = time.After(pause)
			pause = min(2*pause, pinRetryMost)
			select {
			case <-v.Store.PinsChanged(): // what changes again and again is not paid for without end
			default:
			}
		}
		select {
		case <-v.pins:
			pause = pinRetry
		case <-v.Store.PinsChanged():
		case <-retry:
		case <-v.ctx.Done():
			return
		}
	}
}

// fetchAbsentPins fetches what is absent of pinned assets, and reports whether all
// is there then.
func (v *Service) fetchAbsentPins() bool {
	all := true
	for _, id := range v.Store.AbsentPins() {
		if v.ctx.Err() != nil {
			return false
		}
		release, err := v.Fetch(v.ctx, id)
		if err != nil {
			all = false
			continue
		}
		release()
	}
	return all
}
