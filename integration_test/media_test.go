package integration_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// media makes test films, each once per test run, when a script first needs it.
type media struct {
	dir   string
	films map[string]func() error
}

// newMedia returns the films that scripts may use. They are removed when the test ends.
func newMedia(t *testing.T) *media {
	m := &media{dir: t.TempDir(), films: map[string]func() error{}}
	clip := "-f lavfi -i testsrc2=size=1280x720:rate=25 -f lavfi -i sine=frequency=440:sample_rate=44100 -t 12 " +
		"-c:v mpeg4 -q:v 4 -c:a aac -pix_fmt yuv420p"
	// Noise does not compress: 4 s at a fixed quantizer give some 20 MB.
	noise := "-f lavfi -i nullsrc=size=640x360:rate=25,geq=lum='random(1)*255':cb=128:cr=128 " +
		"-f lavfi -i sine=frequency=440:sample_rate=44100 -t 4 -c:v mpeg4 -qscale:v 4 -g 25 -c:a aac -pix_fmt yuv420p"
	// An MP4 has its index ("moov") at the end unless it is moved.
	m.film("tail.mp4", clip)
	m.film("front.mp4", clip+" -movflags +faststart")
	m.film("noise.mp4", noise)
	// Some 200 MB at little cost: the same packets over and over.
	m.films["big.mp4"] = sync.OnceValue(func() error {
		if err := m.films["noise.mp4"](); err != nil {
			return err
		}
		return m.ffmpeg("big.mp4", "-stream_loop 15 -i "+filepath.Join(m.dir, "noise.mp4")+" -c copy -fs 200M")
	})
	return m
}

// film adds a film that ffmpeg makes with args.
func (m *media) film(name, args string) {
	m.films[name] = sync.OnceValue(func() error { return m.ffmpeg(name, args) })
}

// ffmpeg runs ffmpeg with args and writes m.dir/name.
func (m *media) ffmpeg(name, args string) error {
	all := append([]string{"-nostdin", "-loglevel", "error", "-y"}, strings.Fields(args)...)
	//nolint:noctx // args bound it by -t and -fs
	out, err := exec.Command("ffmpeg", append(all, filepath.Join(m.dir, name))...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ffmpeg for %s: %w\n%s", name, err, out)
	}
	return nil
}

// cmdMedia implements "media NAME...".
func cmdMedia(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		usage(ts, "media NAME...")
	}
	for _, name := range args {
		film, ok := of(ts).setup.media.films[name]
		if !ok {
			ts.Fatalf("unknown film %s", name)
		}
		if err := film(); err != nil {
			ts.Fatalf("%v", err)
		}
	}
}
