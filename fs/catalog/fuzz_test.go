package catalog

import (
	"regexp"
	"strings"
	"testing"
)

func FuzzSafeName(f *testing.F) {
	for _, seed := range []string{
		"video.mp4", "../../etc/passwd", `C:\a\b.txt`, "a\x00\n\u202eb", ".\u200b.", "a/..", "\xff\xfe",
		"u\u0308", "a\u0323\u0323\u0323\u0302", "\u1112\u1161\u11ab", "👨‍👩‍👧", "🇩🇪", "straße", "ᾳ\u0301", "\u0f71\u0f72",
	} {
		for _, count := range []uint16{1, 40, 300} {
			f.Add(seed, count)
		}
	}
	f.Fuzz(func(t *testing.T, part string, count uint16) {
		name := repeat(part, int(count))
		got := SafeName(name)
		checkSafe(t, name, got)
		if fold := FoldName(got); FoldName(fold) != fold {
			t.Errorf("FoldName(%+q) = %+q, but of that it is %+q", got, fold, FoldName(fold))
		}
	})
}

// repeat returns part count times, in at most 4 KiB: long names matter, and a fuzzer doesn't
// find them by itself.
func repeat(part string, count int) string {
	var b []byte
	for range count {
		if len(b)+len(part) > 4<<10 {
			break
		}
		b = append(b, part...)
	}
	return string(b)
}

// What a note says of a video is read as it was written, and a note that is damaged costs
// no more than its own lines.
func FuzzLibraryRecord(f *testing.F) {
	f.Add("VI1", "a.mp4", "bucket", "x/VI1.mp4", int64(5), int64(1729388400000), []byte("1\nx\ty"))
	f.Add("VI2", "a\\n", "\n", "\t%41\\", int64(-1), int64(0), []byte("1\n\n\t\t\t\t\t\t\n\\"))
	f.Add("VI3", "a", "", "", int64(0), int64(0), []byte("1"+strings.Repeat("\n", 2*perRecord))) // longer than any note
	f.Fuzz(func(t *testing.T, id, name, bucket, blob string, size, millis int64, damaged []byte) {
		if id == "" || name == "" || size < -1 || SafeName(id) != id || SafeName(name) != name {
			t.Skip()
		}
		notes := &notebook{}
		l := &library{scope: "s"}
		a := &Asset{ID: id, name: name, place: -1, video: &video{library: l, bucket: bucket, blob: blob, size: size, millis: millis, listed: true}}
		l.videos = []*Asset{a}
		for note, text := range l.recordsLocked(map[int]bool{0: true}, nil) {
			_ = notes.SetNote(note, text)
		}
		for _, text := range []string{notes.Note("library/s/0"), string(damaged)} {
			_ = notes.SetNote("library/s/0", text)
			c := New(Options{
				Pattern: regexp.MustCompile(`^(?:re_[0-9]+)$`), Names: blank{}, Notes: notes, Lister: newShelf("s"), Scopes: []string{"s"},
				Facts: func(string, func()) Facts { return nil },
			})
			for _, e := range c.Entries() {
				if SafeName(e.Name) != e.Name || e.ID == "" || c.Root().Known(e.Name) != e.Asset {
					t.Errorf("%q, %q", e.ID, e.Name)
				}
			}
			if got := c.Listed(id); text != string(damaged) {
				if v := got.video; v.bucket != bucket || v.blob != blob || v.size != size || v.millis != millis {
					t.Errorf("%+v", v)
				}
			}
			c.Close()
		}
	})
}
