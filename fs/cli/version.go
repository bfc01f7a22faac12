package cli

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
)

// Set by .packaging/build with -ldflags -X. If they are empty, Go's own record of the build is used.
var (
	version string // 1.2.3
	commit  string // the first digits, and "-dirty" if there were changes
)

// printVersion prints the one line of --version.
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
