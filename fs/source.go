package fs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"

	"assetfs/fs/asset"
	"assetfs/fs/catalog"
	"assetfs/fs/spool"
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
	s.log.Info("download", "asset", id, "start", resp.Start, "program", cmp.Or(r.Program, ownProgram), "pid", r.PID)
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

// store is a spool file as the reading engine sees it.
type store struct {
	*spool.File
	learnt func() // called when facts were added
	turns  turns
}

var _ asset.Store = store{}

func (s store) ReadAt(p []byte, off int64) (int, error) {
	s.turns.take()
	defer s.turns.give()
	n, err := s.File.ReadAt(p, off)
	return n, storeError(err)
}

func (s store) WriteAt(p []byte, off int64) error {
	s.turns.take()
	defer s.turns.give()
	return storeError(s.File.WriteAt(p, off))
}

func (s store) Info() asset.Info { return infoOf(s.Meta()) }

func infoOf(m spool.Meta) asset.Info {
	i := asset.Info{
		Name: m.Original, Size: m.Size, Type: m.Type, ModTime: m.ModTime,
		ETag: m.ETag, LastModified: m.LastModified, Header: m.Resolved,
	}
	i.Recall(m.Learnt)
	return i
}

func (s store) SetInfo(i asset.Info) {
	s.Update(func(m *spool.Meta) {
		m.Original, m.Size, m.Type, m.ModTime = i.Name, i.Size, i.Type, i.ModTime
		m.ETag, m.LastModified, m.Learnt, m.Resolved = i.ETag, i.LastModified, i.Learnt(), i.Header
	})
	s.learnt()
}

// AcceptSpooled returns what spool.Options.Accept is: impostor tells of bytes that
// they read as an error of the API. Older programs took some for an asset. What
// this one has spooled was judged with its header, and is not judged again.
func AcceptSpooled(impostor func([]byte) bool) func(*spool.Meta, func() []byte) bool {
	return func(m *spool.Meta, read func() []byte) bool {
		i := infoOf(*m)
		if i.Recall(m.Learnt) {
			return true
		}
		m.Learnt = i.Learnt()
		return !impostor(read())
	}
}

func (s store) Version() uint64 { return s.Meta().Version }
func (s store) Cost() int64     { return s.Meta().Cost }

func (s store) AddCost(n int64) { s.Update(func(m *spool.Meta) { m.Cost += n }) }

// storeError gives the spool's errors the names that the engine knows.
func storeError(err error) error {
	var full *spool.NoSpaceError
	switch {
	case err == nil:
		return nil
	case errors.Is(err, spool.ErrAbsent):
		return asset.ErrAbsent
	case errors.As(err, &full):
		return fmt.Errorf("%w: %w", asset.ErrNoSpace, err)
	}
	return err
}
