package asset

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
	"assetfs/fs/spool/spooltest"
)

// hardship is a rig whose disk fails as fault says.
func hardship(t *testing.T, server *fakeServer, fault func(point, name string) error, do func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		server.rate, server.latency = 100*mib, 20*time.Millisecond
		r := &rig{t: t, server: server, store: newTestStore(t, StoreOptions{Spool: spool.Options{Fault: fault}}, Options{
			Source: server, ReadAhead: 64 * mib, StallTimeout: 30 * time.Second, RetryFor: 2 * time.Minute,
		})}
		r.Asset = r.store.Asset("re_1")
		defer func() {
			r.Close()
			r.store.close()
		}()
		do(r)
	})
}

// TestBadPlace has the disk unable to read some bytes: they are fetched again. If it can't record that
// they are gone, either, the disk itself is gone: the read fails, and nothing is fetched.
func TestBadPlace(t *testing.T) {
	for name, gone := range map[string]bool{"a bad place": false, "the disk is gone": true} {
		t.Run(name, func(t *testing.T) {
			var bad atomic.Bool
			hardship(t, &fakeServer{size: 2 * mib, ranged: true, etag: true}, func(point, _ string) error {
				if bad.Load() && (point == "read" || gone && point != "close") {
					return syscall.EIO
				}
				if point == "written" {
					bad.Store(false)
				}
				return nil
			}, func(r *rig) {
				rd := r.Open()
				defer rd.Close()
				r.cat(rd, 0, 2*mib)
				time.Sleep(time.Minute)
				synctest.Wait()
				requests, billed := len(r.server.requests), r.server.billed
				bad.Store(true)
				if !gone {
					r.read(rd, mib, 128<<10)
					if n := r.server.billed - billed; n == 0 || n > 300<<10 {
						t.Errorf("%d bytes fetched", n)
					}
				} else {
					if _, err := rd.ReadAt(context.Background(), make([]byte, 128<<10), mib); !errors.Is(err, syscall.EIO) {
						t.Errorf("error %v", err)
					}
					if len(r.server.requests) > requests {
						t.Error("a request was made")
					}
				}
				bad.Store(false)
				r.cat(rd, 0, 2*mib)
			})
		})
	}
}

// TestFullForLong has a disk stay full for half an hour, while a program reads on and on: it gets ENOSPC each
// time, little is tried and paid, nothing grows, and the first read after that has its bytes.
func TestFullForLong(t *testing.T) {
	var isFull atomic.Bool
	var tries atomic.Int64
	hardship(t, &fakeServer{size: 8 * mib, ranged: true, etag: true, perMin: 12}, func(point, _ string) error {
		if isFull.Load() {
			switch point {
			case "write", "append", "create", "compact":
				tries.Add(1)
				return syscall.ENOSPC
			}
		}
		return nil
	}, func(r *rig) {
		rd := r.Open()
		defer rd.Close()
		r.read(rd, 0, 128<<10)
		isFull.Store(true)
		before := len(r.server.requests)
		ctx, p := context.Background(), make([]byte, 128<<10)
		reads := int64(0)
		const minutes = 30
		for end := time.Now().Add(minutes * time.Minute); time.Now().Before(end); reads++ {
			if _, err := rd.ReadAt(ctx, p, 4*mib+reads%8*128<<10); !errors.Is(err, ErrNoSpace) && !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("read %d: %v", reads, err)
			}
			r.read(rd, 0, 4096)
			time.Sleep(time.Second)
		}
		t.Logf("%d reads, %d requests, %d uses of the disk", reads, len(r.server.requests)-before, tries.Load())
		if n := tries.Load(); n > 15*minutes*60 {
			t.Errorf("%d uses of the disk for %d reads in %d minutes", n, reads, minutes)
		}
		isFull.Store(false)
		r.cat(rd, 4*mib, 5*mib)
		synctest.Wait()
		if fi, err := os.Stat(filepath.Join(r.store.dir.Path(), "index")); err != nil || fi.Size() > 60<<10 {
			t.Errorf("an index of %d bytes, %v", fi.Size(), err)
		}
	})
}

// TestQuota has a user's quota used up, of which the disk's free space says nothing: reads cost nothing
// until the quota is raised, and then they go on, though there is nothing that could be dropped.
func TestQuota(t *testing.T) {
	var over atomic.Bool
	hardship(t, &fakeServer{size: 8 * mib, ranged: true, etag: true}, func(point, _ string) error {
		if over.Load() && point == "write" {
			return syscall.EDQUOT
		}
		return nil
	}, func(r *rig) {
		rd := r.Open()
		defer rd.Close()
		over.Store(true)
		read := func() error {
			_, err := rd.ReadAt(context.Background(), make([]byte, 4096), 0)
			return err
		}
		if err := read(); !errors.Is(err, ErrNoSpace) {
			t.Fatalf("error %v", err)
		}
		requests := len(r.server.requests)
		for range 20 {
			time.Sleep(time.Minute)
			if err := read(); !errors.Is(err, ErrNoSpace) {
				t.Fatalf("error %v", err)
			}
		}
		if n := len(r.server.requests) - requests; n > 0 {
			t.Errorf("%d requests that can't be stored", n)
		}
		over.Store(false)
		if err := read(); err != nil {
			t.Error(err)
		}
	})
}

// TestNoPlace has a file system that can't store an asset, though it has room, as one without sparse files
// can't store its end: nothing is dropped for it, others are read on, and it is seldom tried.
func TestNoPlace(t *testing.T) {
	hardship(t, &fakeServer{size: 8 * mib, ranged: true, etag: true}, func(point, name string) error {
		if point == "write" && strings.HasPrefix(name, "re_2.") {
			return syscall.ENOSPC
		}
		return nil
	}, func(r *rig) {
		rd := r.Open()
		r.cat(rd, 0, mib)
		rd.Close()
		other := r.store.Asset("re_2")
		defer other.Close()
		rd2 := other.Open()
		defer rd2.Close()
		requests := len(r.server.requests)
		const minutes = 2
		for range minutes * 60 {
			if _, err := rd2.ReadAt(context.Background(), make([]byte, 4096), 0); !errors.Is(err, syscall.ENOSPC) {
				t.Fatalf("error %v", err)
			}
			time.Sleep(time.Second)
		}
		if n := len(r.server.requests) - requests; n > minutes*60/5+1 {
			t.Errorf("%d requests that can't be stored", n)
		}
		rd = r.Open()
		defer rd.Close()
		requests = len(r.server.requests)
		r.cat(rd, 0, mib)
		if n := len(r.server.requests) - requests; n > 0 {
			t.Errorf("%d requests for what was present", n)
		}
		r.cat(rd, 4*mib, 5*mib)
	})
}

// TestFullCostsNothing: once there was no room, reads fail without a request until there is some.
func TestFullCostsNothing(t *testing.T) {
	for name, fill := range map[string]func(r *rig) (free func()){
		"pinned assets": func(r *rig) func() {
			r.store.limit(2 * mib)
			if err := r.store.SetPinned(true, r.Asset); err != nil {
				r.t.Fatal(err)
			}
			return func() { r.store.limit(0) }
		},
		"the disk": func(r *rig) func() {
			ballast := filepath.Join(r.store.dir.Path(), "..", "ballast")
			if err := os.WriteFile(ballast, make([]byte, 14*mib), 0o600); err != nil {
				r.t.Fatal(err)
			}
			return func() {
				if err := os.Remove(ballast); err != nil {
					r.t.Error(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := spooltest.SmallDisk(t, 16*mib)
			synctest.Test(t, func(t *testing.T) {
				server := &fakeServer{size: 64 * mib, ranged: true, etag: true, rate: 100 * mib, latency: 20 * time.Millisecond}
				r := &rig{t: t, server: server, store: &testStore{t: t, root: root, o: StoreOptions{BootID: "one"}, engine: Options{Source: server, RetryFor: 2 * time.Minute}}}
				r.store.start()
				r.Asset = r.store.Asset("re_1")
				defer func() {
					r.Close()
					r.store.close()
				}()
				var held []*Reader
				defer func() {
					for _, rd := range held {
						rd.Close()
					}
				}()
				open := func(off int64) error { // each holds what is around it
					rd := r.Open()
					held = append(held, rd)
					_, err := rd.ReadAt(context.Background(), make([]byte, 128<<10), off)
					return err
				}
				if err := open(0); err != nil {
					t.Fatal(err)
				}
				free := fill(r)
				off := int64(128 << 10)
				for err := error(nil); err == nil; off += 128 << 10 {
					err = open(off)
				}
				synctest.Wait()
				requests := len(server.requests)
				for i := range int64(50) {
					if _, err := held[0].ReadAt(context.Background(), make([]byte, 4096), 8*mib+i*mib); !errors.Is(err, ErrNoSpace) {
						t.Fatalf("read %d: %v", i, err)
					}
				}
				unseen := r.store.Asset("re_2").Open()
				held = append(held, unseen)
				if _, err := unseen.ReadAt(context.Background(), make([]byte, 4096), 0); !errors.Is(err, ErrNoSpace) {
					t.Errorf("read of an asset that was not seen before: %v", err)
				}
				if n := len(server.requests) - requests; n > 0 {
					t.Errorf("%d requests on a full disk", n)
				}
				defer unseen.a.Close()
				if i, err := unseen.a.Contact(context.Background(), Contact{}); err != nil || i.Size != 64*mib { // it needs no room
					t.Errorf("contact on a full disk: %+v, %v", i, err)
				}
				synctest.Wait()
				free()
				r.cat(held[0], 20*mib, 21*mib)
			})
		})
	}
}

// TestRemovalFails has a read come for bytes just when they are removed, which the disk then can't record:
// they are present again, so the read goes on, without a request.
func TestRemovalFails(t *testing.T) {
	var during atomic.Pointer[func()]
	hardship(t, &fakeServer{size: mib, ranged: true, etag: true, perMin: 1}, func(point, _ string) error {
		if point == "index-sync" {
			if f := during.Swap(nil); f != nil {
				(*f)()
				return syscall.EIO
			}
		}
		return nil
	}, func(r *rig) {
		rd := r.Open()
		defer rd.Close()
		r.cat(rd, 0, mib)
		time.Sleep(time.Minute)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
		defer cancel()
		read := make(chan error, 1)
		during.Store(new(func() {
			go func() {
				_, err := rd.ReadAt(ctx, make([]byte, 4096), 0)
				read <- err
			}()
			synctest.Wait()
		}))
		if err := r.withdraw([]ranges.Range{span(0, mib)}); !errors.Is(err, syscall.EIO) {
			t.Errorf("the removal: %v", err)
		}
		if err := <-read; err != nil {
			t.Errorf("the read: %v", err)
		}
		r.spent(1, mib)
	})
}
