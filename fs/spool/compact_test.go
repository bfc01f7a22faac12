package spool

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

// openWith opens a spool whose journal is read, with faults.
func openWith(t *testing.T, root string, fault func(point, name string) error) *Dir {
	t.Helper()
	d, err := Open(root, baseURL, Options{Fault: fault})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Journal().Replay(func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	return d
}

// openBreaking opens a spool whose journal can't take these steps while broken is set: they fail with failure.
func openBreaking(t *testing.T, root string, failure error, steps ...string) (d *Dir, broken *bool) {
	t.Helper()
	broken = new(bool)
	return openWith(t, root, func(point, _ string) error {
		if *broken && slices.Contains(steps, point) {
			return failure
		}
		return nil
	}), broken
}

// indexRecords returns the records of what would be the index after a kill.
func indexRecords(t *testing.T, b []byte) (got []string) {
	t.Helper()
	if _, err := replay(bytes.NewReader(b), "", func(p []byte) { got = append(got, string(p)) }); err != nil && !errors.Is(err, errDamaged) {
		t.Fatal(err)
	}
	return got
}

// TestWriteBesideCompaction has a write come through at each point of a compaction
// at which the disk may be slow: it outlives a kill then, and the compaction.
func TestWriteBesideCompaction(t *testing.T) {
	for _, at := range []string{"compact", "compacted", "directory-sync", "directory-synced"} {
		t.Run(at, func(t *testing.T) {
			root := t.TempDir()
			var d *Dir
			var armed atomic.Bool
			d = openWith(t, root, func(point, _ string) error {
				if point != at || !armed.Swap(false) {
					return nil
				}
				written := make(chan error)
				go func() {
					d.Journal().Queue(record("new"))
					written <- d.Journal().Write()
				}()
				if err := <-written; err != nil { // it would hang
					t.Error(err)
				}
				b, err := os.ReadFile(indexPath(root))
				if got := indexRecords(t, b); err != nil || !slices.Contains(got, "new") {
					t.Errorf("after a kill: %q, %v", got, err)
				}
				return nil
			})
			j := d.Journal()
			j.Queue(record("old"))
			armed.Store(true)
			if err := j.Compact(func(b []byte) []byte { return append(b, record("snapshot")...) }); err != nil {
				t.Fatal(err)
			}
			j.Queue(record("later"))
			if err := j.Sync(); err != nil {
				t.Fatal(err)
			}
			closeDir(t, d)
			if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"snapshot", "new", "later"}) {
				t.Errorf("records %q", got)
			}
		})
	}
}

// TestSyncWaitsForCompaction has no sync promise that a record lasts that is in the
// file which a compaction is about to replace.
func TestSyncWaitsForCompaction(t *testing.T) {
	for _, at := range []string{"compact", "compacted", "directory-sync"} {
		synctest.Test(t, func(t *testing.T) {
			var d *Dir
			var armed atomic.Bool
			synced := make(chan error, 1)
			d = openWith(t, t.TempDir(), func(point, _ string) error {
				if point != at || !armed.Swap(false) {
					return nil
				}
				d.Journal().Queue(record("new"))
				go func() { synced <- d.Journal().Sync() }()
				synctest.Wait()
				if len(synced) > 0 {
					t.Errorf("at %s a sync returned", at)
				}
				return nil
			})
			d.Journal().Queue(record("old"))
			armed.Store(true)
			if err := d.Journal().Compact(func(b []byte) []byte { return b }); err != nil {
				t.Fatal(err)
			}
			if err := <-synced; err != nil {
				t.Fatal(err)
			}
			closeDir(t, d)
		})
	}
}

// TestCompactionPowerCut cuts the power at each point of a compaction, with records
// written before and at each. The index is then that before or that after, each of
// any length beyond what was synced: it has all that a sync has promised, in order.
func TestCompactionPowerCut(t *testing.T) {
	points := []string{"compact", "compacted", "rename", "renamed", "directory-sync", "directory-synced", "index-sync", "index-synced"}
	cuts := 0
	for _, writes := range points {
		root := t.TempDir()
		read := func(name string) []byte {
			b, err := os.ReadFile(indexPath(root)[:len(indexPath(root))-len(indexName)] + name)
			if err != nil && !os.IsNotExist(err) {
				t.Error(err)
			}
			return b
		}
		// What the disk has for certain, and what an index may be besides.
		type copies struct{ synced, now int }
		state := map[string]copies{}
		var before []byte // the old index, from the rename on until its name is gone for certain
		var promised []string
		var d *Dir
		running := false
		cut := func(where string, index []byte, synced int) {
			for n := synced; n <= len(index); n++ {
				cuts++
				got := indexRecords(t, index[:n])
				for i, want := range promised {
					if i >= len(got) || got[i] != want {
						t.Fatalf("written at %s, power cut at %s, %d of %d bytes: %q, promised %q", writes, where, n, len(index), got, promised)
					}
				}
			}
		}
		d = openWith(t, root, func(point, name string) error {
			if !running {
				return nil
			}
			if point == writes && point != "rename" && point != "renamed" { // these hold others up
				d.Journal().Queue(record("at " + point))
				if err := d.Journal().Write(); err != nil {
					t.Error(err)
				}
			}
			switch point {
			case "index-sync":
				state["pending"] = copies{now: len(read(indexName))}
			case "index-synced":
				state[indexName] = copies{synced: state["pending"].now}
				promised = indexRecords(t, read(indexName)[:state[indexName].synced])
			case "compacted":
				state[newIndexName] = copies{synced: len(read(newIndexName))}
			case "rename":
				before = read(indexName)
			case "renamed":
				state["before"], state[indexName] = state[indexName], state[newIndexName]
			case "directory-synced":
				before = nil
			}
			cut(fmt.Sprint(point, " ", name), read(indexName), state[indexName].synced)
			if before != nil && point != "rename" {
				cut(fmt.Sprint(point, " ", name, ", not renamed"), before, state["before"].synced)
			}
			return nil
		})
		running = true
		j := d.Journal()
		j.Queue(slices.Concat(record("1"), record("2")))
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
		err := j.Compact(func(b []byte) []byte {
			for _, r := range indexRecords(t, read(indexName)) {
				b = append(b, record(r)...)
			}
			return b
		})
		if err != nil {
			t.Fatal(err)
		}
		j.Queue(record("3"))
		if err := j.Sync(); err != nil {
			t.Fatal(err)
		}
		closeDir(t, d)
	}
	t.Logf("%d power cuts", cuts)
}

// TestDamageCompacted compacts a journal that was damaged, though nothing was written since: a power cut
// might bring back what was cut off.
func TestDamageCompacted(t *testing.T) {
	for end, want := range map[string]bool{"": false, "damage": true} {
		root := t.TempDir()
		d := open(t, root)
		d.Journal().Queue(record("1"))
		if err := d.Journal().Write(); err != nil {
			t.Fatal(err)
		}
		closeDir(t, d)
		b, err := os.ReadFile(indexPath(root))
		if err == nil {
			err = os.WriteFile(indexPath(root), append(b, end...), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		d = open(t, root)
		compacted := false
		if err := d.Journal().Compact(func(b []byte) []byte { compacted = true; return append(b, record("1")...) }); err != nil {
			t.Fatal(err)
		}
		if compacted != want {
			t.Errorf("%q at the end: compacted is %v", end, compacted)
		}
		closeDir(t, d)
	}
}
