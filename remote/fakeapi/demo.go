package fakeapi

import (
	"fmt"
	"net/http"
	"path"
	"sync"
	"time"
)

// Demo returns a server with some assets that are worth opening, and some that are
// awkward. All are computed, the costly ones when first used, and are the same in every
// run. There is no limit and no key.
func Demo() *Server {
	s := New(demoAssets()...)
	s.AddVideos(demoVideos())
	return s
}

// DemoScope is the scope of the videos in Demo's library.
const DemoScope = "default"

// demoVideos returns the videos of the library, oldest first. The last one has no place yet.
func demoVideos() []Video {
	taken := time.Date(2026, time.May, 1, 6, 0, 0, 0, time.UTC)
	var videos []Video
	for i, a := range []Asset{
		demoAsset(Asset{Name: "lava lamp.gif", Type: "image/gif"}, lavaLamp),
		demoAsset(Asset{Name: "music box.wav", Type: "audio/wav"}, musicBox),
		demoAsset(Asset{Name: "bay at night.png", Type: "image/png"}, func() []byte { return landscape(1280, 720, night()) }),
		demoAsset(Asset{Name: "bay at night.png", Type: "image/png"}, func() []byte { return landscape(1280, 720, dawn()) }),
		demoAsset(Asset{Name: "just uploaded.mp4", Type: "video/mp4", Size: 7 << 20}, nil),
	} {
		a.ID = fmt.Sprintf("VI%d", 2001+i)
		v := Video{Asset: a, Scope: DemoScope, Created: a.ModTime, Taken: taken.AddDate(0, 0, i)}
		if v.generate != nil {
			v.Bucket, v.Blob = "demo", a.ID+path.Ext(a.Name)
		} else {
			v.Status = "UNPARSE"
		}
		videos = append(videos, v)
	}
	return videos
}

// DemoIDs returns the IDs of Demo's assets in display order.
func DemoIDs() []string {
	var ids []string
	for _, a := range demoAssets() {
		ids = append(ids, a.ID)
	}
	return ids
}

// demoAssets returns the assets. Two postcards have the same name, the size of the tide
// table is not given, and the film is refused for lack of money.
func demoAssets() []Asset {
	return []Asset{
		demoAsset(Asset{ID: "re_1001", Name: "welcome.txt", Type: "text/plain; charset=utf-8"}, welcome),
		demoAsset(Asset{ID: "re_1002", Name: "sunrise.png", Type: "image/png"}, func() []byte { return landscape(1280, 720, dawn()) }),
		demoAsset(Asset{ID: "re_1003", Name: "lava-lamp.gif", Type: "image/gif"}, lavaLamp),
		demoAsset(Asset{ID: "re_1004", Name: "music-box.wav", Type: "audio/wav"}, musicBox),
		demoAsset(Asset{ID: "re_1005", Name: "planets.json", Type: "application/json"}, planets),
		demoAsset(Asset{ID: "re_1006", Name: "one-gibibyte.bin", Size: 1 << 30}, nil),
		demoAsset(Asset{ID: "re_1007", Name: "postcard.png", Type: "image/png"}, func() []byte { return landscape(640, 400, day()) }),
		demoAsset(Asset{ID: "re_1008", Name: "postcard.png", Type: "image/png"}, func() []byte { return landscape(640, 400, night()) }),
		demoAsset(Asset{ID: "re_1009", Name: "Grüße – 你好 – привет.txt", Type: "text/plain; charset=utf-8"}, greetings),
		demoAsset(Asset{ID: "re_1010", Name: "tide-table.txt", Type: "text/plain; charset=utf-8", NoLength: true}, tideTable),
		demoAsset(Asset{
			ID: "re_1011", Name: "premium-film.mp4", Type: "video/mp4", Size: 5 << 30,
			Faults: []Fault{{Status: http.StatusPaymentRequired}},
		}, nil),
	}
}

// demoAsset completes a with what all assets have, and with its bytes.
func demoAsset(a Asset, generate func() []byte) Asset {
	a.ETag = "auto"
	a.ModTime = time.Date(2026, time.May, 4, 9, 30, 0, 0, time.UTC)
	if generate != nil {
		a.generate = sync.OnceValue(generate)
	}
	return a
}
