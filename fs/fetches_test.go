package fs

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/asset"
	"assetfs/fs/service"
	"assetfs/remote/fakeapi"
)

// program is one that reads, under a name of its choice.
type program string

func (p program) Program() (name string, pid int) { return string(p), 1 }
func (p program) Patient() bool                   { return false }

// many returns the IDs of n assets.
func many(n int) (ids []string) {
	for i := range n {
		ids = append(ids, fmt.Sprintf("re_%d", 100+i))
	}
	return ids
}

// fetching runs do while all but the last four of 34 assets are being fetched at one request a second, so
// that many fetches wait.
func fetching(t *testing.T, do func(w *bubble, ids []string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ids := many(34)
		w := newBubble(t, false, service.Options{})
		defer w.end()
		for _, id := range ids {
			w.server.Put(fakeapi.Asset{ID: id, Size: 2 << 20, ETag: "auto"})
		}
		w.server.Configure(func(c *fakeapi.Config) { c.Key, c.NoMetadata = faultKey, true })
		w.mount()
		defer w.unmount()
		w.fs.SetList(ids)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		for _, id := range ids[:30] {
			wg.Go(func() {
				if release, err := w.fs.Fetch(ctx, id); err == nil {
					release()
				}
			})
			time.Sleep(time.Millisecond) // it is in the queue, behind those before
		}
		time.Sleep(5 * time.Second)
		do(w, ids)
		cancel()
		wg.Wait()
	})
}

// readAs reads a byte of an asset as the named program.
func (w *bubble) readAs(name, id string, off int64) {
	w.t.Helper()
	ctx := context.WithValue(context.Background(), asset.CallerKey{}, asset.Caller(program(name)))
	a := w.fs.Catalog.Listed(id)
	wait := service.Wait{Op: "open", Asset: a}
	w.fs.Waits.Begin(&wait)
	defer w.fs.Waits.End(&wait)
	if err := w.fs.Prepare(ctx, a); err != nil {
		w.t.Fatal(err)
	}
	r := service.Engine(a).Open()
	defer r.Close()
	if _, err := r.ReadAt(ctx, make([]byte, 1), off); err != nil {
		w.t.Fatal(err)
	}
}

// A program that reads goes before fetches, however many wait, and whatever it is called.
func TestReaderBeforeFetches(t *testing.T) {
	for _, name := range []string{"cat", "assetfs fetch"} {
		fetching(t, func(w *bubble, ids []string) {
			before := len(w.server.Downloads())
			w.readAs(name, ids[30], 0)
			all := w.server.Downloads()[before:]
			if len(all) != 1 || all[0].ID != ids[30] {
				t.Errorf("%s: %d downloads until its own was answered", name, len(all))
			}
		})
	}
}

// The status of a reader does not count the fetches that it goes before, and theirs counts the readers.
func TestStatusBesideFetches(t *testing.T) {
	fetching(t, func(w *bubble, ids []string) {
		var wg sync.WaitGroup
		for _, id := range ids[30:] {
			wg.Go(func() { w.readAs("cat", id, 0) })
			time.Sleep(time.Millisecond)
		}
		says := map[string]string{}
		for a := range w.fs.Assets() {
			for _, x := range a.Waiting {
				says[a.ID] = x.For
			}
			for _, x := range a.Streams { // it is that one's, and not one more
				if len(a.Waiting) > 0 && x.For != says[a.ID] {
					t.Errorf("%s waits %q, its download %q", a.ID, says[a.ID], x.For)
				}
			}
		}
		for id, want := range map[string]string{
			ids[30]: "for the rate limit, in 1 s",
			ids[31]: "for the rate limit, 1 before it, in 2 s",
			ids[32]: "for the rate limit, 2 before it, in 3 s",
			ids[33]: "for the rate limit, 4 before it, in 5 s", // after three of them a fetch goes
			ids[5]:  "for the rate limit, 3 before it, in 4 s",
			ids[6]:  "for the rate limit, 5 before it, in 6 s",
		} {
			if says[id] != want {
				t.Errorf("%s waits %q, want %q", id, says[id], want)
			}
		}
		wg.Wait()
	})
}

// So it is with the free calls that tell sizes.
func TestStatusOfStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ids := many(6)
		w := newBubble(t, false, service.Options{})
		defer w.end()
		for _, id := range ids {
			w.server.Put(fakeapi.Asset{ID: id, Size: 2 << 20})
		}
		w.server.Configure(func(c *fakeapi.Config) { c.Key = faultKey })
		w.mount()
		defer w.unmount()
		w.fs.SetList(ids)
		var wg sync.WaitGroup
		for _, id := range ids {
			wg.Go(func() {
				wait := service.Wait{Op: "stat", Asset: w.fs.Catalog.Listed(id)}
				w.fs.Waits.Begin(&wait)
				defer w.fs.Waits.End(&wait)
				if err := w.fs.Catalog.Stat(t.Context(), wait.Asset); err != nil {
					t.Error(err)
				}
			})
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second / 2)
		var says []string
		for a := range w.fs.Assets() {
			for _, x := range a.Waiting {
				says = append(says, x.For)
			}
		}
		want := []string{"for the rate limit, in 1 s", "for the rate limit, 1 before it, in 2 s", "for the rate limit, 2 before it, in 3 s"}
		if len(says) < len(want) || !slices.Equal(says[:len(want)], want) {
			t.Errorf("they wait %q, want %q at first", says, want)
		}
		wg.Wait()
	})
}

// A program that reads what is being fetched does not wait for the turn of that fetch.
func TestReaderOfFetched(t *testing.T) {
	for _, off := range []int64{0, 3 << 19} {
		fetching(t, func(w *bubble, ids []string) {
			before := len(w.server.Downloads())
			w.readAs("cat", ids[29], off)
			for _, r := range w.server.Downloads()[before:] {
				if r.ID != ids[29] {
					t.Errorf("a read at %d waited for a fetch of %s", off, r.ID)
				}
			}
		})
	}
}
