package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/catalog"
	"assetfs/fs/service"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

// disk is what mounts have recorded, until one is killed.
type disk struct {
	mu    sync.Mutex
	notes map[string]string
	calls map[string][]time.Time
	left  int // that many more notes are written; negative: any number
}

// kill has the next n notes written, and none after those.
func (d *disk) kill(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.left = n
}

// killed reports whether notes were lost, or may have been.
func (d *disk) killed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left == 0
}

func (d *disk) Note(name string) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.notes[name]
}

func (d *disk) SetNote(name, text string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		return errors.New("killed")
	}
	d.left--
	d.notes[name] = text
	return nil
}

func (d *disk) Calls(name string) []time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.calls[name])
}

func (d *disk) NoteCall(name string, t time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[name] = append(d.calls[name], t) // who is dead makes none, so it counts
	return nil
}

func (d *disk) Names() map[string]string         { return nil }
func (d *disk) SetNames(names map[string]string) { panic(fmt.Sprint("named by a download: ", names)) }

// world is a service with libraries, and a mount of them.
type world struct {
	t      *testing.T
	random *rand.Rand
	fake   *fakeapi.Server
	net    *fakeapi.Pipes
	disk   disk
	scopes []string

	videos map[string]fakeapi.Video // those that there are, by ID
	next   int
	named  map[string]string // what each video was seen to be called, by scope and ID

	mu    sync.Mutex
	still bool // nothing happens to the library

	catalog *catalog.Catalog
	client  *remote.Client
}

// titles are those of videos; some can't be file names, most clash.
var titles = []string{
	"film", "FILM", "film", "a/b", "..", ".hidden", "-rf", "by-id", "re_1", "VI606404158946574340", "two\nlines", "tab\ttab", `back\slash`,
	"\u202egpj", "u\u0308", "\u00fc", strings.Repeat("long ", 80), " ", "100%", "s",
}

var placeless = "bucket,blob"

// add uploads a video.
func (w *world) add() {
	id := fmt.Sprintf("VI%d", 606404158946574336+w.next)
	w.next++
	w.put(fakeapi.Video{
		Asset: fakeapi.Asset{ID: id, Name: "x.mp4", Size: int64(1 + w.random.IntN(1000)), Bucket: "mavi-resource", Blob: "a b/50%/" + id + ".mp4"},
		Scope: w.scopes[w.random.IntN(len(w.scopes))], Title: titles[w.random.IntN(len(titles))], Created: time.Now(),
		Omit: []string{"", "", placeless, "datetime_taken,duration"}[w.random.IntN(4)],
	})
}

func (w *world) put(v fakeapi.Video) {
	w.videos[v.ID] = v
	w.fake.PutVideo(v)
}

func (w *world) setStill(still bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.still = still
}

// dice are thrown by the round, and by the server while it answers.
type dice struct {
	mu     sync.Mutex
	source rand.Source
}

func (d *dice) Uint64() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.source.Uint64()
}

// listed is called when a page is chosen.
func (w *world) listed(string, int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.still {
		return
	}
	for range w.random.IntN(3) {
		w.mutate()
	}
}

// mutate does something to the library.
func (w *world) mutate() {
	ids := slices.Sorted(maps.Keys(w.videos))
	if len(ids) == 0 {
		w.add()
		return
	}
	v := w.videos[ids[w.random.IntN(len(ids))]]
	switch w.random.IntN(8) {
	case 0, 1, 2:
		w.add()
	case 3, 4:
		w.fake.DeleteVideo(v.ID)
		delete(w.videos, v.ID)
	case 5:
		v.Title = titles[w.random.IntN(len(titles))]
		w.put(v)
	case 6: // its place is told, or another one
		v.Omit = ""
		v.Blob = fmt.Sprintf("%d/%s.mp4", w.random.IntN(10), v.ID)
		w.put(v)
	case 7:
		v.Size += 5
		w.put(v)
	}
}

// forms are the ways in which a list call fails.
var forms = []fakeapi.Fault{
	{Status: 429},
	{Status: 200, Code: 429, Form: "new"},
	{Status: 429, OldCode: "0429", Form: "old"},
	{Status: 200, OldCode: "0429", Form: "old"},
	{Status: 400},
	{Status: 400, Msg: "Request has exceeded the limit."},
	{Status: 401},
	{Status: 200, OldCode: "0401", Form: "old"},
	{Status: 402},
	{Status: 403},
	{Status: 200, OldCode: "9009", Form: "old"},
	{Status: 404, Form: "gateway"},
	{Status: 405},
	{Status: 409},
	{Status: 415},
	{Status: 500},
	{Status: 500, Form: "spring"},
	{Status: 502, Form: "page"},
	{Status: 503, Form: "gateway"},
	{Status: 503, Form: "nothing"},
	{Status: 200, Form: "page"},
	{Status: 200, Form: "empty"},
	{Status: 511, Form: "page"},
	{Status: 407},
	{Drop: true},
	{Hang: true},
}

// start mounts.
func (w *world) start() {
	w.client = remote.NewClient(&url.URL{Scheme: "http", Host: "api.test"}, remote.Options{
		Key: remote.NewKey("", "key"), Library: &url.URL{Scheme: "http", Host: "library.test"}, Dial: w.net.Dial,
		ListLimit: remote.RateLimit{Rates: []remote.Rate{remote.ListRate}}, Ledger: &w.disk,
	})
	api := &service.Source{Client: w.client, Log: slog.New(slog.DiscardHandler)}
	w.catalog = catalog.New(catalog.Options{
		Pattern: regexp.MustCompile(`^(?:re_[0-9]+)$`), ListWait: 5 * time.Second, RetryFor: time.Minute,
		API: api, Names: &w.disk, Notes: &w.disk, Lister: api, Scopes: w.scopes,
		Facts: func(id string, _ func()) catalog.Facts {
			w.t.Errorf("%s is awake, though nobody has opened it", id)
			return nil
		},
	})
	w.catalog.SetList(nil)
	w.catalog.Start()
}

func (w *world) stop() {
	w.catalog.Close()
	w.client.Close()
}

// observe fails if a name is shown that can't be, or twice, or that has changed.
func (w *world) observe() (shown map[string]bool) {
	synctest.Wait() // or the library might change between a listing and the look-ups
	shown = map[string]bool{}
	dirs := append(w.catalog.Dirs(), w.catalog.Root())
	for _, d := range dirs {
		names := map[string]bool{}
		for _, e := range d.Entries() {
			fold := catalog.FoldName(e.Name)
			if catalog.SafeName(e.Name) != e.Name || names[fold] || fold == catalog.ByID || d.Known(e.Name) != e.Asset {
				w.t.Fatalf("%q shows %s as %q", d.Name, e.ID, e.Name)
			}
			key := d.Name + "/" + e.ID
			if was := w.named[key]; was != "" && was != e.Name {
				w.t.Fatalf("%s was %q and is %q", key, was, e.Name)
			}
			names[fold], w.named[key] = true, e.Name
			if shown[e.ID] {
				w.t.Fatalf("%s is shown twice", e.ID)
			}
			shown[e.ID] = true
		}
	}
	return shown
}

// agree fails unless the mount shows what there is, with all that is told.
func (w *world) agree(what string) {
	shown := w.observe()
	for id, v := range w.videos {
		a := w.catalog.Listed(id)
		if a == nil {
			w.t.Fatalf("%s: %s is lost: %+v", what, id, w.fake.Config())
		}
		bucket, blob, err := w.catalog.Place(id)
		placed := v.Omit != placeless
		if i := a.Info(); i.Size != v.Size || placed && (err != nil || bucket != v.Bucket || blob != v.Blob) {
			w.t.Fatalf("%s: %s is %+v at %s %s, %v; want %+v", what, id, i, bucket, blob, err, v)
		}
		delete(shown, id)
	}
	if len(shown) > 0 {
		w.t.Fatalf("%s: what is gone is shown: %v", what, shown)
	}
}

// round is a life of a library, through many mounts.
func (w *world) round() {
	for range w.random.IntN(12) {
		w.add()
	}
	w.start()
	defer func() { w.stop() }()
	for range 10 {
		w.fake.Configure(func(c *fakeapi.Config) {
			c.PageMost = 1 + w.random.IntN(6)
			c.ListOrder = []string{"", "oldest", "name"}[w.random.IntN(3)]
			c.ListStrings = w.random.IntN(2) == 0
			c.ListTotal = []int{0, 0, 0, 1, 3, 1000}[w.random.IntN(6)]
			c.ListOmit = []string{"", "", "total_count", "page_size", "total_count,page_size,current_page"}[w.random.IntN(5)]
			c.Faults = nil
			for range w.random.IntN(3) {
				f := forms[w.random.IntN(len(forms))]
				f.Op, f.Skip, f.Times = "list", w.random.IntN(5), 1+w.random.IntN(7)
				c.Faults = append(c.Faults, f)
			}
		})
		before := maps.Clone(w.videos)
		w.setStill(false)
		shown := w.observe()
		if w.random.IntN(3) == 0 {
			w.disk.kill(w.random.IntN(5))
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
		_, _ = w.catalog.Refresh(ctx) // while it changes, and fails
		cancel()
		killed := w.disk.killed()
		w.setStill(true)
		// Without a right count, two passes that miss the same video look like its end.
		config := w.fake.Config()
		if counted := config.ListTotal == 0 && !strings.Contains(config.ListOmit, "total_count"); !killed && counted {
			for id := range w.observe() {
				delete(shown, id)
			}
			for id := range shown {
				if _, was := before[id]; was && w.videos[id].ID != "" {
					w.t.Fatalf("%s was there all the time, and is shown no more: %+v", id, config)
				}
			}
		}
		if killed || w.random.IntN(3) == 0 {
			w.stop()
			w.disk.kill(-1)
			w.start()
			if w.random.IntN(2) == 0 {
				time.Sleep(time.Duration(w.random.IntN(1000)) * time.Millisecond)
			}
		}
		w.disk.kill(-1)
		w.observe()
		// It holds still, and answers.
		w.fake.Configure(func(c *fakeapi.Config) { c.Faults = nil })
		time.Sleep(10 * time.Minute)
		for range 2 {
			if looks, err := w.catalog.Refresh(w.t.Context()); err != nil || slices.ContainsFunc(looks, func(l service.Look) bool { return l.Err != nil }) {
				w.t.Fatalf("of a library that answers: %+v, %v", looks, err)
			}
		}
		w.agree("in the end")
	}
}

// Whatever a library does, its service and the mount: none of its videos is lost or shown
// twice, a name once shown stays, no limit is exceeded, and nothing is downloaded.
func TestLibraryModel(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		t.Run(fmt.Sprint(round), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &world{
					t: t, random: rand.New(&dice{source: rand.NewPCG(uint64(round), 16)}), fake: fakeapi.New(),
					net:    fakeapi.NewPipes(),
					disk:   disk{notes: map[string]string{}, calls: map[string][]time.Time{}, left: -1},
					scopes: [][]string{{"default"}, {"a", "by-id"}}[round%2],
					videos: map[string]fakeapi.Video{}, named: map[string]string{}, still: true,
				}
				w.fake.Configure(func(c *fakeapi.Config) { c.Key = "key"; c.List = fakeapi.Limit{Rates: "5/s", Mode: "strict"} })
				w.fake.WhenListed(w.listed)
				server := httptest.NewUnstartedServer(w.fake)
				_ = server.Listener.Close() // of sockets
				server.Listener, server.Config.ErrorLog = w.net, slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
				server.Start()
				defer server.Close()
				w.round()
				if n := w.fake.Refused("list"); n > 0 {
					t.Errorf("%d calls beyond the limit", n)
				}
				for _, r := range w.fake.Requests() {
					if r.Op != "list" {
						t.Errorf("a request for %s", r.Path)
					}
				}
				if got := w.fake.Scopes(); !slices.Equal(got, slices.Sorted(slices.Values(w.scopes))) {
					t.Errorf("scopes %q", got)
				}
			})
		})
	}
}
