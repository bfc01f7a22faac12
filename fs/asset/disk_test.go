package asset

import (
	"bytes"
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
)

var errCrash = errors.New("crashed")

// A disk stands behind the fault points of a Dir: it can crash at the n-th, and
// knows what a power cut would leave.
type disk struct {
	dir string

	mu      sync.Mutex
	left    int // points until the crash, 0 never
	dead    bool
	seen    map[string]int    // points passed
	pending map[string][]byte // contents when a sync began
	durable map[string][]byte // contents that were synced, by name
	gone    map[string][]byte // durable contents of files removed
	named   map[string]bool   // files whose names were synced
	last    string            // the point at which it crashed
	old     []byte            // the index that a rename may not have replaced
	at      string            // the next time at this point,
	do      func()            // this happens
	fails   bool              // the next sync of a blob fails, and what it was for is lost
	failed  string            // the blob whose sync did
}

func newDisk(root string) *disk {
	return &disk{
		dir: filepath.Join(root, directory), seen: map[string]int{},
		pending: map[string][]byte{}, durable: map[string][]byte{}, gone: map[string][]byte{}, named: map[string]bool{},
	}
}

func (k *disk) read(name string) []byte {
	b, err := os.ReadFile(filepath.Join(k.dir, name))
	if err != nil {
		return nil
	}
	return b
}

func (k *disk) fault(point, name string) error {
	if point == "read" {
		return nil // changes nothing
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if do := k.do; do != nil && point == k.at {
		k.do = nil
		k.mu.Unlock()
		do()
		k.mu.Lock()
	}
	if k.dead {
		return errCrash
	}
	if k.fails && point == "sync" {
		k.fails, k.failed = false, name
		k.lose(name)
		return syscall.EIO
	}
	k.seen[point]++
	if k.left > 0 {
		if k.left--; k.left == 0 {
			k.dead = true
		}
	}
	if !k.dead || point != "unlink" && point != "create" { // the crash comes before the step
		k.note(point, name)
	}
	if k.dead {
		k.last = point + " " + name
		return errCrash
	}
	return nil
}

// lose makes a blob what the disk has of it, as after a failed sync, once the memory is wanted.
func (k *disk) lose(name string) {
	f, err := os.OpenFile(filepath.Join(k.dir, name), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	now := make([]byte, len(k.read(name)))
	copy(now, k.durable[name])
	_, _ = f.WriteAt(now, 0) // else it is found later
}

// note keeps account of what is durable.
func (k *disk) note(point, name string) {
	switch point {
	case "create":
		delete(k.durable, name)
		delete(k.named, name)
	case "sync", "index-sync":
		k.pending[name] = k.read(name)
	case "synced", "index-synced":
		k.durable[name] = k.pending[name]
	case "compacted":
		k.durable[name] = k.read(name)
	case "rename":
		k.old = k.durable["index"]
	case "renamed":
		k.durable["index"] = k.durable["index.new"]
	case "unlink":
		if b, ok := k.durable[name]; ok {
			k.gone[name] = b
		}
		delete(k.durable, name)
	case "directory-sync":
		entries, _ := os.ReadDir(k.dir)
		for _, e := range entries {
			k.pending["name "+e.Name()] = []byte{1}
		}
	case "directory-synced":
		for name := range k.pending {
			if n, ok := bytes.CutPrefix([]byte(name), []byte("name ")); ok {
				k.named[string(n)] = true
			}
		}
		k.gone = map[string][]byte{}
		k.old = nil
	}
}

// during has something happen the next time at a point.
func (k *disk) during(point string, do func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.at, k.do = point, do
}

// stale fills a block with what was freed before: some other file's bytes.
func (k *disk) stale(block []byte, rnd *rand.Rand) {
	names := slices.Sorted(maps.Keys(k.durable))
	if len(names) == 0 {
		return
	}
	if b := k.durable[names[rnd.IntN(len(names))]]; len(b) > len(block) {
		copy(block, b[rnd.IntN(len(b)-len(block)):])
	}
}

func (k *disk) crashAfter(points int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.left = points
}

// crashed reports whether it did.
func (k *disk) crashed() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.dead
}

// powerCut leaves the directory as after a power cut: any part of what was not synced, in blocks, and the
// index with any length from its synced one on. A block that is lost is as it was, zero, or what another
// file had there before. The Dir must have been abandoned.
func (k *disk) powerCut(t *testing.T, rnd *rand.Rand) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	write := func(name string, b []byte) {
		if err := os.WriteFile(filepath.Join(k.dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		name := e.Name()
		if !isBlob(name) {
			continue
		}
		if _, ok := k.durable[name]; !ok && !k.named[name] && rnd.IntN(2) == 0 {
			if err := os.Remove(filepath.Join(k.dir, name)); err != nil {
				t.Fatal(err)
			}
			continue
		}
		now, safe := k.read(name), k.durable[name]
		out := make([]byte, max(len(safe), rnd.IntN(len(now)+1), len(now)*rnd.IntN(2)))
		copy(out, safe)
		for off := 0; off < len(out); off += 4096 {
			block := out[off:min(off+4096, len(out))]
			if rnd.IntN(2) == 0 && off < len(now) { // this block made it
				copy(block, now[off:])
			} else if off >= len(safe) && rnd.IntN(2) == 0 {
				k.stale(block, rnd)
			}
		}
		write(name, out)
	}
	for _, name := range slices.Sorted(maps.Keys(k.gone)) {
		if rnd.IntN(2) == 0 && k.read(name) == nil {
			write(name, k.gone[name])
		}
	}
	index := k.read("index")
	if k.old != nil && rnd.IntN(2) == 0 {
		index = k.old
	} else if safe := len(k.durable["index"]); safe <= len(index) {
		index = index[:safe+rnd.IntN(len(index)-safe+1)]
	}
	safe := len(k.durable["index"])
	for off := (safe + 4095) / 4096 * 4096; off < len(index); off += 4096 {
		block := index[off:min(off+4096, len(index))]
		switch rnd.IntN(4) {
		case 0:
			clear(block)
		case 1:
			k.stale(block, rnd)
		}
	}
	if rnd.IntN(2) == 0 {
		index = append(slices.Clone(index), make([]byte, rnd.IntN(100))...)
	}
	write("index", index)
	k.durable, k.gone, k.pending, k.named = map[string][]byte{}, map[string][]byte{}, map[string][]byte{}, map[string]bool{}
	k.old = nil
	if entries, err = os.ReadDir(k.dir); err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		k.durable[e.Name()], k.named[e.Name()] = k.read(e.Name()), true
	}
}
