package catalog

import (
	"strings"
	"testing"
)

// TestDamagedRecord: of what is damaged on the disk no file is made, and a name that is there twice goes to the first.
func TestDamagedRecord(t *testing.T) {
	line := func(fields ...string) string { return strings.Join(fields, "\t") }
	good := line("VI1", "clip 1.mp4", "1001", "0", "b", "VI1.mp4", "listed")
	for _, tc := range []struct {
		name, line string
		want       []string
	}{
		{"nothing", "", []string{"clip 1.mp4"}},
		{"a video", line("VI2", "clip 2.mp4", "-1", "0", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4", "clip 2.mp4"}},
		{"no ID", line("", "clip 2.mp4", "5", "0", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4"}},
		{"no name", line("VI2", "", "5", "0", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4"}},
		{"an ID that is no file name", line("a/b", "clip 2.mp4", "5", "0", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4"}},
		{"a name that is none", line("VI2", "../clip 2.mp4", "5", "0", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4"}},
		{"a size below zero", line("VI2", "clip 2.mp4", "-2", "0", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4"}},
		{"no number", line("VI2", "clip 2.mp4", "5", "x", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4"}},
		{"half a line", line("VI2", "clip 2.mp4", "5"), []string{"clip 1.mp4"}},
		{"a half escape", line("VI2", "clip 2.mp4", "5", "0", "b", "%4", "listed"), []string{"clip 1.mp4"}},
		{"one that is gone", line("VI2", "clip 2.mp4", "5", "0", "b", "VI2.mp4", "gone"), []string{"clip 1.mp4"}},
		{"the same again", good, []string{"clip 1.mp4"}},
		{"the same as gone", line("VI1", "clip 1.mp4", "1001", "0", "b", "VI1.mp4", "gone"), []string{"clip 1.mp4"}},
		{"its name", line("VI2", "clip 1.mp4", "5", "0", "b", "VI2.mp4", "listed"), []string{"clip 1.mp4", "clip 1 (VI2).mp4"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s, notes := newShelf("s"), &notebook{}
				s.err = ErrNotNow
				_ = notes.SetNote("library/s/0", recordVersion+"\n"+good+"\n"+tc.line)
				r := open(t, s, notes, newBook(), "s")
				want(t, r.Root(), tc.want...)
				if r.Listed("") != nil {
					t.Error("there is an asset without an ID")
				}
				r.Close()
			})
		})
	}
}
