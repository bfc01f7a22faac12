package fakeapi

import "time"

// entry is an asset and what has happened to it.
type entry struct {
	asset   Asset
	video   bool // the base API does not know its ID
	faults  faults
	put     time.Time
	calls   int        // of metadata
	answers int        // of any kind
	old     validators // before they changed
	changed time.Time  // when they changed; zero: never
}

// place returns where the asset is stored.
func (e *entry) place() place { return place{e.asset.Bucket, e.asset.Blob} }

// follow takes the old validators from the entry that e replaces.
func (e *entry) follow(before *entry) {
	if before == nil {
		return
	}
	e.old, e.changed = before.old, before.changed
	was, is := &before.asset, &e.asset
	if was.etag() != is.etag() || was.LastModified != is.LastModified || !was.ModTime.Equal(is.ModTime) {
		e.old, e.changed = validators{was.etag(), was.lastModified()}, time.Now()
	}
}

// show counts an answer, and returns the asset as that answer should show it.
func (e *entry) show(op string, now time.Time) Asset {
	if op == opMetadata {
		e.calls++
	}
	a := e.asset
	a.turn.number = e.answers
	e.answers++
	if !e.changed.IsZero() && now.Sub(e.changed) < a.StaleFor {
		stale := e.old
		a.turn.stale = &stale
	}
	if a.ReadyAfter > 0 && now.Sub(e.put) >= a.ReadyAfter || a.ReadyCalls > 0 && e.calls > a.ReadyCalls {
		a.UploadStatus = ""
	}
	return a
}
