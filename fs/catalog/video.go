package catalog

import (
	"context"
	"errors"
	"time"

	"assetfs/fs/asset"
)

// ErrNoPlace means that the library does not say where a video is stored.
var ErrNoPlace = errors.New("the library does not say where the video is stored, so it can't be downloaded")

// A Video is an asset as its library lists it.
type Video struct {
	ID           string
	Name         string // as it is told: anything but a safe file name
	Size         int64  // bytes, -1 unknown
	Time         time.Time
	Bucket, Blob string // its place, "" unknown
}

// A Listing is the result of one pass over a library.
type Listing struct {
	Shifted bool // the list changed meanwhile: a video may have been missed
	Missing int  // videos that the server counts beyond those it listed
}

// A Lister lists libraries.
type Lister interface {
	// ListVideos lists the videos of a scope once. It calls found with some of them at a time, each
	// once. Those found before an error are valid.
	ListVideos(ctx context.Context, scope string, found func([]Video)) (Listing, error)
}

// video is what is known of an asset of a library. Catalog.mu guards it.
type video struct {
	library      *library
	bucket, blob string
	size         int64
	millis       int64 // since 1970: mtime
	slot         int32 // index of library.videos
	listed       bool
	missed       uint8 // passes in a row that have not met it
}

func (v *video) info() asset.Info {
	return asset.Info{Size: v.size, ModTime: time.UnixMilli(v.millis)}
}

// Place returns where the asset of an ID is stored, "" if it is downloaded by its ID.
func (c *Catalog) Place(id string) (bucket, blob string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch a, _ := c.findLocked(id); {
	case a == nil || a.video == nil:
		return "", "", nil
	case a.video.blob == "":
		return "", "", ErrNoPlace
	default:
		return a.video.bucket, a.video.blob, nil
	}
}
