package spool

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
)

const (
	kib     = 1 << 10
	mib     = 1 << 20
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

func open(t *testing.T, root string, o Options) *Dir {
	t.Helper()
	d, err := Open(root, baseURL, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(d.abandon)
	return d
}

func closeDir(t *testing.T, d *Dir) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

// abandon is what the death of the process does: goroutines end, descriptors
// close, the lock goes, and nothing more is written.
func (d *Dir) abandon() {
	if d.closing.Swap(true) {
		return
	}
	d.closed.Store(true)
	close(d.stop)
	d.wg.Wait()
	d.closeFiles() //nolint:errcheck // dead
}

func put(t *testing.T, f *File, r ranges.Range) {
	t.Helper()
	if err := f.WriteAt(content(f.ID(), f.Meta().Version, r), r.Start); err != nil {
		t.Fatalf("WriteAt %s %v: %v", f.ID(), r, err)
	}
}

// check reads all that is present of f and compares it.
func check(t *testing.T, f *File) {
	t.Helper()
	v := f.Meta().Version
	for _, r := range f.Within(span(0, 1<<50)) {
		got := make([]byte, r.Len())
		n, err := f.ReadAt(got, r.Start)
		for errors.Is(err, ErrAbsent) && f.presentNow(r) { // taken out for a moment: see withdraw
			n, err = f.ReadAt(got, r.Start)
		}
		if errors.Is(err, ErrAbsent) {
			continue
		}
		if err != nil || n != len(got) {
			t.Fatalf("ReadAt %s %v: %d, %v", f.ID(), r, n, err)
		}
		if want := content(f.ID(), v, r); !bytes.Equal(got, want) {
			i := slices.IndexFunc(got, func(b byte) bool { return b == 0 })
			t.Fatalf("wrong bytes in %s %v, first zero at %d", f.ID(), r, i)
		}
	}
}

func (f *File) presentNow(r ranges.Range) bool { return f.Gap(r).Empty() }

func spooled(f *File) []ranges.Range { return f.Within(span(0, 1<<50)) }

// spoolFiles returns the paths of the spool files.
func spoolFiles(t testing.TB, root string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, directoryName(baseURL)))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if isSpoolName(e.Name()) {
			out = append(out, filepath.Join(root, directoryName(baseURL), e.Name()))
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
	d := open(t, root, Options{})
	f := d.File("re_1")
	if got := d.Known(); len(got) != 0 {
		t.Errorf("Known of nothing recorded: %q", got)
	}
	if len(spoolFiles(t, root)) != 0 {
		t.Errorf("files before anything was written: %q", spoolFiles(t, root))
	}
	now := time.Now().Truncate(time.Microsecond)
	f.Acquire()
	f.Update(func(m *Meta) {
		m.Original, m.Size, m.Type = "video.mp4", 300*kib, "video/mp4"
		m.ModTime, m.ETag, m.LastModified, m.Learnt = now, `"a"`, "yesterday", `"a"`
		m.Cost, m.Resolved, m.Version = 77, true, 99
	})
	f.UpdateNow(func(m *Meta) { m.Name = "video.mp4" })
	d.File("re_0").Update(func(m *Meta) { m.Size = 0 })
	put(t, f, span(0, 100*kib))
	put(t, f, span(150*kib+1, 300*kib))
	if f.Whole() {
		t.Error("whole with a gap")
	}
	if gap := f.Gap(span(0, 300*kib)); gap != span(100*kib, 150*kib+1) {
		t.Errorf("gap is %v", gap)
	}
	if _, err := f.ReadAt(make([]byte, 10), 100*kib-5); !errors.Is(err, ErrAbsent) {
		t.Errorf("read over the gap: %v", err)
	}
	if _, err := f.Backing(); !errors.Is(err, ErrAbsent) {
		t.Errorf("Backing of a part: %v", err)
	}
	d.SetRangeSupport(true)
	if err := d.NoteCall(Download, now); err != nil {
		t.Fatal(err)
	}
	if err := d.NoteCall(Download, now.Add(-2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(d.NoteCall("metadata", now), d.SetNote("limit", "1/s"), d.SetNote("limit", "12/m")); err != nil {
		t.Fatal(err)
	}
	f.Release()
	want := f.Meta()
	if want.Version != 0 {
		t.Errorf("Update changed the version to %d", want.Version)
	}
	closeDir(t, d)
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
	if err := f.WriteAt(make([]byte, 1), 0); !errors.Is(err, ErrClosed) {
		t.Errorf("write after Close: %v", err)
	}
	if err := d.Close(); !errors.Is(err, ErrClosed) {
		t.Errorf("second Close: %v", err)
	}

	d = open(t, root, Options{BootID: "another"}) // all was synced
	if got, want := d.Known(), []string{"re_1", "re_0"}; !slices.Equal(got, want) {
		t.Errorf("Known: %q, want %q", got, want)
	}
	f = d.File("re_1")
	if f != d.File("re_1") {
		t.Error("two Files of one ID")
	}
	got := f.Meta()
	for _, p := range []*time.Time{&got.ModTime, &got.FirstSeen, &got.LastUse, &want.ModTime, &want.FirstSeen, &want.LastUse} {
		*p = p.Truncate(time.Microsecond).UTC()
	}
	if got != want {
		t.Errorf("Meta after reopen\n got %+v\nwant %+v", got, want)
	}
	if known, works := d.RangeSupport(); !known || !works {
		t.Errorf("RangeSupport: %v %v", known, works)
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
	if !d.File("re_0").Whole() {
		t.Error("an empty asset is not whole")
	}
	check(t, f)
	if f.Len() != 300*kib-50*kib-1 {
		t.Errorf("%d bytes present: %v", f.Len(), spooled(f))
	}
	if u := d.Usage(); u.Files != 1 || u.Whole != 1 || u.Bytes != 252*kib || u.Free <= 0 {
		t.Errorf("Usage: %+v", u)
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

func TestNames(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"", "re_1", "RE_1", "re.1", "..", ".", "a/b", "a%2fb", "index", "index.new", "lock", "%", "\x00", "ü", strings.Repeat("x", 255), strings.Repeat("x", 256)} {
		name := spoolName(id, 7)
		if !isSpoolName(name) || len(name) > 255 || strings.ContainsAny(name, "/\x00") || name != strings.ToLower(name) {
			t.Errorf("%q: unsafe name %q", id, name)
		}
		if other, ok := seen[name]; ok {
			t.Errorf("%q and %q share %q", id, other, name)
		}
		seen[name] = id
	}
	for _, name := range []string{indexName, newIndexName, lockName, ".1", "x.", "X.1", "x.1.2", "x.-1"} {
		if isSpoolName(name) {
			t.Errorf("%q taken for a spool file", name)
		}
	}
	same := directoryName("https://Host.Example/api")
	if got := directoryName("HTTPS://host.example/api/"); got != same {
		t.Errorf("%q and %q", got, same)
	}
	for _, other := range []string{"http://host.example/api", "https://host.example/API", "https://host.example:8443/api", "https://host.example"} {
		if directoryName(other) == same {
			t.Errorf("%s shares a directory with another base URL", other)
		}
	}
	if got := directoryName("http://../x"); strings.HasPrefix(got, ".") && !strings.Contains(got, "-") {
		t.Errorf("directory %q", got)
	}
}
