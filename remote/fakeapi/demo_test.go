package fakeapi

import (
	"bytes"
	"encoding/json"
	"image"
	_ "image/gif"
	_ "image/png"
	"io"
	"regexp"
	"testing"
	"unicode/utf8"
)

// TestDemo downloads every sample, checks it with a decoder of its format, and compares it with another server's: the bytes
// must be the same in every process, because spools outlive it.
func TestDemo(t *testing.T) {
	demo, again := Demo(), Demo()
	s := &site{demo, t, listen(t, demo), client(t)}
	valid := regexp.MustCompile(`^re_[0-9]+$`)
	names := map[string]int{}
	picture := func(format string, width, height int) func(*testing.T, []byte) {
		return func(t *testing.T, b []byte) {
			c, got, err := image.Decode(bytes.NewReader(b))
			if err != nil || got != format || c.Bounds().Dx() != width || c.Bounds().Dy() != height {
				t.Errorf("got %s, %v", got, err)
			}
		}
	}
	text := func(t *testing.T, b []byte) {
		if len(b) == 0 || !utf8.Valid(b) || b[len(b)-1] != '\n' {
			t.Errorf("not a text: %d bytes", len(b))
		}
	}
	checks := map[string]func(*testing.T, []byte){
		"welcome.txt":   text,
		"sunrise.png":   picture("png", 1280, 720),
		"lava-lamp.gif": picture("gif", 180, 260),
		"music-box.wav": checkWAV,
		"planets.json": func(t *testing.T, b []byte) {
			if !json.Valid(b) {
				t.Error("not JSON")
			}
		},
		"postcard.png": picture("png", 640, 400),
		"Grüße – 你好 – привет.txt": text,
		"tide-table.txt": text,
	}
	for _, id := range DemoIDs() {
		a, ok := demo.Asset(id)
		if !ok || !valid.MatchString(id) {
			t.Fatalf("%s: no asset, or not a valid ID", id)
		}
		names[a.Name]++
		if a.ID == "re_1011" {
			s.get(id).wantError(t, 402, 402, "Insufficient balance to download the resource. Please recharge and try again.")
			continue
		}
		if a.Content == nil { // the gibibyte
			g := s.get(id, "Range: bytes=-100")
			if a.Size != 1<<30 || !bytes.Equal(g.body, bytesOf(t, id, 0, a.Size-100, 100)) {
				t.Errorf("%s: wrong size %d or end", id, a.Size)
			}
			continue
		}
		g := s.get(id)
		if g.status != 200 || g.bodyErr != nil || int64(len(g.body)) != a.Size {
			t.Errorf("%s: %d, %v, %d bytes of %d", id, g.status, g.bodyErr, len(g.body), a.Size)
		}
		g.wantHeader(t, "Content-Disposition", disposition(a.Name))
		if known := g.length == a.Size; known == a.NoLength {
			t.Errorf("%s: length %d, NoLength %v", id, g.length, a.NoLength)
		}
		checks[a.Name](t, g.body)
		same, ok := again.Asset(id)
		if !ok {
			t.Fatalf("%s: no such asset in another server", id)
		}
		b, err := io.ReadAll(io.NewSectionReader(same.body(), 0, same.Size))
		if err != nil || !bytes.Equal(b, g.body) {
			t.Errorf("%s: another server has other bytes, %v", id, err)
		}
	}
	if len(names) != len(checks)+2 || names["postcard.png"] != 2 {
		t.Errorf("names: %v", names)
	}
}

// checkWAV compares the sizes in the header with the file, and makes sure that it is not silent.
func checkWAV(t *testing.T, b []byte) {
	size := func(at int) int { return int(b[at]) | int(b[at+1])<<8 | int(b[at+2])<<16 | int(b[at+3])<<24 }
	if len(b) < 44 || string(b[:4]) != "RIFF" || string(b[8:16]) != "WAVEfmt " || size(4) != len(b)-8 || size(40) != len(b)-44 {
		t.Fatalf("not a WAV file of %d bytes: %q", len(b), b[:min(len(b), 44)])
	}
	loudest := 0
	for i := 44; i+1 < len(b); i += 2 {
		loudest = max(loudest, int(int16(uint16(b[i])|uint16(b[i+1])<<8)))
	}
	if loudest < 8000 || loudest > 32000 {
		t.Errorf("the loudest sample is %d", loudest)
	}
}

func BenchmarkDemo(b *testing.B) {
	for b.Loop() {
		s := Demo()
		for _, id := range DemoIDs() {
			s.Asset(id)
		}
	}
}
