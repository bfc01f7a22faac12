package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
)

func record(text string) []byte {
	return AppendFrame(nil, func(b []byte) []byte { return append(b, text...) })
}

// records returns the records of the spool in root, and whether all was well.
func records(t *testing.T, root string) (got []string, whole bool) {
	t.Helper()
	d, err := Open(root, baseURL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDir(t, d)
	whole, err = d.Journal().Replay(func(p []byte) { got = append(got, string(p)) })
	if err != nil {
		t.Fatal(err)
	}
	return got, whole
}

func indexPath(root string) string { return filepath.Join(root, directoryName(baseURL), indexName) }

// TestJournal writes in the order of queueing, from any number of goroutines, and
// a compaction keeps what was queued meanwhile.
func TestJournal(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	j := d.Journal()
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 50 {
				j.Queue(record(fmt.Sprint(w, " ", i)))
				if i%7 == 0 {
					if err := j.Write(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := j.Sync(); err != nil {
		t.Fatal(err)
	}
	err := j.Compact(func(b []byte) []byte {
		j.Queue(record("meanwhile"))
		return append(b, record("snapshot")...)
	})
	if err := errors.Join(err, j.Write()); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"snapshot", "meanwhile"}) {
		t.Errorf("records %q, whole %v", got, whole)
	}
}

// TestJournalOrder has each writer's records in their order.
func TestJournalOrder(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 100 {
				d.Journal().Queue(record(string([]byte{byte(w), byte(i)})))
				if err := d.Journal().Write(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	closeDir(t, d)
	got, _ := records(t, root)
	var next [4]byte
	for _, r := range got {
		if r[1] != next[r[0]] {
			t.Fatalf("writer %d: record %d where %d should be", r[0], r[1], next[r[0]])
		}
		next[r[0]]++
	}
	if len(got) != 400 {
		t.Errorf("%d records", len(got))
	}
}

// TestWriteBesideSync has a write come through while the disk is slow, and a
// compaction wait for the sync, which is told of the file that it wrote to.
func TestWriteBesideSync(t *testing.T) {
	root := t.TempDir()
	began, goOn := make(chan struct{}, 10), make(chan struct{})
	d := openWith(t, root, func(point, _ string) error {
		if point == "index-sync" {
			began <- struct{}{}
			<-goOn
		}
		return nil
	})
	j := d.Journal()
	j.Queue(record("1"))
	synced := make(chan error)
	go func() { synced <- j.Sync() }()
	<-began
	j.Queue(record("2"))
	if err := j.Write(); err != nil { // it would hang
		t.Fatal(err)
	}
	go func() { synced <- j.Compact(func(b []byte) []byte { return append(b, record("12")...) }) }()
	close(goOn)
	if err := errors.Join(<-synced, <-synced); err != nil {
		t.Error(err)
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"12"}) {
		t.Errorf("records %q", got)
	}
}

// TestJournalFails keeps what could not be written, in its place, and says so once.
func TestJournalFails(t *testing.T) {
	root := t.TempDir()
	errBroken := errors.New("broken")
	d, broken := openBreaking(t, root, errBroken, "append", "compact", "rename")
	j := d.Journal()
	j.Queue(record("1"))
	*broken = true
	for range 3 {
		j.Queue(record("x"))
		if err := j.Write(); !errors.Is(err, errBroken) {
			t.Fatalf("Write: %v", err)
		}
		if err := j.Compact(func(b []byte) []byte { return b }); !errors.Is(err, errBroken) {
			t.Fatalf("Compact: %v", err)
		}
	}
	*broken = false
	j.Queue(record("2"))
	if err := j.Write(); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || strings.Join(got, "") != "1xxx2" {
		t.Errorf("records %q", got)
	}
}

// TestJournalFailsLog has one line in the log when writes begin to fail, and one when they don't any more.
func TestJournalFailsLog(t *testing.T) {
	var log strings.Builder
	broken := false
	d, err := Open(t.TempDir(), baseURL, Options{
		Log: slog.New(slog.NewTextHandler(&log, nil)),
		Fault: func(point, _ string) error {
			if broken && point == "append" {
				return syscall.ENOSPC
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closeDir(t, d)
	for _, broken = range []bool{false, true, true, true, false, false, true} {
		d.Journal().Queue(record("x"))
		if err := d.Journal().Write(); (err != nil) != broken {
			t.Error(err)
		}
	}
	got := log.String()
	if failed, again := strings.Count(got, "not written"), strings.Count(got, "written again"); failed != 2 || again != 1 {
		t.Errorf("%d and %d lines:\n%s", failed, again, got)
	}
}

// TestSyncFails has no sync succeed after one that failed, since the kernel tells of
// an error once and then takes the pages for clean, until all is written anew.
func TestSyncFails(t *testing.T) {
	root := t.TempDir()
	d, broken := openBreaking(t, root, syscall.EIO, "index-sync")
	j := d.Journal()
	j.Queue(record("1"))
	*broken = true
	if err := j.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync: %v", err)
	}
	*broken = false
	j.Queue(record("2"))
	if err := j.Sync(); err == nil {
		t.Error("a later Sync vouches for what was lost")
	}
	if err := j.Write(); err != nil {
		t.Error(err)
	}
	if !j.Garbage() {
		t.Error("not to be compacted")
	}
	if err := j.Compact(func(b []byte) []byte { return append(b, record("12")...) }); err != nil {
		t.Fatal(err)
	}
	j.Queue(record("3"))
	if err := j.Sync(); err != nil || j.Garbage() {
		t.Errorf("Sync: %v, garbage %v", err, j.Garbage())
	}
	closeDir(t, d)
	if got, whole := records(t, root); !whole || !slices.Equal(got, []string{"12", "3"}) {
		t.Errorf("records %q", got)
	}
}

// TestNewerVersion refuses a journal that a newer program wrote, and touches
// nothing.
func TestNewerVersion(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	write(t, d, "a")
	closeDir(t, d)
	for _, sum := range []func([]byte) uint32{func(b []byte) uint32 { return checksum(b) }, func([]byte) uint32 { return 0 }} {
		b, err := os.ReadFile(indexPath(root))
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(b[8:], indexVersion+1)
		binary.LittleEndian.PutUint32(b[12:], sum(b[:12]))
		if err := os.WriteFile(indexPath(root), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if d, err = Open(root, baseURL, Options{}); err != nil {
			t.Fatal(err)
		}
		_, err = d.Journal().Replay(func([]byte) { t.Error("a record was read") })
		if err == nil || !strings.Contains(err.Error(), d.Path()+" was written by a newer assetfs (format 2, ") || !strings.Contains(err.Error(), "--spool-dir") {
			t.Errorf("Replay: %v", err)
		}
		closeDir(t, d)
		if after, err := os.ReadFile(indexPath(root)); err != nil || !bytes.Equal(after, b) {
			t.Errorf("the index was touched: %v", err)
		}
	}
}

// TestDamage cuts the journal at every length and flips every bit: what
// stands before the damage counts, and what is written afterwards.
func TestDamage(t *testing.T) {
	root := t.TempDir()
	d := open(t, root)
	for i := range 5 {
		d.Journal().Queue(record(strings.Repeat(fmt.Sprint(i), 10)))
	}
	if err := d.Journal().Write(); err != nil {
		t.Fatal(err)
	}
	closeDir(t, d)
	b, err := os.ReadFile(indexPath(root))
	if err != nil {
		t.Fatal(err)
	}
	const frame = frameLen + 10
	try := func(what string, b []byte, want int) {
		if err := os.WriteFile(indexPath(root), b, 0o600); err != nil {
			t.Fatal(err)
		}
		d := open(t, root)
		d.Journal().Queue(record("new"))
		if err := d.Journal().Write(); err != nil {
			t.Fatal(err)
		}
		closeDir(t, d)
		got, whole := records(t, root)
		if len(got) != want+1 || got[want] != "new" || !whole {
			t.Errorf("%s: %q, want %d and the new one", what, got, want)
		}
	}
	b = b[:headerLen+5*frame]
	for n := range b {
		try(fmt.Sprint("cut at ", n), b[:n], max(0, n-headerLen)/frame)
	}
	try("another file", bytes.Repeat([]byte{0xff}, 100), 0)
	for bit := range 8 * len(b) {
		damaged := slices.Clone(b)
		damaged[bit/8] ^= 1 << (bit % 8)
		want := 5 // a header counts for nothing
		if bit/8 >= headerLen {
			want = (bit/8 - headerLen) / frame
		}
		n := 0
		if _, err := replay(bytes.NewReader(damaged), "", func([]byte) { n++ }); n != want || !errors.Is(err, errDamaged) {
			t.Errorf("bit %d flipped: %d records, want %d, %v", bit, n, want, err)
		}
		if bit%8 == bit/8%8 {
			try(fmt.Sprint("bit flipped: ", bit), damaged, want)
		}
	}
}

// TestIndexUnreadable has an error of the disk taken for what it is: what follows a damage is cut off.
func TestIndexUnreadable(t *testing.T) {
	broken := errors.New("broken")
	whole := append(header(), record("1")...)
	for n := range whole {
		_, err := replay(io.MultiReader(bytes.NewReader(whole[:n]), iotest.ErrReader(broken)), "", func([]byte) { t.Errorf("a record of %d bytes", n) })
		if !errors.Is(err, broken) || errors.Is(err, errDamaged) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

// TestLongRecord leaves out what would count as damage.
func TestLongRecord(t *testing.T) {
	for n, want := range map[int]int{MaxRecord: 3 + frameLen + MaxRecord, MaxRecord + 1: 3} {
		if b := AppendFrame([]byte("old"), func(b []byte) []byte { return append(b, make([]byte, n)...) }); len(b) != want {
			t.Errorf("%d bytes became %d, want %d", n, len(b), want)
		}
	}
}

// TestEmptyRecord takes a record of nothing for damage, though its checksum is right.
func TestEmptyRecord(t *testing.T) {
	empty := append(make([]byte, 4), binary.LittleEndian.AppendUint32(nil, checksum(make([]byte, 4)))...)
	if _, err := replay(bytes.NewReader(append(header(), empty...)), "", func(p []byte) { t.Errorf("a record of %d bytes", len(p)) }); !errors.Is(err, errDamaged) {
		t.Error(err)
	}
}
