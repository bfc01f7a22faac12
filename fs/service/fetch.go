package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/dustin/go-humanize"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
)

// This file has what commands do with an asset, apart from reading it: see DESIGN.md, "The
// command line".

var (
	errNoAsset = errors.New("there is no such asset")
	errPinned  = errors.New("it is pinned; write assetfs unpin first")
)

// find returns the asset with that ID. If it is not listed the server is asked.
func (v *Service) find(ctx context.Context, id string) (*catalog.Asset, error) {
	a, err := v.Catalog.LookupID(ctx, id)
	if a == nil && err == nil {
		err = errNoAsset
	}
	return a, err
}

// known returns the asset of an ID that is listed, or of which something is in the spool; nil if there
// is none.
func (v *Service) known(id string) *catalog.Asset {
	if v.Store.Holds(id) {
		return v.Catalog.Met(id)
	}
	return v.Catalog.Listed(id)
}

// Asset returns the status of one asset. If its size is unknown it asks for it; ctx ends that
// wait. The status is valid even with an error.
func (v *Service) Asset(ctx context.Context, id string) (AssetStatus, error) {
	a, err := v.find(ctx, id)
	if err != nil {
		return AssetStatus{ID: id, Size: -1}, err
	}
	if a.Info().Size < 0 {
		err = v.Catalog.Stat(ctx, a)
	}
	return v.assetStatus(a), err
}

// Peek returns the status of one asset from memory only.
func (v *Service) Peek(id string) AssetStatus {
	a := v.known(id)
	if a == nil {
		return AssetStatus{ID: id, Size: -1}
	}
	s := v.assetStatus(a)
	if v.Catalog.Listed(id) == nil {
		s.Name = "" // which no directory shows
	}
	return s
}

// Cost is the price of n bytes in dollars.
func (v *Service) Cost(n int64) float64 { return v.ledger.Cost(n) }

// fetcher is the command that waits for a whole asset.
type fetcher struct{ pid int }

var _ asset.Caller = fetcher{}

// Program returns the command's name and process.
func (f fetcher) Program() (name string, pid int) { return "assetfs fetch", f.pid }

// Patient returns true: otherwise it would take every turn.
func (f fetcher) Patient() bool { return true }

// ForProcess returns a context for a Fetch that the process pid has asked for. Without it the
// asker is this process.
func ForProcess(ctx context.Context, pid int) context.Context {
	return context.WithValue(ctx, asset.CallerKey{}, fetcher{pid})
}

// changes is how often Fetch starts again with an asset whose content changes.
const changes = 3

// Fetch brings the whole asset into the spool, like a program that reads it, but with as few
// requests as possible. ctx ends the wait; what has come stays in the spool. The asset can't be
// dropped from the spool until release is called.
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
	if limit := v.Store.State().Limit; limit > 0 && e.Info().Size > limit {
		return nil, fmt.Errorf("%s of %s are more than --spool-size allows (%s): %w", humanize.IBytes(uint64(e.Info().Size)), a.ID, humanize.IBytes(uint64(limit)), syscall.ENOSPC)
	}
	r := e.Open()
	release = func() {
		r.Close()
		v.FreeAtClose(a)
	}
	if err := r.Fetch(ctx); err != nil {
		release()
		return nil, err
	}
	return release, nil
}

// Hold keeps in the spool what is there of assets, listed or not, until release is called.
func (v *Service) Hold(ids []string) (release func()) {
	held := map[string]*asset.Reader{}
	for _, id := range ids {
		if held[id] == nil && v.Store.Holds(id) {
			held[id] = v.Store.Asset(id).Open()
		}
	}
	return func() {
		for id, r := range held {
			r.Close()
			if a := v.Catalog.Met(id); a != nil {
				v.FreeAtClose(a)
			}
		}
	}
}

// Free drops an asset, listed or not, from the spool. Programs that have it open can go on reading. If the
// kernel may be reading it by itself, nothing is dropped until its last close: then later is
// true.
func (v *Service) Free(id string) (freed int64, later bool, err error) {
	a := v.known(id)
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
	return freed, later, nil
}

// FreeAtClose completes, when a handle is closed, a Free that had to wait.
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
	v.o.Log.Info("freed at its last close", "asset", a.ID, "bytes", freed)
}
