package spool

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"
)

// FuzzFrames reads any bytes as a journal: no crash, and what is good is within
// them and reads the same again.
func FuzzFrames(f *testing.F) {
	good := append(header(), record("one")...)
	for _, s := range [][]byte{nil, header(), good, good[:len(good)-1], append(slices.Clone(good), make([]byte, 20)...), []byte("something else altogether")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var first, second [][]byte
		n, err := replay(bytes.NewReader(b), "", func(p []byte) { first = append(first, slices.Clone(p)) })
		if err != nil && !errors.Is(err, errDamaged) && newer(b) == 0 {
			t.Fatalf("error %v", err)
		}
		if n > int64(len(b)) || err == nil && n != int64(len(b)) {
			t.Fatalf("%d of %d bytes good, error %v", n, len(b), err)
		}
		if n == 0 {
			return
		}
		_, err = replay(bytes.NewReader(append(header(), b[headerLen:n]...)), "", func(p []byte) { second = append(second, slices.Clone(p)) })
		if err != nil || !slices.EqualFunc(first, second, bytes.Equal) {
			t.Fatalf("again: %d records of %d, %v", len(second), len(first), err)
		}
	})
}

// FuzzJournal does with a journal what the bytes say, with steps that fail and
// kills: what was written is read again, in order, and nothing else.
func FuzzJournal(f *testing.F) {
	steps := []string{"append", "index-sync", "compact", "rename", "directory-sync"}
	const queue, write, sync, compact, kill, fail, step = 0, 1, 2, 3, 4, 5, 6
	for _, seed := range [][]byte{
		{queue, write, sync, compact, queue, kill},
		{queue, fail, write, queue, write, kill, queue, kill},
		{queue, fail, compact, write, kill}, // the header was written again, behind that of the compaction
		{queue, fail + step, sync, queue, sync, compact, sync, kill},
		{queue, fail, compact, queue, fail + 2*step, compact, write, compact, kill},
		{queue, sync, fail + 3*step, compact, queue, fail + 4*step, compact, sync, kill},
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, ops []byte) {
		root := t.TempDir()
		var queued, written []string
		fails, lost := "", false // what fails next, whether the disk may have lost something
		var d *Dir
		open := func() {
			d = nil
			var err error
			d, err = Open(root, baseURL, Options{Fault: func(point, _ string) error {
				switch point {
				case fails:
					fails, lost = "", lost || point == "index-sync" || point == "directory-sync"
					return syscall.EIO
				case "appended":
					written, queued = append(written, queued...), nil
				}
				return nil
			}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			if whole, err := d.Journal().Replay(func(p []byte) { got = append(got, string(p)) }); err != nil || !whole || !slices.Equal(got, written) {
				t.Fatalf("%v: read %q, whole %v, %v; written were %q", ops, got, whole, err, written)
			}
		}
		open()
		for i, op := range append(slices.Clone(ops[:min(len(ops), 40)]), kill) {
			err := error(nil)
			switch op % step {
			case queue:
				queued = append(queued, fmt.Sprint(i))
				d.Journal().Queue(record(fmt.Sprint(i)))
			case write:
				err = d.Journal().Write()
			case sync:
				if err = d.Journal().Sync(); err == nil && (lost || len(queued) > 0) {
					t.Fatalf("%v: a sync vouches for what was lost", ops[:min(i+1, len(ops))])
				}
			case compact:
				err = d.Journal().Compact(func(b []byte) []byte {
					for _, r := range written {
						b = append(b, record(r)...)
					}
					return b
				})
				lost = lost && err != nil
			case kill:
				closeDir(t, d)
				queued, fails, lost = nil, "", false
				open()
			case fail:
				fails = steps[int(op/step)%len(steps)]
			}
			if err != nil && !errors.Is(err, syscall.EIO) && !lost {
				t.Fatalf("%v: %v", ops[:min(i+1, len(ops))], err)
			}
		}
		closeDir(t, d)
	})
}
