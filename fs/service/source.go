package service

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/ledger"
	"assetfs/fs/spool"
	"assetfs/remote"
)

// Source is the API as the reading engine and the catalog use it.
type Source struct {
	Client *remote.Client
	Log    *slog.Logger
	// Place returns where an asset is stored, by which it is downloaded; "" if by its ID.
	Place func(id string) (bucket, blob string, err error)
	// Store is that whose streams may have to give way; nil: none has to.
	Store *asset.Store

	calls sync.Map // those for metadata under way, by asset ID: *asset.Call
}

var (
	_ asset.Source   = (*Source)(nil)
	_ catalog.API    = (*Source)(nil)
	_ catalog.Lister = (*Source)(nil)
)

// Open starts a download.
func (s *Source) Open(ctx context.Context, id string, r asset.Request) (*asset.Response, error) {
	bucket, blob, err := s.Place(id)
	if err != nil {
		return nil, err
	}
	if r.Sent != nil {
		ctx = remote.WithSent(ctx, r.Sent)
	}
	resp, err := s.Client.Download(ctx, remote.Request{
		ID: id, Bucket: bucket, Blob: blob, Class: class(r.Background), Patient: r.Patient, Start: r.Start, End: r.End, NoRange: r.NoRange, For: r.Program,
	})
	if errors.Is(err, remote.ErrNoSlot) {
		return nil, fmt.Errorf("%w: %w", asset.ErrNoSlot, err)
	}
	if err != nil {
		return nil, err
	}
	s.Log.Info("download", "asset", id, "start", resp.Start, "program", cmp.Or(r.Program, ledger.OwnProgram), "pid", r.PID)
	return &asset.Response{
		Info:     info(resp.Info, true),
		Ranged:   resp.Partial,
		Start:    resp.Start,
		End:      resp.End,
		Unframed: resp.Unframed,
		Doubtful: resp.Doubtful,
		Body:     resp.Body,
	}, nil
}

// Budget says what keeps the next download back.
func (s *Source) Budget() asset.Budget {
	b := s.Client.Budget(remote.Reader)
	return asset.Budget{Queued: b.Queued, Available: b.Available, Next: b.Next, Worth: b.Worth, Down: b.Down, Since: b.Since}
}

// Metadata makes a metadata call.
func (s *Source) Metadata(ctx context.Context, background bool, id string) (asset.Info, error) {
	call := s.Store.Call()
	s.calls.Store(id, call)
	defer s.calls.CompareAndDelete(id, call)
	defer call.Watch()()
	i, err := s.Client.Metadata(remote.WithSent(ctx, call.Sent), class(background), id)
	if err != nil {
		if re := (*remote.Error)(nil); errors.As(err, &re) && re.SaysNothing() {
			err = &meant{err, catalog.ErrUntold}
		}
		return asset.Info{Size: -1}, meaning(err)
	}
	call.Answered()
	return info(i, false), nil
}

// calling reports whether a metadata call for an asset is running, and when it was sent; zero
// if it still waits.
func (s *Source) calling(id string) (sent time.Time, ok bool) {
	call, ok := s.calls.Load(id)
	if !ok {
		return time.Time{}, false
	}
	return call.(*asset.Call).SentAt(), true
}

// Budgets says what keeps background calls back.
func (s *Source) Budgets() (metadata, downloads catalog.Budget) {
	return budget(s.Client.MetadataBudget(remote.Background)), budget(s.Client.Budget(remote.Background))
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

// Look is the result of a look at a library.
type Look = catalog.Look

// ListVideos lists a library once.
func (s *Source) ListVideos(ctx context.Context, scope string, found func([]catalog.Video)) (catalog.Listing, error) {
	call := s.Store.Call()
	ended := call.Watch()
	defer func() { ended() }()
	l, err := s.Client.ListVideos(remote.WithSent(ctx, call.Sent), scope, func(page []remote.Video) {
		call.Answered()
		ended()
		ended = call.Watch() // the next page
		videos := make([]catalog.Video, len(page))
		for i, v := range page {
			videos[i] = catalog.Video(v)
		}
		found(videos)
	})
	return catalog.Listing{Shifted: l.Shifted, Missing: l.Missing}, err
}

func class(background bool) remote.Class {
	if background {
		return remote.Background
	}
	return remote.Reader
}

func info(i remote.Info, header bool) asset.Info {
	return asset.Info{
		Name: catalog.SafeName(i.Name), Size: i.Size, Type: i.Type, ModTime: i.ModTime,
		ETag: i.ETag, LastModified: i.LastModified, Header: header,
		Learnt: asset.Learnt{Date: max(0, i.Date.Unix())},
	}
}

// A Store keeps assets from one mount to the next.
type Store = asset.Store

// StoreOptions configure a Store.
type StoreOptions = asset.StoreOptions

// OpenStore makes or opens the store of baseURL below the directory root, and locks it. The
// caller must close it after the mount has ended.
func OpenStore(root, baseURL string, o StoreOptions) (*Store, error) {
	o.Uptime, o.Impostor = spool.Uptime, remote.Impostor
	return asset.OpenStore(root, baseURL, o)
}

// StoreState describes a store that is not open.
type StoreState = asset.State

// InspectStore describes the store of baseURL below the directory root, and changes nothing.
func InspectStore(root, baseURL string) (StoreState, error) { return asset.Inspect(root, baseURL) }
