package cli

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// What .packaging/build stamps with -ldflags -X. Without it they are empty, and Go's own record of the build is used.
var (
	version string // 1.2.3
	commit  string // the first digits, and "-dirty" if there were changes
)

// printVersion writes the one line of --version.
func printVersion(w io.Writer) error {
	v, c := version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		v = cmp.Or(v, info.Main.Version)
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				c = cmp.Or(c, s.Value)
			}
		}
	}
	_, err := fmt.Fprintf(w, "assetfs %s, commit %s, %s\n", cmp.Or(v, "(unknown)"), cmp.Or(c, "unknown"), runtime.Version())
	return err
}
