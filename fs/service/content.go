package service

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/remote"
)

// Content is the reading engine of one asset, in the form that the catalog needs.
type Content struct {
	*asset.Asset
	freeLater atomic.Bool // its room is to be given back at the last close
}

var _ catalog.Facts = (*Content)(nil)

// Engine returns the reading engine of a.
func Engine(a *catalog.Asset) *Content { return a.Facts().(*Content) }

// Awake returns the reading engine of a, or nil if a is a listed video that nobody has opened.
func Awake(a *catalog.Asset) *Content {
	e, _ := a.Awake().(*Content)
	return e
}

// SpooledOf returns how many bytes of a are in the spool.
func SpooledOf(a *catalog.Asset) int64 {
	if e := Awake(a); e != nil {
		return e.Status().Present
	}
	return 0
}

// Describe returns what is known of a, and its times: those that the server gives, or when this
// content was first seen. They change when the content does, even if the server gives no time
// or still gives the old one. The times of a video come from its library.
func Describe(a *catalog.Asset) (i asset.Info, mtime, ctime time.Time) {
	i = a.Info()
	if Awake(a) == nil && a.IsVideo() {
		return i, i.ModTime, i.ModTime
	}
	s := Engine(a).Status()
	seen, changed := s.FirstSeen, s.Version > 0
	mtime = i.ModTime
	if mtime.IsZero() || changed && i.LastModified == "" && mtime.Before(seen) {
		mtime = seen
	}
	if ctime = mtime; changed && ctime.Before(seen) {
		ctime = seen
	}
	return i, mtime, ctime
}

// Prepare finds out, on the network if necessary, what an open of a must know.
func (v *Service) Prepare(ctx context.Context, a *catalog.Asset) error {
	e := Engine(a)
	// If only metadata says that the asset is empty, ask for its header: otherwise a read
	// would succeed whatever is wrong.
	if i := e.Info(); !i.Header && i.Size <= 0 {
		err := v.Catalog.Contact(ctx, a)
		if away := errors.Is(err, catalog.ErrNotNow); err != nil && (!away || i.Size != 0) { // of an empty one all is there
			return err
		}
	}
	// If no header gave a size, metadata may: splice and sendfile read nothing from an asset
	// of unknown size, and report no error.
	if e.Info().Size < 0 {
		return v.Catalog.Stat(ctx, a)
	}
	return nil
}

// LastError is the last that went wrong with a, and when, for people. It stands until the server sends
// something of a again.
func LastError(a *catalog.Asset) (at time.Time, stands bool, err error) {
	at, err = a.Err()
	var well time.Time
	if e := Awake(a); e != nil {
		s := e.Status()
		if well = s.WellAt; err == nil || s.LastErrorAt.After(at) {
			at, err = s.LastErrorAt, s.LastError
		}
	}
	return at, err != nil && !well.After(at), err
}

// ErrUnmounting is the error of waiting reads when the mount ends.
var ErrUnmounting = errors.New("being unmounted")

// Contact is like Contact of asset.Asset, with errors that the catalog understands.
func (c *Content) Contact(ctx context.Context, how asset.Contact) (asset.Info, error) {
	i, err := c.Asset.Contact(ctx, how)
	return i, meaning(err)
}

// meaning adds to an error, if there is one, the catalog's error for the same thing.
func meaning(err error) error {
	var re *remote.Error
	errors.As(err, &re)
	switch {
	case errors.Is(err, remote.ErrNoMetadata):
		return &meant{err, catalog.ErrNoCall}
	case errors.Is(err, remote.ErrUploading):
		return &meant{err, catalog.ErrUploading}
	case re != nil && re.Elsewhere() && (errors.Is(err, remote.ErrUnreachable) || re.Number() == tooMany):
		return err // trouble of this asset alone
	case errors.Is(err, remote.ErrNoKey), errors.Is(err, remote.ErrKeyRefused), errors.Is(err, remote.ErrProxy), errors.Is(err, remote.ErrBudget):
		return &meant{err, catalog.ErrStuck}
	case errors.Is(err, remote.ErrNoSlot), errors.Is(err, remote.ErrUnreachable), errors.Is(err, asset.ErrClosed), errors.Is(err, ErrUnmounting):
		return &meant{err, catalog.ErrNotNow}
	case re != nil && re.Number() == tooMany:
		return &meant{err, catalog.ErrBusy}
	case re != nil && re.NotFound():
		return &meant{err, catalog.ErrNotFound}
	}
	return err
}

// tooMany is the status (429) of errors of the rate limit. They come here only if ctx has
// ended.
const tooMany = 429

// meant is an error together with the catalog's error, which is not shown to people.
type meant struct{ err, meaning error }

func (e *meant) Error() string   { return e.err.Error() }
func (e *meant) Unwrap() []error { return []error{e.err, e.meaning} }
