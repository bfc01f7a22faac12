package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// sayMounted says that the mount is ready, and what to try in a demo.
func (a *app) sayMounted(point string) {
	text := fmt.Sprintf("assetfs: mounted %s\n", point)
	if a.Demo && a.child == nil { // in the background nobody reads along
		text += tries(point, a.Daemon)
	}
	fmt.Fprint(a.out, text)
}

// tries names three things to do with a demo, and how to end it.
func tries(point string, daemon bool) string {
	where, end := "", "fusermount3 -u "+quoted(point)
	if runtime.GOOS != "linux" || os.Geteuid() == 0 {
		end = "umount " + quoted(point)
	}
	if !daemon {
		where, end = ", in another terminal", "Ctrl-C"
	}
	look, what := "xdg-open "+quoted(filepath.Join(point, "sunrise.png")), "a picture; music-box.wav is a tune"
	if runtime.GOOS == "darwin" {
		look = strings.TrimPrefix(look, "xdg-")
	} else if _, err := exec.LookPath("xdg-open"); err != nil {
		look, what = "cat "+quoted(filepath.Join(point, "welcome.txt")), "what there is"
	}
	return fmt.Sprintf(`Try this%s:
  ls -l %s
  %s    # %s
  tail -c 1M %s | sha256sum    # the end alone is downloaded
%s ends it.
`, where, quoted(point), look, what, quoted(filepath.Join(point, "one-gibibyte.bin")), end)
}

// quoted writes a path as a shell reads it.
func quoted(path string) string {
	if strings.Trim(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+@%") == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
