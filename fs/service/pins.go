package service

import (
	"context"
	"time"

	"assetfs/fs/asset"
)

const (
	// pinPause is how long to wait before pinned assets are fetched again that could not be
	// fetched, or that have lost again what was fetched. It doubles each time, up to pinPauseMost.
	pinPause     = time.Minute
	pinPauseMost = time.Hour
)

// SetPinned pins assets, so that they are never dropped from the spool and their absent bytes are
// fetched in the background, or unpins them. It returns the error of each. What is fetched takes no
// room from those that are still to be pinned; those that are not listed come last.
func (v *Service) SetPinned(ctx context.Context, ids []string, pinned bool) []error {
	errs := make([]error, len(ids))
	var at, unlisted []int
	var assets []*asset.Asset
	for i, id := range ids {
		switch {
		case v.Catalog.Listed(id) != nil, !pinned && v.Store.Asset(id).Status().Pinned: // also of what nobody lists any more
			at, assets = append(at, i), append(assets, v.Store.Asset(id))
		case pinned:
			unlisted = append(unlisted, i)
		default:
			errs[i] = errNoAsset
		}
	}
	err := v.Store.SetPinned(pinned, assets...)
	for _, i := range at {
		errs[i] = err
	}
	for _, i := range unlisted {
		if _, errs[i] = v.find(ctx, ids[i]); errs[i] == nil {
			errs[i] = v.Store.SetPinned(true, v.Store.Asset(ids[i]))
		}
	}
	for i, id := range ids {
		if a := v.Catalog.Met(id); pinned && errs[i] == nil && a != nil {
			Engine(a).freeLater.Store(false)
		}
	}
	if pinned {
		v.fetchPinned()
	}
	return errs
}

// fetchPinned starts fetching pinned assets in the background, one after the other.
func (v *Service) fetchPinned() {
	select {
	case v.pins <- struct{}{}:
	default: // it has one already
	}
}

// keepPinned fetches absent bytes of pinned assets until the mount ends.
func (v *Service) keepPinned() {
	keep(v.ctx, v.pins, v.Store.PinsChanged(), v.fetchAbsentPins)
}

// keep calls fetch, which reports whether it got all, again and again until ctx ends: at once when asked
// has an element; when changed has one, at once for the first time, and later, as after a failure,
// with growing pauses. Otherwise content that changes for ever, or a disk that keeps nothing, would be paid
// for without end.
func keep(ctx context.Context, asked, changed <-chan struct{}, fetch func() bool) {
	atOnce := make(chan struct{})
	close(atOnce)
	for pause := time.Duration(0); ; {
		again := changed
		if !fetch() {
			pause, again = max(pause, pinPause), atOnce
		}
		ended := time.Now()
		select {
		case <-time.After(pause):
		case <-asked:
			pause = 0
			continue
		case <-ctx.Done():
			return
		}
		select {
		case <-again:
			if pause = min(max(2*pause, pinPause), pinPauseMost); time.Since(ended) > pinPauseMost {
				pause = pinPause // all was well for long
			}
		case <-asked:
			pause = 0
		case <-ctx.Done():
			return
		}
	}
}

// fetchAbsentPins fetches the absent bytes of pinned assets, and reports whether none are
// absent afterwards.
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
