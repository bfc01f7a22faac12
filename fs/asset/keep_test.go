package asset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"assetfs/fs/ranges"
	"assetfs/fs/spool"
)

const (
	kib     = 1 << 10
	baseURL = "https://api.example.test/v2"
)

// content returns the bytes of r of version v of an asset: each word tells
// where it belongs, none is zero.
func content(id string, v uint64, r ranges.Range) []byte {
	seed := uint64(14695981039346656037)
	for _, c := range []byte(fmt.Sprint(id, v)) {
		seed = (seed ^ uint64(c)) * 1099511628211
	}
	first := r.Start / 8
	words := make([]byte, 0, r.Len()+16)
	for w := first; w*8 < r.End; w++ {
		x := (seed + uint64(w)) * 0x9e3779b97f4a7c15
		words = binary.LittleEndian.AppendUint64(words, x|0x0101010101010101)
	}
	return words[r.Start-first*8:][:r.Len()]
}

func span(start, end int64) ranges.Range { return ranges.Range{Start: start, End: end} }

// directory is the name of the spool of baseURL.
const directory = "api.example.test-bab5cc73762a"

// isBlob reports whether name may be that of a blob.
func isBlob(name string) bool { return strings.Contains(name, ".") && name != "index.new" }

// keep are the options of a store in a test.
type keep struct {
	Size, MinFree int64
	BootID        string
	Uptime        func() time.Duration
	Impostor      func([]byte) bool
	Log           *slog.Logger
	Fault         func(point, name string) error
}

func openKeep(root string, o keep) (*Store, error) {
	return OpenStore(root, baseURL, StoreOptions{
		Size: o.Size, MinFree: o.MinFree, BootID: o.BootID, Uptime: o.Uptime, Impostor: o.Impostor, Log: o.Log, Spool: spool.Options{Fault: o.Fault},
	})
}

func open(t *testing.T, root string, o keep) *Store {
	t.Helper()
	d, err := openKeep(root, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(d.abandon)
	return d
}

func closeDir(t *testing.T, d *Store) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// abandon does what the death of the process does: goroutines end, descriptors are closed, the lock is
// released, and nothing more is written.
func (s *Store) abandon() {
	if s.closed.Swap(true) {
		return
	}
	s.dir.Close()
	close(s.stop)
	s.wg.Wait()
}

func (s *Store) ids() (ids []string) {
	each(s.all(), func(a *Asset) {
		if a.recorded {
			ids = append(ids, a.id)
		}
	})
	return ids
}

func (a *Asset) acquire() { a.Open() }

// release closes one of the readers.
func (a *Asset) release() {
	a.mu.Lock()
	var r *Reader
	for r = range a.readers {
		break
	}
	a.mu.Unlock()
	r.Close()
}

func (a *Asset) setSpan(r ranges.Range) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.readyLocked()
	a.span = r
}

// waiting returns how many reads wait.
func (a *Asset) waiting() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.readyLocked()
	return len(a.waiters)
}

func (a *Asset) kept() facts {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.facts
}

// change alters facts as a download's header does.
func (a *Asset) change(change func(*facts)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.updateLocked(func(f *facts) {
		change(f)
		f.info.Header = f.info.Header || f.info.Size >= 0
	})
}

func (a *Asset) changeNow(change func(*facts)) {
	a.change(change)
	_ = a.store.flush()
}

// punchBehind makes holes of up to goal bytes behind the readers of a.
func (s *Store) punchBehind(a *Asset, goal int64) int64 {
	defer hold(s.making)()
	a.mu.Lock()
	a.readyLocked()
	h := Holding{Span: a.span, Spare: a.spareLocked()}
	a.mu.Unlock()
	list := h.part(nil, 0, ranges.Range{End: h.Span.Start}, s.block)
	if len(list) == 0 {
		return 0
	}
	list[0].trim(list[0].Bytes-goal, false)
	return a.punchOut(list[0].Ranges, maxSize)
}

// reset does what a change of the content does.
func (a *Asset) reset() {
	a.mu.Lock()
	a.version++
	a.info = Info{Size: -1}
	remove := a.dropLocked()
	a.mu.Unlock()
	remove()
}

func resetNow(a *Asset) error {
	a.reset()
	return a.store.journal.Write()
}

func (a *Asset) write(p []byte, off int64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.putLocked(p, off)
}

func (a *Asset) withdraw(set []ranges.Range) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	err := a.withdrawLocked(set)
	a.recountLocked()
	return err
}

func (a *Asset) gap(r ranges.Range) ranges.Range {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.present.Gap(r)
}

func (a *Asset) whole() bool {
	return a.Status().Whole
}

func put(t *testing.T, a *Asset, r ranges.Range) {
	t.Helper()
	if err := a.write(content(a.id, a.Status().Version, r), r.Start); err != nil {
		t.Fatalf("write %s %v: %v", a.id, r, err)
	}
}

// check reads all that is present of a and compares it.
func check(t *testing.T, a *Asset) {
	t.Helper()
	v := a.Status().Version
	for _, r := range a.Runs() {
		got := make([]byte, r.Len())
		n, err := a.readAt(got, r.Start)
		for errors.Is(err, ErrAbsent) && a.presentNow(r) { // taken out for a moment: see withdrawal
			n, err = a.readAt(got, r.Start)
		}
		if errors.Is(err, ErrAbsent) {
			continue
		}
		if err != nil || n != len(got) {
			t.Fatalf("read %s %v: %d, %v", a.id, r, n, err)
		}
		if want := content(a.id, v, r); !bytes.Equal(got, want) {
			i := slices.IndexFunc(got, func(b byte) bool { return b == 0 })
			t.Fatalf("wrong bytes in %s %v, first zero at %d", a.id, r, i)
		}
	}
}

func (a *Asset) presentNow(r ranges.Range) bool { return a.gap(r).Empty() }

func spooled(a *Asset) []ranges.Range { return a.Runs() }

// spoolFiles returns the paths of the spool files.
func spoolFiles(t testing.TB, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, directory))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if isBlob(e.Name()) {
			out = append(out, filepath.Join(root, directory, e.Name()))
		}
	}
	return out
}

// logs collects log lines.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *logs) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func TestReopen(t *testing.T) {
	root := t.TempDir()
	d := open(t, root, keep{})
	f := d.Asset("re_1")
	if got := d.ids(); len(got) != 0 {
		t.Errorf("Known of nothing recorded: %q", got)
	}
	if len(spoolFiles(t, root)) != 0 {
		t.Errorf("files before anything was written: %q", spoolFiles(t, root))
	}
	now := time.Now().Truncate(time.Microsecond)
	f.acquire()
	f.change(func(m *facts) {
		m.info.Name, m.info.Size, m.info.Type = "video.mp4", 300*kib, "video/mp4"
		m.info.ModTime, m.info.ETag, m.info.LastModified = now, `"a"`, "yesterday"
		m.cost, m.info.Header = 77, true
	})
	f.changeNow(func(m *facts) { m.name = "video.mp4" })
	d.Asset("re_0").change(func(m *facts) { m.info.Size = 0 })
	put(t, f, span(0, 100*kib))
	put(t, f, span(150*kib+1, 300*kib))
	if f.whole() {
		t.Error("whole with a gap")
	}
	if gap := f.gap(span(0, 300*kib)); gap != span(100*kib, 150*kib+1) {
		t.Errorf("gap is %v", gap)
	}
	if _, err := f.readAt(make([]byte, 10), 100*kib-5); !errors.Is(err, ErrAbsent) {
		t.Errorf("read over the gap: %v", err)
	}
	if _, err := f.Backing(); !errors.Is(err, ErrAbsent) {
		t.Errorf("Backing of a part: %v", err)
	}
	d.learnRange(RangeYes)
	if err := d.NoteCall(Download, now); err != nil {
		t.Fatal(err)
	}
	if err := d.NoteCall(Download, now.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.NoteCall("metadata", now), d.SetNote("limit", "1/s"), d.SetNote("limit", "12/m")); err != nil {
		t.Fatal(err)
	}
	f.release()
	want := f.kept()
	closeDir(t, d)
	if _, err := f.readAt(make([]byte, 1), 0); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if err := f.write(make([]byte, 1), 0); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if err := d.Close(); !errors.Is(err, spool.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}

	d = open(t, root, keep{BootID: "another"}) // all was synced
	if got, want := d.ids(), []string{"re_1", "re_0"}; !slices.Equal(got, want) {
		t.Errorf("Known: %q, want %q", got, want)
	}
	f = d.Asset("re_1")
	if f != d.Asset("re_1") {
		t.Error("two Files of one ID")
	}
	got := f.kept()
	for _, p := range []*time.Time{&got.info.ModTime, &got.firstSeen, &got.lastUse, &want.info.ModTime, &want.firstSeen, &want.lastUse} {
		*p = p.Truncate(time.Microsecond).UTC()
	}
	if got != want {
		t.Errorf("Meta after reopen\n got %+v\nwant %+v", got, want)
	}
	if got := d.Ranging(); got != RangeYes {
		t.Errorf("Ranging: %v", got)
	}
	if got := d.Calls(Download); len(got) != 1 || !got[0].Equal(now) {
		t.Errorf("Requests: %v, want %v", got, now)
	}
	if got := d.Calls("metadata"); len(got) != 1 || !got[0].Equal(now) {
		t.Errorf("metadata calls: %v, want %v", got, now)
	}
	if got := d.Note("limit"); got != "12/m" {
		t.Errorf("note: %q", got)
	}
	if !d.Asset("re_0").whole() {
		t.Error("an empty asset is not whole")
	}
	check(t, f)
	if f.Status().Present != 300*kib-50*kib-1 {
		t.Errorf("%d bytes present: %v", f.Status().Present, spooled(f))
	}
	if s := d.State(); s.Held != 252*kib || s.Free <= 0 {
		t.Errorf("State: %+v", s)
	}
	put(t, f, span(100*kib, 150*kib+1))
	b, err := f.Backing()
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	whole := make([]byte, 300*kib)
	if n, err := b.ReadAt(whole, 0); n != len(whole) {
		t.Fatal(n, err)
	}
	if !bytes.Equal(whole, content("re_1", 0, span(0, 300*kib))) {
		t.Error("Backing reads other bytes")
	}
}
