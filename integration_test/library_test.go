package integration_test

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"assetfs/remote/fakeapi"

	"github.com/rogpeppe/go-internal/testscript"
)

// video implements "api video SCOPE ID [KEY=VALUE...]". Keys are those of an asset, and title, status, omit, taken and created of
// fakeapi.Video.
func (a *api) video(ts *testscript.TestScript, args []string) error {
	if len(args) < 2 {
		return errors.New("usage: api video SCOPE ID [KEY=VALUE...]")
	}
	v := fakeapi.Video{Scope: args[0], Asset: fakeapi.Asset{ID: args[1], Bucket: "mavi-resource"}}
	placed := false
	for _, setting := range args[2:] {
		key, value, _ := strings.Cut(setting, "=")
		placed = placed || key == "blob"
		var err error
		switch key {
		case "title":
			v.Title = value
		case "status":
			v.Status = value
		case "omit":
			v.Omit = value
		case "taken":
			v.Taken, err = time.Parse(time.RFC3339, value)
		case "created":
			v.Created, err = time.Parse(time.RFC3339, value)
		default:
			err = setAsset(ts, &v.Asset, key, value)
		}
		if err != nil {
			return fmt.Errorf("video %s, %s: %w", args[1], setting, err)
		}
	}
	if !placed {
		v.Blob = v.ID + path.Ext(v.Name)
	}
	a.fake.PutVideo(v)
	return nil
}

// videos implements "api videos SCOPE FIRST COUNT".
func (a *api) videos(args []string) error {
	if len(args) != 3 {
		return errors.New("usage: api videos SCOPE FIRST COUNT")
	}
	first, err1 := strconv.Atoi(args[1])
	count, err2 := strconv.Atoi(args[2])
	videos := make([]fakeapi.Video, count)
	for i := range videos {
		videos[i] = fakeapi.SampleVideo(args[0], first+i)
	}
	a.fake.AddVideos(videos)
	return errors.Join(err1, err2)
}
