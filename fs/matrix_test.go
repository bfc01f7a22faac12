package fs

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/service"
	"assetfs/remote/fakeapi"
)

// matrixDims are what the cells of the matrix are combined from, beside habits.
var matrixDims = []struct {
	name   string
	values []string
}{
	{"range", []string{"honoured", "ignored", "ignored for this asset", "ignored now and then"}},
	{"size", []string{"in the header", "in metadata and 206", "nowhere", "wrong in metadata"}},
	{"readers", []string{"1", "4"}},
	{"place", []string{"first contact", "mid-stream", "tail"}},
	{"limit", []string{"none", "1/s", "1/s,12/m", "1/s shared", "1/s,12/m shared"}},
	{"beside", []string{"nothing", "free", "pin", "fetch", "SIGHUP", "refresh", "an interrupt"}},
	{"names", []string{"by the header", "by metadata", "by the library"}},
	{"validators", []string{"ETag", "time", "none"}},
}

// matrixCell is one combination: a habit, and of each dimension a value.
type matrixCell struct {
	habit  *habit
	values []string
	seed   uint64
}

func (c *matrixCell) is(dim, value string) bool { return c.value(dim) == value }

func (c *matrixCell) value(dim string) string {
	for i, d := range matrixDims {
		if d.name == dim {
			return c.values[i]
		}
	}
	panic(dim)
}

func (c *matrixCell) String() string {
	return fmt.Sprintf("%s/%s/seed %d", c.habit.name, strings.Join(c.values, "/"), c.seed)
}

// TestMatrix has readers, and commands beside them, meet each habit of servers in each other circumstance, in pairs at least. What
// readers get are right bytes or documented errors, in bounded time, requests and bytes; and when the habit ends, all is well by
// itself, also after a restart. ASSETFS_MATRIX is how often all pairs are gone through, each time with another seed from ASSETFS_MATRIX_SEED (1) on,
// ASSETFS_MATRIX_ONLY a part of the names of cells.
func TestMatrix(t *testing.T) {
	rounds, seed := uint64(1), uint64(1) // the same each time: chance must not decide whether a change lands
	for name, into := range map[string]*uint64{"ASSETFS_MATRIX": &rounds, "ASSETFS_MATRIX_SEED": &seed} {
		if text := os.Getenv(name); text != "" {
			var err error
			if *into, err = strconv.ParseUint(text, 10, 64); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	only := os.Getenv("ASSETFS_MATRIX_ONLY")
	cells := 0
	for round := range rounds {
		t.Logf("ASSETFS_MATRIX_SEED=%d", seed+round)
		random := rand.New(rand.NewPCG(seed+round, 3))
		all := pairwise(random)
		if faultShare > 1 || testing.Short() {
			all = all[:len(all)/8]
		}
		var wg sync.WaitGroup
		slots := make(chan struct{}, 4)
		for _, c := range all {
			c.seed = random.Uint64()
			if !strings.Contains(c.String(), only) {
				continue
			}
			cells++
			slots <- struct{}{}
			wg.Go(func() {
				defer func() { <-slots }()
				t.Run(c.String(), func(t *testing.T) { synctest.Test(t, c.run) })
			})
		}
		wg.Wait()
	}
	t.Logf("%d cells", cells)
}

// subject is the asset as the cell has it, without the habit.
func (c *matrixCell) subject() fakeapi.Asset {
	a := fakeapi.Asset{ID: faultID, Name: "a.bin", Size: c.habit.sizeOf()}
	switch c.value("validators") {
	case "ETag":
		a.ETag = "auto"
	case "time":
		a.ModTime = time.Unix(1e9, 0)
	}
	switch c.value("size") {
	case "nowhere":
		a.NoLength = true
	case "wrong in metadata":
		if c.habit.empty {
			break // metadata would tell of bytes: an empty answer is not believed
		}
		a.MetaSize = strconv.FormatInt(a.Size+int64(c.seed%2)*12-5, 10)
	}
	if c.is("names", "by the library") {
		a.ID, a.Bucket, a.Blob = worldVideo, "b", worldVideo+".bin"
	}
	a.NoRange = c.is("range", "ignored for this asset")
	return a
}

// usual are faults that are no faults, but how the server is.
func (c *matrixCell) usual() (list []fakeapi.Fault) {
	chunked := c.is("size", "in metadata and 206")
	if c.is("range", "ignored now and then") {
		for n := range 100 {
			list = append(list, fakeapi.Fault{IgnoreRange: true, Chunked: chunked, Skip: 2*n + 1, Times: 1})
		}
	}
	if chunked {
		list = append(list, fakeapi.Fault{Chunked: true})
	}
	return list
}

func (c *matrixCell) config() fakeapi.Config {
	cfg := fakeapi.Config{Key: faultKey, NoRange: c.is("range", "ignored"), Latency: 30 * time.Millisecond, Rate: 4 << 20}
	rates, shared := strings.CutSuffix(c.value("limit"), " shared")
	if rates != "none" {
		cfg.Downloads, cfg.Metadata, cfg.List = fakeapi.Limit{Rates: rates}, fakeapi.Limit{Rates: "1/s"}, fakeapi.Limit{Rates: "5/s"}
	}
	if shared {
		cfg.Downloads.Other, cfg.Metadata.Other = "1/10s", "1/5s"
	}
	return cfg
}

func (c *matrixCell) run(t *testing.T) {
	random := rand.New(rand.NewPCG(c.seed, 5))
	a, other := c.subject(), fakeapi.Asset{ID: worldOther, Name: "b.bin", Size: 300_000, ETag: "auto"}
	video := c.is("names", "by the library")
	w := newBubble(t, video, service.Options{ByMetadata: c.is("names", "by metadata")}, other)
	defer w.end()
	put := func(a fakeapi.Asset) {
		if video {
			w.server.PutVideo(fakeapi.Video{Asset: a, Scope: worldScope})
		} else {
			w.server.Put(a)
		}
	}
	healthy := c.config()
	w.server.Configure(func(cfg *fakeapi.Config) { *cfg = healthy })
	// Where nothing tells of a change, it may go unseen (P9).
	check := contentCheck{id: a.ID, mixed: c.habit.unseen || !c.is("validators", "ETag")}
	for v := range 2 {
		b := make([]byte, a.Size)
		if _, err := fakeapi.Content(a.ID, v).ReadAt(b, 0); err != nil {
			t.Fatal(err)
		}
		check.versions = append(check.versions, b)
	}

	// What was there before.
	usual := a
	usual.Faults = c.usual()
	if place := map[string]int64{"mid-stream": faultMid, "tail": faultTail}[c.value("place")]; place > 0 && a.Size > 0 {
		before := usual
		before.Faults = []fakeapi.Fault{{Cut: place, Chunked: c.is("size", "in metadata and 206")}}
		put(before)
		w.mount()
		ok := w.prelude(check, place)
		w.unmount()
		if !ok {
			return
		}
	}
	struck := c.habit.strike(usual, c.is("size", "in metadata and 206"))
	put(struck)
	w.server.Configure(func(cfg *fakeapi.Config) {
		if c.habit.config != nil {
			c.habit.config(cfg)
		}
	})
	w.server.ResetLog()
	w.mount()

	// Readers, and commands beside them.
	readers, _ := strconv.Atoi(c.value("readers"))
	sights := make([]sight, readers)
	over := make(chan struct{})
	var reading, beside sync.WaitGroup
	for i := range readers {
		start, pieces := a.Size/4*int64(i), []int64(nil)
		for range random.IntN(3) {
			pieces = append(pieces, random.Int64N(a.Size+1))
		}
		wait := time.Duration(random.IntN(3)) * time.Duration(random.IntN(2000)) * time.Millisecond
		looks := random.IntN(2) == 0
		reading.Go(func() {
			time.Sleep(wait)
			if looks {
				w.look(check.id, c)
			}
			sights[i] = w.read(check, start, pieces)
		})
	}
	commands := c.beside(w, check.id, random)
	beside.Go(func() { commands(over) })
	reading.Wait()
	close(over)
	beside.Wait()
	requests := w.server.Requests()
	c.judge(t, sights)
	c.bounds(t, w, requests, sights)

	// It ends, and all is well by itself.
	put(usual)
	w.server.Configure(func(cfg *fakeapi.Config) { *cfg = healthy })
	time.Sleep(10 * time.Minute)
	w.server.ResetLog()
	w.recovers(check, a.Size)
	o := contentCheck{id: worldOther, versions: [][]byte{make([]byte, other.Size)}}
	if _, err := fakeapi.Content(other.ID, 0).ReadAt(o.versions[0], 0); err != nil {
		t.Fatal(err)
	}
	if s := w.read(o, 0, nil); s.err != nil || s.size != other.Size {
		t.Errorf("another asset: %v", s)
	}
	if n, b := billed(w.server.Requests(), worldOther); n > 2 || b > other.Size+128<<10 {
		t.Errorf("another asset took %d downloads, %d bytes", n, b)
	}
	w.unmount()

	// Without network, what was read is there.
	w.server.ResetLog()
	w.net.Down.Store(true)
	w.mount()
	if s := w.read(o, 0, nil); s.err != nil || s.size != other.Size {
		t.Errorf("without network, another asset: %v", s)
	}
	if s := w.read(check, 0, nil); s.err != nil || s.size != a.Size {
		t.Errorf("without network: %v", s)
	}
	w.net.Down.Store(false)
	w.unmount()
	if n := len(w.server.Downloads()); n > 0 {
		t.Errorf("%d downloads of what was there", n)
	}
}

// prelude reads what is before place, where the first answer is cut.
func (w *bubble) prelude(check contentCheck, place int64) bool {
	w.t.Helper()
	c := w.call(w.t.Context())
	defer c.End()
	r, err := w.open(c, check.id)
	for range 3 { // who was told a wrong size hears so
		if err == nil {
			_, err = r.ReadAt(c, make([]byte, place), 0)
			r.Close()
		}
		if err == nil {
			break
		}
		r, err = w.open(c, check.id)
	}
	if err != nil {
		w.t.Errorf("before: %v (%v)", numberName(err), err)
	}
	return err == nil
}

// look is a stat: a size is never made up.
func (w *bubble) look(id string, c *matrixCell) {
	call := w.call(w.t.Context())
	defer call.End()
	size, err := w.stat(call, id)
	want := c.habit.sizeOf()
	lies := c.is("size", "wrong in metadata")
	switch {
	case err != nil && !c.allows(number(err)):
		w.t.Errorf("stat: %v (%v)", numberName(err), err)
	case err == nil && size >= 0 && size != want && !lies && !c.habit.lies:
		w.t.Errorf("stat tells %d, the asset has %d", size, want)
	}
}

// beside returns what is done beside readers until over is closed.
func (c *matrixCell) beside(w *bubble, id string, random *rand.Rand) func(over <-chan struct{}) {
	var waits []time.Duration
	for range 3 {
		waits = append(waits, time.Duration(random.IntN(3000))*time.Millisecond)
	}
	return func(over <-chan struct{}) {
		for n, wait := range waits {
			select {
			case <-over:
				return
			case <-time.After(wait):
			}
			err := c.command(w, id, n)
			if err != nil && !c.allows(number(err)) {
				w.t.Errorf("%s: %v (%v)", c.value("beside"), numberName(err), err)
			}
		}
	}
}

// command does the nth thing beside readers.
func (c *matrixCell) command(w *bubble, id string, n int) (err error) {
	switch c.value("beside") {
	case "free":
		if w.fs.Catalog.Listed(id) != nil {
			_, _, err = w.fs.Free(id)
		}
	case "pin":
		if w.fs.Catalog.Listed(id) != nil {
			err = w.fs.SetPinned(w.t.Context(), []string{id}, n%2 == 0)[0]
		}
	case "fetch":
		if w.fs.Catalog.Listed(id) != nil {
			var release func()
			if release, err = w.fs.Fetch(w.t.Context(), id); err == nil {
				release()
			}
		}
	case "SIGHUP":
		w.client.ForgetFailures()
		w.fs.ForgetFailures()
	case "refresh":
		if w.video {
			_, err = w.fs.Refresh(w.t.Context())
		}
	case "an interrupt":
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Second)
		defer cancel()
		call := w.call(ctx)
		defer call.End()
		r, err := w.open(call, id)
		if err == nil {
			_, err = r.ReadAt(call, make([]byte, faultChunk), faultSize/2)
			r.Close()
		}
		if err != nil && number(err) != syscall.EINTR {
			return err
		}
	}
	return err
}
