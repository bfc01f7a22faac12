package asset

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

// model is what a Dir must be able to tell after each operation.
type storeModel struct {
	t     *testing.T
	rnd   *rand.Rand
	root  string
	o     keep
	disk  *disk
	d     *Store
	boots int

	files    map[string]*modelAsset
	requests []time.Time
	steps    []string
}

type modelAsset struct {
	name    string     // given, and in the index
	written ranges.Set // of the present version: more must not be there
	flushed ranges.Set // was in the index: no less may be there after a kill
	version uint64
	users   int
}

var modelIDs = []string{"re_1", "re_2", "RE_2", "re_3"}

const modelSize = 160*kib + 100

func (m *storeModel) reopen() {
	m.t.Helper()
	m.disk.mu.Lock()
	m.disk.left, m.disk.dead = 0, false
	m.disk.mu.Unlock()
	m.o.Fault = m.disk.fault
	m.o.BootID = fmt.Sprint("boot ", m.boots)
	d, err := openKeep(m.root, m.o)
	if err != nil {
		m.t.Fatalf("reopen: %v\n%v", err, m.steps)
	}
	m.d = d
}

// compare looks at everything. kept means that what was in the index must still be there.
func (m *storeModel) compare(kept bool) {
	m.t.Helper()
	for _, id := range modelIDs {
		f, want := m.d.Asset(id), m.files[id]
		check(m.t, f)
		meta := f.kept()
		for _, r := range spooled(f) {
			if meta.version == want.version && !want.written.Contains(r) {
				m.t.Fatalf("%s has %v, which was never written: %v", id, r, want.written.Ranges())
			}
		}
		if !kept {
			continue
		}
		if meta.version != want.version && meta.version != want.version+1 {
			m.t.Fatalf("%s has version %d, not %d", id, meta.version, want.version)
		}
		if meta.name != want.name && want.name != "" {
			m.t.Fatalf("%s lost its name %q: %q", id, want.name, meta.name)
		}
		if m.o.Size == 0 && meta.version == want.version {
			for _, r := range want.flushed.Ranges() {
				if !f.presentNow(r) {
					m.t.Fatalf("%s lost %v, which was in the index: %v", id, r, spooled(f))
				}
			}
		}
	}
	if kept {
		got := m.d.Calls(Download)
		for _, r := range m.requests {
			if !slices.ContainsFunc(got, r.Equal) {
				m.t.Fatalf("the request at %v is forgotten", r)
			}
		}
	}
	for tries := 0; ; tries++ { // a sync that has failed takes bytes out first, and their room when that is recorded
		used, sum, why := m.d.held(), int64(0), ""
		for _, f := range m.d.all() {
			counted, blocks := m.counted(f)
			if sum += counted; counted != blocks {
				why = fmt.Sprintf("%s: %d bytes counted for %v", f.id, counted, spooled(f))
			}
		}
		if why == "" && used == sum {
			if m.o.Size > 0 && sum > m.o.Size {
				m.t.Fatalf("%d bytes taken of %d", sum, m.o.Size)
			}
			return
		}
		if tries == 1000 {
			m.t.Fatalf("%d bytes accounted, %d taken; %s", used, sum, why)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// counted returns the room that is counted for f, and the room that its bytes take.
func (m *storeModel) counted(f *Asset) (counted, taken int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var blocks ranges.Set
	for _, r := range f.present.Ranges() {
		blocks.Add(r.Outer(m.d.block))
	}
	return f.bytes, blocks.Len()
}

// restart follows a crash or a Close.
func (m *storeModel) restart(kept bool) {
	m.t.Helper()
	m.reopen()
	m.compare(kept)
	for _, id := range modelIDs { // go on with what it says
		f, want := m.d.Asset(id), m.files[id]
		meta := f.kept()
		if meta.version != want.version {
			want.written.Clear()
		}
		want.version, want.name, want.users = meta.version, meta.name, 0
		want.flushed = ranges.Of(spooled(f)...)
		for _, r := range spooled(f) { // a later power cut may bring back what went since
			want.written.Add(r)
		}
	}
	if !kept {
		m.requests = nil
	}
}

func (m *storeModel) step() {
	id := modelIDs[m.rnd.IntN(len(modelIDs))]
	f, want := m.d.Asset(id), m.files[id]
	a, b := m.rnd.Int64N(modelSize), m.rnd.Int64N(modelSize)
	r := span(min(a, b), max(a, b)+1)
	op := m.rnd.IntN(100)
	m.steps = append(m.steps, fmt.Sprint(op, id, r))
	ok := func(err error) bool {
		m.t.Helper()
		if err != nil && !m.disk.crashed() {
			m.t.Fatalf("step %d: %v", op, err)
		}
		return err == nil
	}
	switch {
	case op < 40:
		for gap := f.gap(r); !gap.Empty(); gap = f.gap(span(gap.End, r.End)) {
			gap.End = min(gap.End, gap.Start+40*kib)
			want.written.Add(gap)
			err := f.write(content(id, want.version, gap), gap.Start)
			if errors.Is(err, ErrNoSpace) {
				break
			}
			if !ok(err) {
				break
			}
		}
	case op < 55:
		p := make([]byte, r.Len())
		if _, err := f.readAt(p, r.Start); err == nil && !bytes.Equal(p, content(id, want.version, r)) {
			m.t.Fatalf("read wrong bytes of %s %v", id, r)
		} else if err != nil && !errors.Is(err, ErrAbsent) {
			m.t.Fatalf("read: %v", err)
		}
	case op < 63:
		f.acquire()
		want.users++
	case op < 70:
		if want.users > 0 {
			f.release()
			want.users--
		}
	case op < 76:
		f.setSpan(r)
	case op < 78:
		if ok(resetNow(f)) {
			want.version++
			want.written.Clear()
			want.flushed.Clear()
		}
	case op < 82:
		f.change(func(m *facts) { m.info.Size = modelSize; m.cost++ })
	case op < 86:
		if want.name == "" {
			name := "name of " + id
			f.changeNow(func(m *facts) { m.name = name })
			if !m.disk.crashed() {
				want.name = name
			}
		}
	case op < 89:
		if t := time.Now().Truncate(time.Microsecond); ok(m.d.NoteCall(Download, t)) {
			m.requests = append(m.requests, t)
		}
	case op < 92:
		if ok(m.d.flush()) {
			for _, id := range modelIDs {
				m.files[id].flushed = ranges.Of(spooled(m.d.Asset(id))...)
			}
		}
	case op < 93:
		ok(m.d.sync(time.Now()))
	case op < 94:
		if m.rnd.IntN(4) == 0 {
			m.failSync()
		}
	case op < 95:
		if m.o.Size == 0 { // else it might wait for the compaction to end, to make room
			m.disk.during([]string{"compact", "compacted"}[m.rnd.IntN(2)], m.meanwhile)
		}
		ok(m.d.journal.Compact(m.d.snapshot))
		m.disk.during("", nil)
	case op < 96:
		if ok(m.d.Close()) {
			for _, id := range modelIDs {
				m.files[id].flushed = ranges.Of(spooled(m.d.Asset(id))...)
			}
			m.restart(true)
		}
	case op < 97:
		m.compare(false)
	default:
		m.disk.crashAfter(1 + m.rnd.IntN(12))
	}
	if m.disk.crashed() {
		m.d.abandon()
		m.steps = append(m.steps, fmt.Sprintf("crash at %s", m.disk.last))
		if cut := m.rnd.IntN(2) == 0; cut {
			m.steps = append(m.steps, "power cut")
			m.disk.powerCut(m.t, m.rnd)
			m.boots++
			m.restart(false)
		} else {
			m.restart(true)
		}
	}
}

// failSync has the next sync of a blob fail. Bytes that were in the index may go by that. Nothing crashes
// before that is recorded.
func (m *storeModel) failSync() {
	failures := func() (n uint64) {
		each(m.d.all(), func(a *Asset) { n += a.failedSyncs })
		return n
	}
	before := failures()
	m.disk.mu.Lock()
	left := m.disk.left
	m.disk.fails, m.disk.left = true, 0
	m.disk.mu.Unlock()
	if err := m.d.sync(time.Now()); err != nil && !m.disk.crashed() && !errors.Is(err, syscall.EIO) {
		m.t.Fatal(err)
	}
	var blobs []string // the keeper may still have synced one that is gone since
	each(m.d.all(), func(a *Asset) { blobs = append(blobs, spool.BlobName(a.id, a.incarnation)) })
	m.disk.mu.Lock()
	failed := !m.disk.fails && slices.Contains(blobs, m.disk.failed)
	m.disk.fails = false
	m.disk.mu.Unlock()
	for failed && failures() == before { // it was the keeper's sync
		time.Sleep(time.Millisecond)
	}
	if err := m.d.flush(); err != nil {
		if m.disk.crashed() { // in the keeper, right before
			return
		}
		m.t.Fatal(err)
	}
	m.disk.mu.Lock()
	m.disk.left = left
	m.disk.mu.Unlock()
	for _, id := range modelIDs {
		m.files[id].flushed.Clear()
	}
	m.compare(false)
}

// meanwhile is what happens during a compaction.
func (m *storeModel) meanwhile() {
	for range m.rnd.IntN(5) {
		id := modelIDs[m.rnd.IntN(len(modelIDs))]
		f, want := m.d.Asset(id), m.files[id]
		op := m.rnd.IntN(4)
		m.steps = append(m.steps, fmt.Sprint("meanwhile ", op, id))
		switch op {
		case 0, 1:
			gap := f.gap(span(m.rnd.Int64N(modelSize), modelSize))
			gap.End = min(gap.End, gap.Start+40*kib)
			want.written.Add(gap)
			if err := f.write(content(id, want.version, gap), gap.Start); err != nil && !m.disk.crashed() {
				m.t.Errorf("write: %v", err)
			}
		case 2:
			if resetNow(f) == nil {
				want.version++
				want.written.Clear()
				want.flushed.Clear()
			}
		case 3:
			if m.d.flush() == nil {
				for _, id := range modelIDs {
					m.files[id].flushed = ranges.Of(spooled(m.d.Asset(id))...)
				}
			}
		}
	}
}

// TestModel drives a Dir with random operations, crashes at fault points and
// power cuts, and compares it with what it may and must tell.
func TestStoreModel(t *testing.T) {
	seeds, steps := uint64(150), 200
	first, _ := strconv.ParseUint(os.Getenv("KILL_SEED"), 10, 64)
	if testing.Short() {
		seeds = 30
	}
	points := map[string]int{}
	for seed := first; seed < first+seeds; seed++ {
		func() {
			m := &storeModel{t: t, rnd: rand.New(rand.NewPCG(seed, 4)), root: t.TempDir(), files: map[string]*modelAsset{}}
			m.disk = newDisk(m.root)
			if seed%2 == 1 {
				m.o.Size = []int64{64 * kib, 256 * kib, 400 * kib}[seed/2%3]
			}
			for _, id := range modelIDs {
				m.files[id] = &modelAsset{}
			}
			m.reopen()
			defer func() {
				m.d.abandon()
				if t.Failed() {
					t.Logf("seed %d, limit %d, last steps %q", seed, m.o.Size, m.steps[max(0, len(m.steps)-20):])
				}
			}()
			for range steps {
				m.step()
			}
			m.d.abandon()
			for p, n := range m.disk.seen {
				points[p] += n
			}
		}()
		if t.Failed() {
			return
		}
	}
	for _, p := range []string{
		"create", "write", "written", "sync", "synced", "append", "appended", "index-sync", "index-synced", "punch", "punched",
		"unlink", "compact", "compacted", "rename", "renamed", "directory-sync", "directory-synced",
	} {
		if points[p] == 0 {
			t.Errorf("fault point %s never passed", p)
		}
	}
	t.Logf("points passed: %v", points)
}
