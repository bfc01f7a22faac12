package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"assetfs/fs/mount"
)

// sayMounted says that the mount is ready, and in a demo what to try.
func (a *app) sayMounted(point string) {
	text := fmt.Sprintf("assetfs: mounted %s\n", printable(point))
	if a.Demo && a.child == nil { // the background process has no reader
		text += tries(point, a.Daemon)
	}
	fmt.Fprint(a.out, text)
}

// tries suggests three things to do with a demo, and how to end it.
func tries(point string, daemon bool) string {
	where, end := "", "fusermount3 -u "+mount.Quoted(point)
	if runtime.GOOS != "linux" || os.Geteuid() == 0 {
		end = "umount " + mount.Quoted(point)
	}
	if !daemon {
		where, end = ", in another terminal", "Ctrl-C"
	}
	look, what := "xdg-open "+mount.Quoted(filepath.Join(point, "sunrise.png")), "a picture; music-box.wav is a tune"
	if runtime.GOOS == "darwin" {
		look = strings.TrimPrefix(look, "xdg-")
	} else if _, err := exec.LookPath("xdg-open"); err != nil {
		look, what = "cat "+mount.Quoted(filepath.Join(point, "welcome.txt")), "a guide to the files"
	}
	return fmt.Sprintf(`Try this%s:
  ls -l %s
  %s    # %s
  tail -c 1M %s | sha256sum    # downloads only the end
%s ends it.
`, where, mount.Quoted(point), look, what, mount.Quoted(filepath.Join(point, "one-gibibyte.bin")), end)
}
