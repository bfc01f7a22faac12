package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/caller"
	"assetfs/fs/catalog"
	"assetfs/fs/service"
	"assetfs/remote"
	"assetfs/remote/fakeapi"
)

const (
	worldOther = "re_2" // an asset whose server has no habits
	worldVideo = "VI1"  // the asset as the library has it
	worldScope = "default"
	worldRetry = 2 * time.Minute // as by default
	worldStall = 30 * time.Second
)

var errAbsent = errors.New("no such name")

// bubble is everything but the kernel: an API, its client, the store and the catalog, in a bubble of virtual time.
type bubble struct {
	t      *testing.T
	server *fakeapi.Server
	web    *http.Server
	net    *fakeapi.Pipes
	dir    string // of the spool
	o      service.Options
	video  bool // the asset is one of the library's
	serve  sync.WaitGroup

	client *remote.Client
	store  *asset.Store
	fs     *service.Service
	opened atomic.Int64 // handles that were opened
}

func newBubble(t *testing.T, video bool, o service.Options, assets ...fakeapi.Asset) *bubble {
	w := &bubble{t: t, server: fakeapi.New(assets...), net: fakeapi.NewPipes(), dir: t.TempDir(), o: o, video: video}
	w.web = &http.Server{Handler: w.server, ErrorLog: quiet()}
	w.serve.Go(func() { _ = w.web.Serve(w.net) })
	w.o.IDPattern = regexp.MustCompile(`^(?:re_[0-9]+)$`)
	w.o.ListWait, w.o.RetryFor, w.o.StallTimeout, w.o.ReadAhead = 5*time.Second, worldRetry, worldStall, 64<<20
	w.o.Log = slog.New(slog.DiscardHandler)
	if video {
		w.o.Libraries = []string{worldScope}
	}
	return w
}

// mount begins as a mount does that keeps what was learnt before.
func (w *bubble) mount() {
	w.t.Helper()
	base := &url.URL{Scheme: "http", Host: "api.test"}
	var err error
	if w.store, err = asset.OpenStore(w.dir, base.String(), asset.StoreOptions{BootID: "b"}); err != nil {
		w.t.Fatal(err)
	}
	o := remote.Options{
		Key: remote.NewKey("", faultKey), RateLimit: remote.AutoRateLimit(), Ledger: w.store, Notes: w.store, Dial: w.net.Dial, ResponseTimeout: worldStall,
	}
	if w.video {
		o.Library, o.ListLimit = base, remote.AutoRateLimit()
	}
	w.client = remote.NewClient(base, o)
	w.fs = service.New("", []string{faultID, worldOther}, w.client, w.store, service.Hooks{Failed: func(string, *catalog.Asset, error) {}}, w.o)
	w.fs.Start()
}

// unmount ends what mount began, and fails if a download goes on.
func (w *bubble) unmount() {
	w.t.Helper()
	w.fs.Close()
	w.client.Close()
	if err := w.store.Close(); err != nil {
		w.t.Error(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := w.server.WaitIdle(ctx); err != nil {
		w.t.Errorf("after the end a request goes on: %v", err)
	}
}

func (w *bubble) end() {
	_ = w.net.Close()
	_ = w.web.Close()
	w.serve.Wait()
}

// id is the asset that is looked at.
func (w *bubble) id() string {
	if w.video {
		return worldVideo
	}
	return faultID
}

// open does what LOOKUP and OPEN do.
func (w *bubble) open(c *caller.Call, id string) (*asset.Reader, error) {
	a := w.fs.Catalog.Listed(id)
	if a == nil { // a library's first list
		var err error
		if a, err = w.fs.Catalog.Root().Lookup(c, "a.bin"); err != nil {
			return nil, err
		}
		if a == nil {
			return nil, errAbsent
		}
	}
	if err := w.fs.Prepare(c, a); err != nil {
		return nil, err
	}
	w.opened.Add(1)
	return service.Engine(a).Open(), nil
}

// call is a call of a program that ctx interrupts.
func (w *bubble) call(ctx context.Context) *caller.Call {
	return caller.New(0, ctx.Done(), &w.fs.Waits, service.Wait{})
}

// stat is what stat(2) tells.
func (w *bubble) stat(c *caller.Call, id string) (int64, error) {
	a := w.fs.Catalog.Listed(id)
	if a == nil {
		return -1, nil
	}
	err := w.fs.Catalog.Stat(c, a)
	return a.Info().Size, err
}

// sight is what one handle saw.
type sight struct {
	err     error // the first; nil: the end of the asset
	size    int64 // where the asset ended; -1: not known
	took    time.Duration
	slowest time.Duration // of one call
}

func (s sight) String() string {
	if s.err != nil {
		return fmt.Sprintf("%v (%v)", numberName(s.err), s.err)
	}
	return fmt.Sprintf("the end at %d", s.size)
}

// contentCheck compares what handles read with the versions of an asset.
type contentCheck struct {
	id       string
	versions [][]byte
	mixed    bool // nothing shows which it is: each byte is of one of them
}

// read opens the asset and reads the pieces, then to its end from where the last piece ended.
func (w *bubble) read(check contentCheck, start int64, pieces []int64) (s sight) {
	begin := time.Now()
	s.size = -1
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()
	timed := func(do func(c *caller.Call) error) error {
		c := w.call(ctx)
		defer c.End()
		at := time.Now()
		err := do(c)
		s.slowest = max(s.slowest, time.Since(at))
		return err
	}
	defer func() { s.took = time.Since(begin) }()
	var r *asset.Reader
	if s.err = timed(func(c *caller.Call) (err error) { r, err = w.open(c, check.id); return err }); s.err != nil {
		return s
	}
	defer r.Close()
	possible := make([]bool, len(check.versions))
	for i := range possible {
		possible[i] = true
	}
	p := make([]byte, faultChunk)
	at := func(off, n int64) (int64, bool) {
		var got int
		if s.err = timed(func(c *caller.Call) (err error) { got, err = r.ReadAt(c, p[:n], off); return err }); s.err != nil {
			return 0, false
		}
		some := false
		for v, b := range check.versions {
			possible[v] = possible[v] && off+int64(got) <= max(off, int64(len(b))) && bytes.Equal(p[:got], b[min(off, int64(len(b))):min(off+int64(got), int64(len(b)))])
			some = some || possible[v]
		}
		if !some && check.mixed && off+int64(got) <= int64(len(check.versions[0])) {
			some = true
			for i := range got {
				at := off + int64(i)
				some = some && (p[i] == check.versions[0][at] || p[i] == check.versions[1][at])
			}
		}
		if !some {
			w.t.Errorf("%s: wrong bytes in [%d,%d)", check.id, off, off+int64(got))
			s.err = errors.New("wrong bytes")
			return 0, false
		}
		return int64(got), true
	}
	for _, off := range pieces {
		if _, ok := at(off, faultChunk); !ok {
			return s
		}
	}
	for off := start; ; {
		n, ok := at(off, faultChunk)
		if !ok {
			return s
		}
		if off += n; n == 0 {
			s.size = off
			return s
		}
	}
}

// recovers reads the asset in the end. Who asks first may hear that the content is another.
func (w *bubble) recovers(check contentCheck, size int64) {
	w.t.Helper()
	var s sight
	for range 3 {
		if s = w.read(check, 0, nil); s.err == nil {
			break
		}
	}
	if s.err != nil || s.size != size {
		w.t.Errorf("afterwards: %v, want %d", s, size)
	}
}

// billed is what downloads of one asset have sent.
func billed(all []fakeapi.Request, id string) (requests int, bytes int64) {
	for _, r := range all {
		if r.ID == id && r.Op == "download" || r.ID == id && r.Op == "storage" {
			if r.Op == "download" && !r.Refused {
				requests++
			}
			bytes += r.Bytes
		}
	}
	return requests, bytes
}
