package fs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/ledger"
	"assetfs/remote"
)

// source is the API as the reading engine sees it.
type source struct {
	client *remote.Client
	log    *slog.Logger
	// place returns where an asset is stored, by which it is downloaded; "" if by its ID.
	place func(id string) (bucket, blob string, err error)
}

var _ asset.Source = source{}

func (s source) Open(ctx context.Context, id string, r asset.Request) (*asset.Response, error) {
	bucket, blob, err := s.place(id)
	if err != nil {
		return nil, err
	}
	resp, err := s.client.Download(ctx, remote.Request{
		ID: id, Bucket: bucket, Blob: blob, Class: class(r.Background), Start: r.Start, End: r.End, NoRange: r.NoRange, For: r.Program,
	})
	if errors.Is(err, remote.ErrNoSlot) {
		return nil, fmt.Errorf("%w: %w", asset.ErrNoSlot, err)
	}
	if err != nil {
		return nil, err
	}
	s.log.Info("download", "asset", id, "start", resp.Start, "program", cmp.Or(r.Program, ledger.OwnProgram), "pid", r.PID)
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

func (s source) Budget() asset.Budget {
	b := s.client.Budget(remote.Reader)
	return asset.Budget{Queued: b.Queued, Available: b.Available, Next: b.Next, Worth: b.Worth, Down: b.Down, Since: b.Since}
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
		ETag: i.ETag, LastModified: i.LastModified, Date: i.Date, Header: header,
	}
}

// A Store keeps assets over mounts.
type Store = asset.Store

// StoreOptions say how a Store is kept.
type StoreOptions struct {
	Size, MinFree int64 // bytes to keep within, and of the disk to leave free; 0: no limit
	Log           *slog.Logger
}

// OpenStore makes or opens the store of baseURL below the directory root, and
// locks it. The caller closes it, after the mount.
func OpenStore(root, baseURL string, o StoreOptions) (*Store, error) {
	return asset.OpenStore(root, baseURL, asset.StoreOptions{Size: o.Size, MinFree: o.MinFree, Impostor: remote.Impostor, Log: o.Log})
}

// StoreState is what can be said of a store without opening it.
type StoreState = asset.State

// InspectStore looks at the store of baseURL below the directory root and changes
// nothing.
func InspectStore(root, baseURL string) (StoreState, error) { return asset.Inspect(root, baseURL) }
