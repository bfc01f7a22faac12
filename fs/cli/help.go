package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"assetfs/fs/cli/mountopt"
)

const usage = `Mounts remote assets as ordinary read-only files.

  assetfs [flags] MOUNTPOINT [ASSET_ID...]
  assetfs --demo MOUNTPOINT               sample assets; no key, no network
  assetfs SOURCE MOUNTPOINT -o OPTS       as mount(8) and fstab; SOURCE is an ids file or none
  assetfs status [--json] MOUNTPOINT      what a running mount does and has done
  assetfs fetch|free|pin|unpin FILE...    into the spool, out of it, keep; see assetfs help fetch
  assetfs check                           would a mount work? costs nothing
`

// WriteHelp writes all flags in their groups. It fits a screen of 100 columns
// and 50 lines.
func (s *settings) WriteHelp(w io.Writer) error {
	var page bytes.Buffer
	page.WriteString(usage)
	for _, g := range s.groups {
		fmt.Fprintf(&page, "\n%s\n", g.Name())
		g.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				helpLine(&page, f)
			}
		})
	}
	_, err := page.WriteTo(w)
	return err
}

// commandHelp writes what a command does, takes, and its flags.
func commandHelp(w io.Writer, c *cobra.Command) error {
	var page bytes.Buffer
	fmt.Fprintf(&page, "%s\n\n  %s\n", cmp.Or(c.Long, c.Short), c.UseLine())
	head := "\n"
	c.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && f.Name != "help" {
			page.WriteString(head)
			head = ""
			helpLine(&page, f)
		}
	})
	_, err := page.WriteTo(w)
	return err
}

// helpLine writes what a flag is called, takes, means and is by default.
func helpLine(page *bytes.Buffer, f *pflag.Flag) {
	_, text := pflag.UnquoteUsage(f)
	kind := mountopt.Kind(f)
	name := "--" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", " + name
	}
	if f.NoOptDefVal == "" {
		name += " " + kind
	}
	fmt.Fprintf(page, "  %-34s %s", name, text)
	if tells(f.DefValue) && kind != "ID" {
		fmt.Fprintf(page, " (%s)", strings.Replace(f.DefValue, "m0s", "m", 1))
	}
	page.WriteByte('\n')
}

// tells reports whether a default value says more than that there is none.
func tells(value string) bool {
	switch value {
	case "", "0", "000", "false", defaultBaseURL:
		return false
	}
	return true
}
